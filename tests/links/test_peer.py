"""Two peers over real TLS: what is sent on a wire arrives once and in order, whatever becomes of the connections."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.definition.deliveries import LOSSY
from actors.links.frames import PeerKind
from actors.messages.link_to_owner import Fenced, PeerFound, PeerLost
from actors.messages.module_to_module import HoldWire
from actors.messages.owner_to_link import EndWire, PeerAt
from actors.messages.wire_to_peer import PeerFrames
from runtimes.frames import Frame, join
from tests.links.plant import WINDOW_BYTES, Plant, plant, seed


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Plant]:
    with plant(tmp_path / "keys") as it:
        yield it


def found(plant: Plant) -> int:
    return sum(isinstance(message, PeerFound) for message in plant.a.told)


def message(number: int, size: int = 0) -> bytes:
    return b'"%d%s"' % (number, b"." * size)


def stream(plant: Plant, wire: str, total: int, rng: random.Random) -> list[bytes]:
    """Have `a` put that many messages on a wire, as its window lets it; returns them."""
    messages = [message(number, rng.choice([0, 10, 5000])) for number in range(total)]
    at = 0

    def go_on(_wire: str = wire) -> None:
        nonlocal at
        while at < total and wire not in plant.a.held:
            count = min(rng.choice([1, 1, 3, 50]), total - at)
            plant.a.put(wire, join(messages[at : at + count]), count)
            at += count
            while plant.system.base.busy and at % 7 == 0:
                plant.system.base.turn()

    plant.a.went_on = go_on
    go_on()
    return messages


def test_a_wire(two: Plant) -> None:
    two.wire("w")
    two.connect()
    two.a.put("w", b'["one",\n"two"]', 2)
    two.until(lambda: "w" in two.b.came)
    assert two.b.came["w"] == [b'"one"', b'"two"']
    two.until(lambda: not two.a.activity.pending)


def test_connections_that_break_at_any_byte_lose_and_repeat_nothing(two: Plant) -> None:
    number = seed()
    print("seed", number)
    rng = random.Random(number)
    two.wire("w")
    two.proxy.limit = 200_000
    two.connect()
    sent = stream(two, "w", 3000, rng)
    two.until(lambda: len(two.b.came.get("w", ())) == len(sent))
    assert two.b.came["w"] == sent
    assert two.proxy.connections > 5
    two.proxy.limit = 0
    two.until(lambda: not two.a.activity.pending)
    assert two.a.activity.pending == two.b.activity.pending == 0


def test_what_is_put_while_there_is_no_connection_waits_and_the_module_is_held(two: Plant) -> None:
    sending, _ = two.wire("w")
    sent = stream(two, "w", 2000, random.Random(1))
    two.until(lambda: "w" in two.a.held)
    outbox = two.instance(sending).outbox
    assert WINDOW_BYTES < outbox.waiting_bytes < 2 * WINDOW_BYTES
    two.connect()
    two.until(lambda: len(two.b.came.get("w", ())) == len(sent))
    assert two.b.came["w"] == sent


def test_a_link_that_is_silent_is_given_up_and_found_again(two: Plant) -> None:
    two.wire("w")
    two.connect()
    two.until(lambda: found(two) == 1)
    two.proxy.stalled.set()
    two.a.put("w", b"[1]", 1)
    two.until(lambda: any(isinstance(message, PeerLost) for message in two.a.told))
    [lost] = [message for message in two.a.told if isinstance(message, PeerLost)]
    assert lost.reason == "nothing was heard for 3 s"
    two.proxy.stalled.clear()
    two.until(lambda: two.b.came.get("w") == [b"1"])
    assert found(two) == 2


def test_a_full_module_holds_its_wire_alone(two: Plant) -> None:
    _, receiving = two.wire("full")
    two.wire("free")
    two.connect()
    two.until(lambda: found(two) == 1)
    two.tell(two.b, receiving, HoldWire(wire="full"))
    two.a.put("full", b"[0]", 1)
    two.until(lambda: not two.system.base.busy)
    stream(two, "full", 2000, random.Random(2))
    two.until(lambda: "full" in two.a.held)
    two.a.went_on = lambda _: None
    sent = stream(two, "free", 500, random.Random(3))
    two.until(lambda: two.b.came.get("free") == sent)
    assert len(two.b.came.get("full", ())) < 2001


def test_a_lossy_wire_drops_and_holds_nobody(two: Plant) -> None:
    sending, _ = two.wire("w", LOSSY)
    body = join([message(0, 1000)] * 50)
    for _ in range(50):
        two.a.put("w", body, 50)
    two.until(lambda: not two.system.base.busy)
    dropped = two.instance(sending).dropped
    assert dropped > 1000
    assert not two.a.held
    two.connect()
    two.until(lambda: not two.a.activity.pending)
    assert len(two.b.came["w"]) == 2500 - dropped


def test_a_wire_whose_other_end_comes_later(two: Plant) -> None:
    two.connect()
    two.until(lambda: found(two) == 1)
    sending = two.instance(two.wire("early")[0])
    assert sending is not None
    two.a.put("early", b"[1]", 1)
    two.until(lambda: two.b.came.get("early") == [b"1"])


def test_a_wire_that_ends_and_comes_again(two: Plant) -> None:
    sending, receiving = two.wire("w")
    two.connect()
    two.until(lambda: found(two) == 1)
    two.a.put("w", b"[1]", 1)
    two.until(lambda: two.b.came.get("w") == [b"1"])
    two.tell(two.a, sending, EndWire())
    two.tell(two.b, receiving, EndWire())
    two.b.came.clear()
    two.a.numbers.clear()
    two.until(lambda: not two.system.base.busy)
    two.wire("w")
    two.a.put("w", b"[2]", 1)
    two.until(lambda: two.b.came.get("w") == [b"2"])
    assert found(two) == 1


def test_an_older_incarnation_is_refused_and_told(two: Plant) -> None:
    two.connect()
    two.until(lambda: found(two) == 1)
    newer = two.peer(two.a, "a", "b", incarnation=3)
    place = ("127.0.0.1", two.proxy.port)
    two.tell(two.a, newer, PeerAt(place=place))
    two.until(lambda: any(isinstance(message, Fenced) for message in two.a.told))
    [fenced] = [message for message in two.a.told if isinstance(message, Fenced)][:1]
    assert fenced.reason == "there is a newer incarnation of a: 3, not 1"


@pytest.mark.parametrize("kind", [PeerKind.DATA, PeerKind.CLOSE, PeerKind.HELLO, PeerKind.REFUSED])
def test_frames_that_do_not_fit_end_the_connection_only(two: Plant, kind: PeerKind) -> None:
    two.wire("w")
    two.connect()
    two.until(lambda: found(two) == 1)
    number = two.instance(two.peer_b).talk.number
    two.tell(two.a, two.peer_b, PeerFrames([Frame(kind, 77, b"[1]", 0, 0, 1, 0)], number))
    two.until(lambda: any(isinstance(message, PeerLost) for message in two.b.told))
    two.a.put("w", b"[1]", 1)
    two.until(lambda: two.b.came.get("w") == [b"1"])
