"""A runner with a good certificate that says what it should not: the connection ends and begins anew, nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.links.frames import MAX_CHANNEL, Opened, PeerKind, Refusal, pack
from actors.messages.link_to_owner import PeerLost
from actors.messages.wire_to_peer import PeerFrames
from runtimes.frames import HEADERS, Frame, join
from tests.links.plant import ModuleDouble, Plant, plant

DEEP = b"\x82\xa1x" + b"\x91" * 3000 + b"\xc0"  # MessagePack, one array in the other


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Plant]:
    with plant(tmp_path / "keys") as it:
        it.wire("w")
        it.connect()
        it.until(lambda: talking(it))
        goes_on(it)
        yield it
        assert not it.system.base.failures


def talking(plant: Plant) -> bool:
    return all(plant.instance(peer).talk is not None for peer in (plant.peer_a, plant.peer_b))


def say(plant: Plant, *frames: Frame, side: str = "a") -> None:
    """As the peer of that runner, on its connection."""
    owner, peer = (plant.a, plant.peer_b) if side == "a" else (plant.b, plant.peer_a)
    if (talk := plant.instance(peer).talk) is not None:
        plant.tell(owner, peer, PeerFrames(list(frames), talk.number))


def losses(owner: ModuleDouble) -> int:
    return sum(isinstance(told, PeerLost) for told in owner.told)


def goes_on(plant: Plant) -> None:
    """The wire that was good before is good."""
    before = len(plant.b.came.get("w", ()))
    plant.a.put("w", b'["on"]', 1)
    plant.until(lambda: len(plant.b.came.get("w", ())) == before + 1)
    plant.until(lambda: not plant.a.activity.pending)
    assert plant.b.came["w"][-1] == b'"on"'


FORGED = {
    "deep HELLO": [Frame(PeerKind.HELLO, body=DEEP)],
    "deep OPEN": [Frame(PeerKind.OPEN, 9, DEEP)],
    "deep REFUSED": [Frame(PeerKind.REFUSED, 9, DEEP)],
    "long OPEN": [Frame(PeerKind.OPEN, 9, pack(Opened(flow="x" * 100_000, wire="w", epoch=1)))],
    "OPEN twice": [Frame(PeerKind.OPEN, 9, pack(Opened(flow="x", wire="w", epoch=1)))] * 2,
    "OPEN of a wire that is open": [Frame(PeerKind.OPEN, 9, pack(Opened(flow="f", wire="w", epoch=1)))],
    "OPEN of no text": [Frame(PeerKind.OPEN, 9, b"\x83\xa4flow\xa1\xff\xa4wire\xa1w\xa5epoch\x01")],
    "numbers beyond 64 bits": [
        Frame(PeerKind.CLOSE, 1),
        Frame(PeerKind.OPEN, 9, pack(Opened(flow="f", wire="w", epoch=2)), first=(1 << 64) - 1),
        Frame(PeerKind.DATA, 9, b"[1,\n2]", 0, 0, 2, (1 << 64) - 1),
    ],
    "a jump within an epoch": [
        Frame(PeerKind.CLOSE, 1),
        Frame(PeerKind.OPEN, 9, pack(Opened(flow="f", wire="w", epoch=1)), first=1 << 40),
    ],
    "DATA of none": [Frame(PeerKind.DATA, 1, b"[]", 0, 0, 0, 0)],
    "DATA of more than it has": [Frame(PeerKind.DATA, 1, b"[1]", 0, 0, 2, 0)],
    "headers of more than it has": [Frame(PeerKind.DATA, 1, join([b"1"], [b"null"]), HEADERS, 0, 2, 0)],
    "headers and a skip too far": [Frame(PeerKind.DATA, 1, join([b"1"], [b"null"]), HEADERS, 7, 1, 0)],
    "headers that are none": [Frame(PeerKind.DATA, 1, b"[1]", HEADERS, 0, 1, 0)],
    "CLOSE, then DATA": [Frame(PeerKind.CLOSE, 1), Frame(PeerKind.DATA, 1, b"[1]", 0, 0, 1, 0)],
    "REFUSED": [Frame(PeerKind.REFUSED, body=pack(Refusal(reason="no\nno", fenced=False)))],
}


@pytest.mark.parametrize("case", FORGED)
def test_what_does_not_fit_ends_the_connection_only(two: Plant, case: str) -> None:
    say(two, *FORGED[case])
    two.until(lambda: losses(two.b) > 0)
    assert two.b.came == {"w": [b'"on"']}
    two.until(lambda: talking(two))
    goes_on(two)


@pytest.mark.parametrize("case", ["ACK ahead", "ACK behind", "ACK of nothing"])
def test_an_acknowledgement_that_does_not_fit(two: Plant, case: str) -> None:
    goes_on(two)
    first = {"ACK ahead": 99, "ACK behind": 0, "ACK of nothing": (1 << 64) - 1}[case]
    say(two, Frame(PeerKind.ACK, 1, first=first), side="b")
    two.until(lambda: losses(two.a) > 0)
    two.until(lambda: talking(two))
    goes_on(two)


def test_wires_without_number_are_no_work(two: Plant) -> None:
    """As many as there are channels, and one more."""
    begun = time.process_time()
    frames = [
        Frame(PeerKind.OPEN, channel, pack(Opened(flow="unknown", wire=str(channel) + "x" * 500, epoch=1)))
        for channel in range(2, MAX_CHANNEL + 1)
    ]
    say(two, *frames)
    two.until(lambda: losses(two.b) > 0)
    assert time.process_time() - begun < 10
    two.until(lambda: talking(two))
    goes_on(two)
