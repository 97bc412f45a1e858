"""With no breakpoint set, messages pass through no line of the debugger."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from actors.flow import debugger as flow_debug
from actors.messages import client_to_runner as api
from actors.module import held, step, steps
from actors.module.actor import ModuleActor
from actors.state import condition, gate
from actors.state.mailbox import Mailbox
from actors.state.module import ModuleState
from tests.harness import Harness, need
from tests.updates.feeder import feed

DEBUGGER = {str(Path(str(module.__file__))) for module in (condition, flow_debug, gate, held, step, steps)}
OF_THE_STATE = {  # the debugger's part of the module's state
    method.__code__
    for method in (
        ModuleState._fill_single, ModuleState._choose_pace, ModuleState.set_breakpoint, ModuleState.step,
        ModuleState.release, ModuleState.replace_waiting, Mailbox.waiting, Mailbox.replace_waiting,
    )
}  # fmt: skip
LAST = 5_000
COUNT = "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return m\n"
MODULES = {
    "a": {"runtime": "python3", "code": COUNT},
    "b": {"runtime": "python3", "code": COUNT},
    "c": {"runtime": "node", "code": "(m, c) => { c.set('n', c.get('n', 0) + 1); return m }"},
    "d": {"runtime": "python3", "code": COUNT, "isolated": True},
}


class Profile:
    """Counts calls while it is entered: into the debugger by name, and of the handlers that move messages."""

    def __init__(self) -> None:
        self.debugger: Counter[str] = Counter()
        self.moved: Counter[str] = Counter()

    def _see(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code.co_filename in DEBUGGER or code in OF_THE_STATE:
            self.debugger[code.co_qualname] += 1
        elif code in (ModuleActor.receiveMsg_Deliver.__code__, ModuleActor.receiveMsg_TurnsCommitted.__code__):
            self.moved[code.co_name] += 1

    def __enter__(self) -> Profile:
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_error: object) -> None:
        sys.setprofile(None)


def run(runner: Harness, last: int = LAST) -> Profile:
    """`last` messages through fused and unfused wires."""
    feeder = feed(runner, "f", "a", last=last, per_s=20_000)
    profile = Profile()
    with profile:
        runner.wait(lambda: runner.module("f", "d").state.handled >= feeder.last, "all messages")
    return profile


@pytest.fixture
def flow(runner: Harness) -> Harness:
    need("node")
    runner.add("f", MODULES, ["a -> b", "b -> c", "c -> d"])
    runner.start("f")
    return runner


def test_no_debug_call_per_frame(flow: Harness) -> None:
    profile = run(flow)
    assert flow.bridge("f", "python3").fusing.fused, "no wire was fused"
    assert sum(profile.moved.values()) > 100, profile.moved
    assert profile.debugger == Counter()


def test_none_after_debugging_either(flow: Harness) -> None:
    """What was set and taken away again costs nothing any more."""
    flow.ok(api.SetBreakPointAtModule, flow_module_id="f/b", when="message.n == 3")
    flow.send("f/a", {"n": 3})
    flow.wait(lambda: flow.state("f")["debug"]["pausedBy"])
    flow.ok(api.SingleStepFlow)
    flow.ok(api.RemoveBreakPointAtModule, flow_module_id="f/b")
    flow.ok(api.ResumeFlow, flow_id="f")
    flow.wait(lambda: flow.module("f", "d").state.handled)
    flow.wait(lambda: flow.bridge("f", "python3").fusing.fused, "fused again")
    profile = run(flow)
    assert profile.debugger == Counter()


def test_a_breakpoint_is_seen_by_this_test(flow: Harness) -> None:
    """Or it would count nothing."""
    flow.ok(api.SetBreakPointAtModule, flow_module_id="f/c", when="message.n < 0")
    profile = run(flow, last=200)
    assert profile.debugger["Gate.holds"] >= 200
    assert profile.debugger["Condition.holds"] == 200
