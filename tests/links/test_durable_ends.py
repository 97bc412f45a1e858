"""The ends of a `disk` wire, with journals that are durable when the test says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from thespian.actors import ActorAddress

from actors.definition.deliveries import DISK
from actors.journal.gathering import Gathering
from actors.journal.group import Body, Group, Recovered
from actors.links.crossed import Incoming, Outgoing
from actors.messages.link_to_owner import WireHandedOver
from actors.messages.owner_to_link import HandOverWire
from tests.links.plant import Plant, plant


class Journal:
    """`groups`: those that have been handed out."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.gathering = Gathering(Recovered(), self.groups.append, lambda _: None)
        self.gathering.keeps = {"w": True, "other": False}

    def write(self) -> None:
        """What has been handed out is durable now."""
        self.gathering.durable(self.groups[-1].number)

    @property
    def bodies(self) -> list[Body]:
        return [body for group in self.groups for body in group.bodies]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Plant]:
    with plant(tmp_path / "keys") as it:
        yield it


def send(plant: Plant, journal: Journal, body: bytes, count: int) -> None:
    """As a module does: what it sends is written down."""
    journal.gathering.sent("w", body, 0, 0, count, plant.a.numbers.get("w", 0))
    plant.a.put("w", body, count)


def write_first(plant: Plant, journal: Journal) -> None:
    """The first group, and the one that notes that the other end has nothing that is not known here."""
    plant.until(lambda: len(journal.groups) == 1)
    journal.write()
    plant.until(lambda: len(journal.groups) == 2)
    journal.write()


def pass_by(plant: Plant) -> None:
    """Another wire's message goes there and is acknowledged: what could be on its way before it has arrived."""
    before = len(plant.b.came.get("other", ()))
    pending = plant.a.activity.pending
    plant.a.put("other", b"[0]", 1)
    plant.until(lambda: len(plant.b.came.get("other", ())) > before and plant.a.activity.pending == pending)


def test_nothing_leaves_that_is_not_durable(two: Plant) -> None:
    a, b = Journal(), Journal()
    two.wire("w", DISK, (a.gathering, b.gathering))
    two.wire("other")
    two.connect()
    send(two, a, b"[1,\n2]", 2)
    pass_by(two)
    assert len(a.groups) == 1 and "w" not in two.b.came
    a.write()
    two.until(lambda: len(a.groups) == 2)  # the other end has not seen more than there is
    pass_by(two)
    assert "w" not in two.b.came, "as after a crash it would have more than is known here"
    a.write()
    two.until(lambda: "w" in two.b.came)
    send(two, a, b"[3]", 1)  # in a group that waits for nothing else
    pass_by(two)
    assert two.b.came["w"] == [b"1", b"2"]
    a.write()
    two.until(lambda: len(two.b.came["w"]) == 3)


def test_nothing_is_acknowledged_that_is_not_durable_and_then_it_is_noted(two: Plant) -> None:
    a, b = Journal(), Journal()
    two.wire("w", DISK, (a.gathering, b.gathering))
    two.wire("other")
    two.connect()
    send(two, a, b"[1,\n2]", 2)
    write_first(two, a)
    two.until(lambda: bool(b.groups))
    pass_by(two)
    assert two.b.came["w"] == [b"1", b"2"], "the module there need not wait"
    assert two.a.activity.pending == 2
    assert b.bodies == [Body("w", 0, 0, 2, 0, b"[1,\n2]")]
    assert list(b.groups[0].facts) == ["receiving/w"]
    b.write()
    two.until(lambda: not two.a.activity.pending)
    a.gathering.when_durable(lambda: None)
    assert a.groups[-1].consumed == {"w": 2}


def test_a_connection_that_is_lost_meanwhile_changes_nothing(two: Plant) -> None:
    """The sender is told what is durable, and sends the rest again; the module there gets it once."""
    a, b = Journal(), Journal()
    two.wire("w", DISK, (a.gathering, b.gathering))
    two.connect()
    send(two, a, b"[1]", 1)
    write_first(two, a)
    two.until(lambda: bool(b.groups))
    connections = two.proxy.connections
    two.proxy.cut()
    two.until(lambda: two.proxy.connections > connections)
    send(two, a, b"[2]", 1)
    two.until(lambda: len(a.groups) == 3)
    a.write()
    two.until(lambda: len(two.b.came["w"]) == 2)
    assert two.a.activity.pending == 2
    b.write()
    two.until(lambda: len(b.groups) == 2)
    b.write()
    two.until(lambda: not two.a.activity.pending)
    assert two.b.came["w"] == [b"1", b"2"]


def test_a_wire_that_comes_late_begins_with_the_number_of_its_module(two: Plant) -> None:
    a, b = Journal(), Journal()
    two.a.numbers["w"] = 40
    two.b.came["w"] = [b"0"] * 40
    two.wire("w", DISK, (a.gathering, b.gathering))
    two.connect()
    send(two, a, b"[1]", 1)
    write_first(two, a)
    two.until(lambda: bool(b.groups))
    assert a.bodies == b.bodies == [Body("w", 0, 0, 1, 40, b"[1]")]


def handed_over(plant: Plant, end: ActorAddress) -> Any:
    """What it knows."""
    plant.tell(plant.b, end, HandOverWire())
    plant.until(lambda: any(isinstance(message, WireHandedOver) for message in plant.b.told))
    return plant.b.told.pop().state


def test_an_end_that_goes_on_from_another_takes_nothing_twice(two: Plant) -> None:
    """What has not been acknowledged is sent again to the one that comes after it."""
    a, b = Journal(), Journal()
    _, receiving = two.wire("w", DISK, (a.gathering, b.gathering))
    two.connect()
    send(two, a, b"[1,\n2]", 2)
    write_first(two, a)
    two.until(lambda: bool(b.groups))
    state = handed_over(two, receiving)
    assert state == Incoming(1, 2, runner="a")
    two.receiving("w", before=state)
    two.until(lambda: not two.a.activity.pending)
    two.a.put("w", b"[3]", 1)
    a.gathering.when_durable(lambda: None)
    a.write()
    two.until(lambda: len(two.b.came["w"]) > 2)
    assert two.b.came["w"] == [b"1", b"2", b"3"]


def test_a_sending_end_hands_over_what_is_not_acknowledged(two: Plant) -> None:
    """Nobody has taken it: there is no connection."""
    sending, _ = two.wire("w")
    two.a.put("w", b"[1,\n2]", 2)
    state = handed_over(two, sending)
    assert isinstance(state, Outgoing)
    assert (state.epoch, state.next, [(s.first, s.count, s.body) for s in state.waiting]) == (
        0,
        2,
        [(0, 2, b"[1,\n2]")],
    )
