"""What modules handled last is bounded, in sum over all of them."""

from __future__ import annotations

import gc

import pytest

from actors.definition.hosting import WireIn
from actors.state import recent
from actors.state.mailbox import Mailbox
from runtimes.frames import join

WIRE, BODIES = "a.out->b.in", [b'"%s"' % (b"x" * size) for size in (100, 2_000, 5_000, 8_000)]
MOST = 1 << 20


@pytest.fixture
def all(monkeypatch: pytest.MonkeyPatch) -> recent.All:
    """All modules of a process of their own."""
    monkeypatch.setattr(recent, "HERE", recent.All(MOST))
    return recent.HERE


def module() -> Mailbox:
    mailbox = Mailbox([])
    mailbox.configure({WIRE: WireIn(0)}, 1024)
    return mailbox


def handle(mailbox: Mailbox, number: int, body: bytes) -> None:
    mailbox.deliver(WIRE, join([body]), 0, 0, 1, number, 0.0)
    mailbox.send_head(0)
    mailbox.consume(1)


def kept(mailbox: Mailbox) -> list[bytes]:
    return [body for _, _, body, _ in mailbox.last_done()]


def test_few_modules_keep_twenty_messages_each(all: recent.All) -> None:
    one = module()
    for number in range(50):
        handle(one, number, b"%d" % number)
    assert kept(one) == [b"%d" % number for number in range(30, 50)]
    handle(one, 50, b'"' + b"x" * recent.SEGMENT_BYTES + b'"')
    assert kept(one)[-1] == b"49", "one that is larger is not kept"
    assert all.bytes == sum(len(segment.body) for segment in one.recent.segments)


def test_many_modules_together_stay_within_the_bound(all: recent.All) -> None:
    modules = [module() for _ in range(300)]
    for number in range(40):
        for at, mailbox in enumerate(modules):
            handle(mailbox, number, BODIES[(number * 7 + at) % len(BODIES)])
            assert all.bytes <= MOST
    size = sum(len(segment.body) for mailbox in modules for segment in mailbox.recent.segments)
    assert MOST // 2 < size == all.bytes
    late = module()  # one that comes when all is full has its share, too
    for number in range(5):
        handle(late, number, BODIES[0])
    assert len(kept(late)) == 5 and all.bytes <= MOST
    del modules, mailbox, late
    gc.collect()
    assert all.bytes == 0, "what is no more counts no more"
