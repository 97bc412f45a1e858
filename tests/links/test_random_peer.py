"""A runner with a valid certificate that says anything: random, changed, reordered, repeated frames, broken bytes.

Its connection ends and begins anew; nothing fails, nothing is handed on that is not there, and when it means it again
it is understood.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.links.frames import MAX_CHANNEL, VERSION, Hello, PeerKind, Refusal, pack
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from runtimes.frames import HEADERS, Frame, encode, join, split
from tests.harness import patch_handler
from tests.links.plant import ModuleDouble, Plant, plant, seed
from tests.links.raw_peer import RawPeer, opening

ROUNDS = [60, pytest.param(3000, marks=pytest.mark.full)]


class Speaker:
    """Makes what is said."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.said: list[bytes] = []
        self.epoch = self.next = 1

    def beginning(self) -> list[Frame]:
        """A wire that is all right."""
        self.epoch, self.next = self.epoch + 1, 0
        return [opening(1, "w", epoch=self.epoch), self.good()]

    def good(self) -> Frame:
        """The next messages of that wire."""
        self.next += 3
        return Frame(PeerKind.DATA, 1, join([b"1", b"2", b"3"]), 0, 0, 3, self.next - 3)

    def frame(self) -> Frame:
        rng = self.rng
        if rng.random() < 0.5:
            return self.good()
        kind, channel = rng.choice(list(PeerKind)), rng.choice([0, 1, 1, 1, 2, 2, 3, MAX_CHANNEL])
        first = rng.choice([0, 0, 1, 2, 3, 10, 1 << 40, (1 << 63) - 1, (1 << 64) - 1])
        if kind is PeerKind.OPEN:
            wire, flow = rng.choice(["w", "w", "w", "v", "unknown", "\x00\n"]), rng.choice(["f", "f", "g"])
            return opening(channel, wire, flow=flow, epoch=self.epoch + rng.choice([-1, 0, 0, 1]), first=first % 5)
        if kind is PeerKind.DATA:
            count = rng.randint(0, 5)
            messages = [rng.choice([b"1", b'"a\\nb"', b"{}", b"", b"x\n"]) for _ in range(max(count, 1))]
            headers = [b"null"] * rng.choice([len(messages), 1]) if rng.random() < 0.3 else None
            flags = HEADERS if headers is not None else rng.choice([0, 0, 0, 1, 255])
            skip = rng.choice([0, 0, 0, 1, 0xFFFFFFFF])
            return Frame(kind, channel, join(messages, headers), flags, skip, rng.choice([count, 0xFFFFFFFF]), first)
        if kind is PeerKind.REFUSED:
            return Frame(kind, channel, pack(Refusal(reason="\x1b[2J\n", fenced=rng.random() < 0.5)))
        if kind is PeerKind.HELLO:
            return Frame(kind, body=pack(Hello(protocol=rng.choice([VERSION, 9]), runner="a", incarnation=1)))
        return Frame(kind, channel, rng.choice([b"", rng.randbytes(20)]), first=first)

    def piece(self) -> bytes:
        """Some frames; now and then not as they should be, or as they have been before."""
        rng = self.rng
        frames = [encode(self.frame()) for _ in range(rng.randint(1, 6))]
        if rng.random() < 0.3:
            frames = [encode(opening(1, "w", epoch=self.epoch + 1)), *frames]
        match rng.choice(["as it is", "as it is", "flipped", "cut", "again", "mixed", "noise"]):
            case "flipped":
                data = bytearray(b"".join(frames))
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
                piece = bytes(data)
            case "cut":
                piece = b"".join(frames)[rng.randint(0, 9) :]
            case "again" if self.said:
                piece = b"".join(rng.choices(self.said, k=3))
            case "mixed":
                rng.shuffle(frames)
                piece = b"".join(frames * 2)
            case "noise":
                piece = rng.randbytes(rng.randint(1, 300))
            case _:
                piece = b"".join(frames)
        self.said = [*self.said[-50:], piece]
        return piece


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    def take(self: ModuleDouble, message: Deliver, _sender: object) -> None:
        """Numbers begin where a sender of another epoch says; what is meant has to be there."""
        there = split(message.body, message.flags)[0]
        assert 0 < message.count <= len(there) - message.skip, message
        self.came.setdefault(message.wire, []).extend(there[message.skip : message.skip + message.count])
        self.activity.pending -= message.count

    patch_handler(monkeypatch, ModuleDouble, "receiveMsg_Deliver", take)
    with plant(tmp_path / "keys") as it:
        yield it
        assert not it.system.base.failures


@pytest.mark.timeout(0)
@pytest.mark.parametrize("rounds", ROUNDS)
def test_whatever_it_says(two: Plant, rounds: int) -> None:
    number = seed()
    print("seed", number)
    rng = random.Random(number)
    speaker, came = Speaker(rng), two.b.came
    ends = [two.receiving("w"), two.receiving("v")]
    two.sending(two.b, "back", "a")
    two.b.put("back", join([b"1", b"2", b"3"]), 3)

    def turn() -> None:
        two.system.base.wakeupAfter(two.a.address, 0.002, None)
        two.system.base.turn(block=True)

    said = broken = 0
    for _ in range(rounds):
        with contextlib.closing(RawPeer(two.port, two.folder, "a", turn)) as peer:
            if rng.random() < 0.9:
                peer.hello("a")
            if rng.random() < 0.8:
                peer.say(*speaker.beginning())
                turn()
            for _ in range(rng.randint(1, 15)):
                said += 1
                if not peer.send(speaker.piece()):
                    break
                if rng.random() < 0.2:
                    kind = rng.choice([HoldWire, ReleaseWire])
                    two.tell(two.b, rng.choice(ends), kind(wire="w"))
                turn()
            peer.read()
            broken += not peer.is_open
    two.tell(two.b, ends[0], ReleaseWire(wire="w"))
    assert said > rounds and broken and came.get("w"), (said, broken)
    before = len(came["w"])
    with contextlib.closing(RawPeer(two.port, two.folder, "a", turn)) as peer:
        peer.hello("a", incarnation=2)
        peer.hear(PeerKind.HELLO)
        peer.say(opening(7, "w", epoch=1 << 62))  # a flipped bit can have made a later epoch than the speaker's
        assert peer.hear(PeerKind.ACK).first == 0
        peer.say(Frame(PeerKind.DATA, 7, join([b'"on"']), 0, 0, 1, 0))
        while peer.hear(PeerKind.ACK).first != 1:
            pass
        assert came["w"][before:] == [b'"on"']
