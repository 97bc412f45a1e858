"""Updates of modules that feeds and sinks are attached to: they come, go and come back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

import pytest

from actors.ends.sink import SinkActor
from actors.messages.end_to_session import EndReady, SinkFlushed
from actors.messages.run_to_session import Endpoint
from actors.messages.session_to_end import FlushSink, StartEnd
from actors.system.base import BaseActor
from tests.harness import Harness

BIG = "def run(m, c):\n    return 'x' * 100_000\n"
SMALL = "def run(m, c):\n    return m\n"


class Owner(BaseActor):
    """What the sink says to its session."""

    def receiveMsg_StartEnd(self, message: StartEnd, _sender: Any) -> None:
        self.came: list[Any] = []
        self.sink = self.createActor(SinkActor)
        self.send(self.sink, message)

    def receiveMsg_FlushSink(self, message: FlushSink, _sender: Any) -> None:
        self.send(self.sink, message)

    def receiveMsg_EndReady(self, message: EndReady, _sender: Any) -> None:
        self.came.append(message)

    def receiveMsg_SinkFlushed(self, message: SinkFlushed, _sender: Any) -> None:
        self.came.append(message)


def module(code: str) -> dict[str, Any]:
    return {"runtime": "python3", "code": code}


def test_a_sink_outlives_a_module_that_it_holds(runner: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """It is full, and holds both its modules; one is removed, then it is emptied, then the module is back."""
    reading, writing = os.pipe()
    both = {"a": module(SMALL), "b": module(BIG)}
    runner.add("f", both)
    runner.start("f")
    owner = runner.system.createActor(Owner)
    places = {"a.out->-o": ("a", "out"), "b.out->-o": ("b", "out")}
    end = Endpoint(places=places, fd=writing, name="-o")
    start = StartEnd(flow="f", end=end, runner=runner.runner)
    runner.system.tell(owner, start)
    came = runner.wait(lambda: getattr(runner.actor(owner), "came", None))
    assert came == [EndReady(side="out", name="-o", errors=())]
    sink = runner.actor(runner.actor(owner).sink)
    runner.send("f/b", *range(30))
    runner.wait(lambda: sink.neighbours.holding)
    runner.add("f", {"b": module(BIG)})
    assert list(sink.neighbours.modules) == ["b.out->-o"]
    assert "-o: its module has been removed: nothing more comes on a.out->-o" in caplog.text
    drain(reading, lambda: runner.state("f")["modules"]["b"]["completed"] == 30 and not sink.waiting)
    runner.add("f", both)
    assert sorted(sink.neighbours.modules) == sorted(places)
    runner.send("f/b", *range(30))
    runner.wait(lambda: sink.neighbours.holding)
    assert runner.actor(runner.record("f").modules["a"]).wires.blocked == {"a.out->-o"}
    runner.send("f/a", "last")
    assert drain(reading, lambda: runner.state("f")["modules"]["a"]["completed"] == 1 and not sink.waiting)
    runner.system.tell(owner, FlushSink(timeout_s=5))
    runner.wait(lambda: runner.actor(owner).came[1:])
    os.close(reading)
    os.close(writing)


def drain(fd: int, done: Callable[[], bool]) -> int:
    """Read a pipe until it is done; how many lines came."""
    os.set_blocking(fd, False)
    lines = 0
    while not done():
        with contextlib.suppress(BlockingIOError):
            lines += os.read(fd, 1 << 20).count(b"\n")
    return lines
