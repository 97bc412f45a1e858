"""What a runner with a valid certificate can make another one keep, do and log: bounded, whatever it says."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.links import connection, listener, receiving, sending, talk
from actors.links.frames import MAX_CHANNEL, PeerKind, Refusal, pack
from actors.links.listener import MAX_STRANGERS
from actors.messages.link_to_owner import PeerFound, PeerLost
from actors.messages.module_to_module import HoldWire, ReleaseWire
from runtimes.frames import HEADER, Frame, join
from tests.links.plant import Plant, plant
from tests.links.raw_peer import RawPeer, opening


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Plant]:
    with plant(tmp_path / "keys") as it:
        yield it
        assert not it.system.base.failures


@pytest.fixture
def raw(two: Plant) -> Iterator[Callable[..., RawPeer]]:
    """Connects to `b` as `a`, and has said HELLO."""
    with contextlib.ExitStack() as stack:

        def connect(buffer_bytes: int | None = None) -> RawPeer:
            peer = RawPeer(two.port, two.folder, "a", lambda: turn(two), buffer_bytes=buffer_bytes)
            stack.callback(peer.close)
            peer.hello("a")
            peer.hear(PeerKind.HELLO)
            return peer

        yield connect


def turn(plant: Plant) -> None:
    plant.system.base.wakeupAfter(plant.a.address, 0.005, None)
    plant.system.base.turn(block=True)


def why(plant: Plant) -> list[str]:
    return [told.reason for told in plant.b.told if isinstance(told, PeerLost)]


def test_who_makes_us_answer_and_does_not_read(
    two: Plant, raw: Callable[..., RawPeer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_ANSWERS", 1000)
    monkeypatch.setattr(connection, "SILENT_MS", 1_000_000)  # the kernel ends it too, after a while
    two.wire("w")
    peer = raw(buffer_bytes=4096)
    most = 0
    link = two.instance(two.peer_a)
    link.talk.connection._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # the kernel keeps little
    storm = [opening(1, "w"), Frame(PeerKind.CLOSE, 1)] * 500
    while peer.say(*storm) and link.talk is not None:
        for _ in range(10):
            turn(two)
            if link.talk is not None:
                most = max(most, len(link.talk.connection._outbox))
    two.until(lambda: bool(why(two)))
    assert why(two) == ["it does not read what it is answered"]
    assert most < 20_000  # what one read of the socket can cause, beyond the limit


def test_who_has_everything_sent_again_and_again(
    two: Plant, raw: Callable[..., RawPeer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It acknowledges nothing, and asks for the same mebibyte anew."""
    monkeypatch.setattr(sending, "MAX_AGAIN", 10)
    two.b.wires["back"] = two.sending(two.b, "back", "a")
    two.b.put("back", join([b'"%s"' % (b"x" * 100_000)] * 10), 10)
    peer = raw(buffer_bytes=4096)
    peer.hear(PeerKind.OPEN)
    for _ in range(50):
        peer.say(Frame(PeerKind.ACK, 1), Frame(PeerKind.AGAIN, 1))
        turn(two)
    two.until(lambda: bool(why(two)))
    assert why(two) == ["f, back: it has asked for everything again 10 times"]


def test_a_held_wire_is_held_over_every_new_connection(two: Plant) -> None:
    """Not a window more with each of them."""
    _, end = two.wire("w")
    two.connect()
    two.until(lambda: any(isinstance(told, PeerFound) for told in two.a.told))
    two.tell(two.b, end, HoldWire(wire="w"))
    two.until(lambda: not two.system.base.busy)
    turn(two)
    body = join([b'"%s"' % (b"x" * 10_000)] * 20)

    def fill(_wire: str = "w") -> None:
        while "w" not in two.a.held:
            two.a.put("w", body, 20)
            for _ in range(3):
                two.system.base.turn()

    two.a.went_on = fill
    fill()
    came = []
    for links in range(1, 8):
        two.until(lambda: two.proxy.connections >= links and two.instance(two.peer_b).talk is not None)  # noqa: B023
        for _ in range(20):
            turn(two)
        came.append(len(two.b.came.get("w", ())))
        two.proxy.cut()
        two.until(lambda: two.instance(two.peer_b).talk is None)
    assert came[-1] == came[0], came
    two.tell(two.b, end, ReleaseWire(wire="w"))
    two.a.went_on = lambda _wire: None
    two.until(lambda: not two.a.activity.pending)
    assert len(two.b.came["w"]) == two.a.numbers["w"]


def test_who_sends_on_though_it_is_held(
    two: Plant, raw: Callable[..., RawPeer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "MAX_BEYOND_HOLD_BYTES", 100_000)
    _, end = two.wire("w")
    peer = raw()
    peer.say(opening(1, "w"))
    peer.hear(PeerKind.ACK)
    two.tell(two.b, end, HoldWire(wire="w"))
    peer.hear(PeerKind.HOLD)
    number, message = 0, b'"%s"' % (b"x" * 1000)
    while peer.say(Frame(PeerKind.DATA, 1, join([message]), 0, 0, 1, number)) and number < 1000:
        number += 1
    two.until(lambda: bool(why(two)))
    assert why(two) == ["f, w: it was held, and sends on"]
    assert len(two.b.came["w"]) < 110


def test_wires_that_nobody_has_are_few(
    two: Plant, raw: Callable[..., RawPeer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk, "MAX_OFFERS", 100)
    peer = raw()
    peer.say(*[opening(channel, f"w{channel}") for channel in range(1, 200)])
    two.until(lambda: bool(why(two)))
    assert why(two) == ["it broke the protocol: 101 wires that nobody here has"]


@pytest.mark.parametrize("channel", [0, MAX_CHANNEL])
def test_the_first_and_the_last_channel(two: Plant, raw: Callable[..., RawPeer], channel: int) -> None:
    """Zero is none: a wire on it would never be acknowledged."""
    two.wire("w")
    peer = raw()
    peer.say(opening(channel, "w"))
    if channel:
        assert peer.hear(PeerKind.ACK).slot == channel
    else:
        two.until(peer.is_ended)
        assert "channel 0" in why(two)[0]


def test_a_frame_that_comes_two_bytes_at_a_time(two: Plant, raw: Callable[..., RawPeer]) -> None:
    """It takes the memory of its bytes."""
    two.wire("w")
    peer = raw()
    peer.say(opening(1, "w"))
    peer.hear(PeerKind.ACK)
    size = 400_000
    peer.send(HEADER.pack(size, PeerKind.DATA, 0, 1, 0, 1, 0))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for at in range(0, size - 100, 2):
            peer.send(b"1%d" % (at % 7))
            if at % 5000 == 0:
                turn(two)
        for _ in range(20):
            turn(two)
        assert tracemalloc.get_traced_memory()[0] - before < 3 * size
    finally:
        tracemalloc.stop()


def test_what_a_peer_says_is_one_line_in_the_log_and_one_a_second(
    two: Plant, raw: Callable[..., RawPeer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    begun = time.monotonic()
    for number in range(40):
        peer = raw()
        reason = f"{number}\n2026-11-29 ERROR forged\x1b[2J\u202e" + "x" * 500
        peer.say(Frame(PeerKind.REFUSED, body=pack(Refusal(reason=reason, fenced=True))))
        two.until(peer.is_ended)
    two.until(lambda: two.instance(two.peer_a).talk is None)
    took = time.monotonic() - begun
    lines = [record.getMessage() for record in caplog.records]
    assert 1 <= len(lines) <= took + 2, lines
    assert sum(type(told).__name__ == "Fenced" for told in two.b.told) <= took + 2
    turn(two)
    two.until(lambda: "refuses" in caplog.records[-1].getMessage())  # how it is now, within the next second
    for record in caplog.records:
        assert record.getMessage().isprintable() and len(record.getMessage()) < 400, record


def test_who_means_it_comes_through_a_crowd_of_those_who_say_nothing(
    two: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as may be strangers, again and again: the oldest go, not the newest."""
    monkeypatch.setattr(listener, "STRANGER_S", 1000.0)  # their time is not what makes them go
    crowd: list[socket.socket] = []
    try:
        for _ in range(3):
            for _ in range(5):
                crowd += [socket.create_connection(("127.0.0.1", two.port)) for _ in range(60)]
                turn(two)
            assert len(two.instance(two.listener).strangers) == MAX_STRANGERS
            lost = sum(isinstance(told, PeerFound) for told in two.a.told)
            if lost:
                two.proxy.cut()
            else:
                two.connect()
            two.until(lambda: sum(isinstance(told, PeerFound) for told in two.a.told) > lost)  # noqa: B023
    finally:
        for client in crowd:
            client.close()
