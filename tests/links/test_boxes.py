"""The two ends of a wire between runners, over a link that loses connections at any moment."""

from __future__ import annotations

import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.links.crossed import Incoming
from actors.links.frames import Hello, Opened, PeerKind, Refusal, read
from actors.links.inbox import Inbox
from actors.links.outbox import SMALL_BYTES, Outbox
from runtimes.frames import HEADERS, Frame, ProtocolError, join, split

WINDOW = 1 << 20


def message(number: int, size: int) -> bytes:
    return b'"%d:%s"' % (number, b"x" * size)


def data(piece: tuple[bytes, int, int, int, int]) -> Frame:
    body, flags, skip, count, first = piece
    return Frame(PeerKind.DATA, 1, body, flags, skip, count, first)


def meant(body: bytes, flags: int, skip: int, count: int) -> list[bytes]:
    return split(body, flags)[0][skip : skip + count]


@given(seed=st.integers(0, 2**32))
def test_whatever_happens_to_the_link_everything_arrives_once_and_in_order(seed: int) -> None:
    """Random bodies, with and without headers, parts of bodies; lost connections lose what is under way either way."""
    rng = random.Random(seed)
    outbox, inbox = Outbox(WINDOW), Inbox()
    forward: deque[Frame] = deque()
    back: deque[int] = deque()
    put: list[bytes] = []
    taken: list[bytes] = []
    total = rng.randrange(1, 300)
    while len(taken) < total or outbox.waiting:
        match rng.choice("pppsssrrraaacx"):
            case "p" if len(put) < total:
                count = min(rng.choice([1, 1, 1, 2, 7]), total - len(put))
                extra, behind = rng.choice([0, 0, 1]), rng.choice([0, 0, 2])
                new = [message(len(put) + at, rng.choice([0, 3, SMALL_BYTES])) for at in range(count)]
                whole = [b'"not meant"'] * extra + new + [b'"nor this"'] * behind
                headers = [b"null"] * len(whole) if rng.random() < 0.2 else None
                outbox.put(join(whole, headers), HEADERS if headers else 0, extra, count)
                put += new
            case "s":
                forward += map(data, outbox.take())
            case "r" if forward and inbox.is_open:
                piece = inbox.take(forward.popleft())
                if piece is not None:
                    assert piece.first == len(taken)
                    taken += meant(*piece[:4])
            case "a" if inbox.is_open and inbox.wanted is not None:
                back.append(inbox.wanted)
                if rng.random() < 0.5:
                    outbox.acknowledged(back.popleft())
            case "c" if not outbox.is_open:
                outbox.opened(inbox.opened(1, outbox.oldest))
            case "x" if rng.random() < 0.3:
                outbox.lost_connection()
                inbox.lost_connection()
                forward.clear()
                back.clear()
    assert taken == put
    assert outbox.waiting == outbox.waiting_bytes == 0


def test_small_bodies_are_joined_and_large_ones_are_not() -> None:
    outbox = Outbox(WINDOW)
    outbox.opened(0)
    for number in range(5):
        outbox.put(join([message(number, 10)]), 0, 0, 1)
    outbox.put(join([message(5, SMALL_BYTES)]), 0, 0, 1)
    outbox.put(join([message(6, 10)], [b"null"]), HEADERS, 0, 1)
    counts = [piece.count for piece in outbox.take()]
    assert counts == [5, 1, 1]


def test_a_new_epoch_begins_anew_and_an_old_one_is_refused() -> None:
    inbox = Inbox()
    assert inbox.opened(3, 0) == 0
    assert inbox.take(Frame(PeerKind.DATA, 1, b"[1,\n2]", 0, 0, 2, 0)) is not None
    assert inbox.opened(3, 0) == 2
    assert inbox.opened(4, 0) == 0
    with pytest.raises(ProtocolError, match="epoch 3 after 4"):
        inbox.opened(3, 0)


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (Frame(PeerKind.DATA, 1, b"[1]", 0, 0, 1, 1), "from 1 on, but 0 was to come"),
        (Frame(PeerKind.DATA, 1, b"[1]", 0, 0, 2, 0), "fewer messages"),
        (Frame(PeerKind.DATA, 1, b"[1,\n2]", 0, 2, 1, 0), "fewer messages"),
        (Frame(PeerKind.DATA, 1, b"[1]", 0, 0, 0, 0), "count=0"),
        (Frame(PeerKind.DATA, 1, b"", 0, 0, 1, 0), "0 bytes"),
        (Frame(PeerKind.DATA, 1, b"[1]", 16, 0, 1, 0), "flags=16"),
        (Frame(PeerKind.DATA, 1, b"[1]", 0, 0, 1, 1 << 63), "from 9223372036854775808 on"),
        (Frame(PeerKind.DATA, 1, b"[1]", HEADERS, 0, 1, 0), "fewer messages"),
        (Frame(PeerKind.DATA, 1, join([b"1"], [b"null", b"null"]), HEADERS, 0, 1, 0), "fewer messages"),
        (Frame(PeerKind.DATA, 1, join([b"1"], [b"null"]), HEADERS, 1, 1, 0), "fewer messages"),
    ],
)
def test_what_does_not_fit_is_refused(frame: Frame, error: str) -> None:
    inbox = Inbox()
    inbox.opened(1, 0)
    with pytest.raises(ProtocolError, match=error):
        inbox.take(frame)
    assert inbox.wanted == 0


def test_a_jump_within_an_epoch_is_refused() -> None:
    inbox = Inbox()
    assert inbox.opened(1, 5) == 5, "what an end before this one has acknowledged is forgotten"
    with pytest.raises(ProtocolError, match="from 7 on, but 5 was to come"):
        inbox.opened(1, 7)
    with pytest.raises(ProtocolError, match="OPEN from"):
        Inbox().opened(1, 1 << 63)


@pytest.mark.parametrize("body", [b"\x91" * 4000, b"x" * 5000, b"", b"\xc1"])
def test_bodies_of_frames_are_small_and_flat(body: bytes) -> None:
    for kind in (Hello, Opened, Refusal):
        with pytest.raises(ProtocolError, match=kind.__name__):
            read(kind, Frame(PeerKind.HELLO, body=body))


@pytest.mark.parametrize("wanted", [3, 7, 1 << 60])
def test_an_acknowledgement_of_what_was_not_sent_is_refused(wanted: int) -> None:
    outbox = Outbox(WINDOW)
    outbox.opened(0)
    outbox.put(b"[1,\n2]", 0, 0, 2)
    outbox.take()
    outbox.put(b"[3]", 0, 0, 1)
    with pytest.raises(ProtocolError, match="have been sent"):
        outbox.acknowledged(wanted)
    assert outbox.waiting == 3


def test_an_end_that_is_older_than_it_was_is_known_by_its_numbers() -> None:
    """What was acknowledged and is not here; what is here and was never sent. Nothing else is."""
    kept = Incoming(epoch=5, wanted=80, runner="a")
    assert Inbox(0, kept).missing(5, 120, 0) == 40
    assert Inbox(0, kept).missing(5, 80, 80) == Inbox(0, kept).missing(6, 120, 0) == 0
    assert Inbox().missing(5, 120, 7) == 7 and Inbox().missing(5, 120, 0) == 0
    assert Inbox(0, kept).beyond(30) == 50 and Inbox(0, kept).beyond(80) == Inbox().beyond(0) == 0
    assert Inbox(0, kept.of("another")).beyond(0) == 0, "numbers of somebody else"
    inbox = Inbox(0, Incoming(epoch=5, wanted=80, shift=20))
    assert inbox.opened(5, 70) == 80 and inbox.missing(5, 120, 0) == 0
    with pytest.raises(ProtocolError):
        inbox.opened(5, 120)
    inbox.begin_anew()
    assert inbox.opened(5, 40) == 40 and inbox.wanted + inbox.shift == 100, "here numbers never go back"
