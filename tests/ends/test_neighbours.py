"""What a feed or a sink knows of the modules that it is attached to."""

from __future__ import annotations

from typing import Any

import pytest

from actors.definition.ports import Side
from actors.ends.neighbours import Neighbours
from actors.messages.end_to_session import EndReady
from actors.messages.flow_to_session import Attached
from actors.messages.module_to_flow import FlowIdle
from actors.messages.module_to_module import HoldWire, ReleaseWire
from actors.messages.run_to_session import Endpoint
from actors.messages.session_to_end import StartEnd
from actors.messages.session_to_flow import AttachEnd
from actors.state.activity import Activity
from actors.state.tracing import Tracing

PLACES = {"x": ("a", "out"), "y": ("b", "error")}


class Port:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, Any]] = []

    def send(self, to: Any, message: Any) -> None:
        self.sent.append((to, message))

    def take(self) -> list[tuple[Any, Any]]:
        sent, self.sent = self.sent, []
        return sent


class Bench:
    def __init__(self, side: Side = "out") -> None:
        self.port, self.activity, self.ready = Port(), Activity(), list[bool]()
        start = StartEnd(flow="f", end=Endpoint(places=PLACES, fd=1, name="-o"), runner="runner")
        self.all = Neighbours(self.port, side, start, "session", self.ready.append)

    def attached(self, wire: str, module: str | None = None, error: str | None = None) -> list[tuple[Any, Any]]:
        """What an answer leads to."""
        said = Attached(wire=wire, module=module, activity=self.activity, tracing=Tracing("f"), error=error)
        self.all.receiveMsg_Attached(said, None)
        return self.port.take()


@pytest.mark.parametrize("side", ["in", "out"])
def test_each_place_is_attached_to_on_its_side(side: Side) -> None:
    bench = Bench(side)
    assert bench.port.take() == [
        ("runner", AttachEnd(flow="f", side=side, module=module, port=port, wire=wire))
        for wire, (module, port) in PLACES.items()
    ]
    assert bench.attached("x", "A1") == []
    assert bench.attached("x", "A2") == [], "it has been replaced meanwhile: the other one is still to come"
    assert bench.attached("y", "B") == [("session", EndReady(side=side, name="-o", errors=()))]
    assert bench.ready == [True]
    assert bench.all.modules == {"x": "A2", "y": "B"}
    assert bench.attached("y", "B2") == []
    assert bench.ready == [True]


def test_what_cannot_be_attached_to() -> None:
    bench = Bench()
    bench.port.take()
    bench.attached("x", error="there is no module 'a'")
    assert bench.attached("y", "B") == [
        ("session", EndReady(side="out", name="-o", errors=("there is no module 'a'",)))
    ]
    assert bench.ready == [False]


def test_who_comes_while_all_are_held_is_held() -> None:
    bench = Bench()
    bench.attached("x", "A")
    bench.attached("y", "B")
    bench.all.hold(True)
    assert bench.port.take() == [("A", HoldWire(wire="x")), ("B", HoldWire(wire="y"))]
    bench.all.hold(True)
    assert bench.port.take() == []
    assert bench.attached("x") == [], "it has been removed"
    assert bench.attached("x", "A2") == [("A2", HoldWire(wire="x"))]
    bench.all.hold(False)
    assert sorted(bench.port.take(), key=lambda one: one[0]) == [
        ("A2", ReleaseWire(wire="x")),
        ("B", ReleaseWire(wire="y")),
    ]


def test_the_flow_is_told_when_it_is_idle() -> None:
    bench = Bench("in")
    bench.attached("x", "A")
    bench.attached("y", "B")
    bench.all.say_if_idle()
    assert bench.port.take() == [], "nobody wants to know"
    bench.activity.watched, bench.activity.pending = True, 1
    bench.all.say_if_idle()
    assert bench.port.take() == []
    bench.activity.pending = 0
    bench.all.say_if_idle()
    assert bench.port.take() == [("runner", FlowIdle(flow="f"))]
