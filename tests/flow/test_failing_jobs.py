"""Whatever raises, wherever: every call is answered, the flow can be stopped and removed, and the runner ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors.ends.tap import TapActor
from actors.flow.debugger import Debugger
from actors.flow.hosts import Hosts
from actors.flow.jobs import FlowJobs
from actors.flow.life import Life
from actors.flow.taps import Taps
from actors.flow.update.switch import Switch
from actors.flow.update.trials import Trials
from actors.flow.update.update import Update
from actors.flow.updates import Updates
from actors.host.bridge import BridgeActor
from actors.host.fusing import Fusing
from actors.host.probation import Probation
from actors.host.service import Service
from actors.host.trial import TrialActor
from actors.messages import client_to_runner as api
from actors.messages.owner_to_runner import ShutDown
from actors.module.actor import ModuleActor
from actors.module.figures import Figures
from actors.module.held import Held
from actors.module.host_side import HostSide
from actors.module.source import Source
from actors.module.steps import Steps
from actors.module.succession import Succession
from actors.module.wires import Wires
from actors.system.base import BaseActor
from tests.harness import Harness, patch_handler

COUNT = """
def start(context):
    context.set("starts", context.get("starts", 0) + 1)


def stop(context):
    context.set("stops", context.get("stops", 0) + 1)


def migrate(context, from_version):
    context.set("migrated", from_version)


def run(message, context):
    context.set("n", context.get("n", 0) + 1)
    return [message, context.get("n")]
"""


def flow(version: int, patience_s: float) -> dict[str, Any]:
    module = {"runtime": "python3", "code": COUNT, "state_version": version}
    other = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}
    modules = {"a": module, "b": other} | ({"extra": other} if version % 2 else {})
    limits = {"drain_timeout_s": patience_s, "step_timeout_s": patience_s}
    return {"id": "f", "modules": modules, "wires": ["a -> b"], **limits}


def raising_once(monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> Callable[[], bool]:
    """Its next call raises. Whether that has happened."""
    inner = getattr(kind, name)
    happened: list[str] = []

    def raises(self: Any, *arguments: Any, **more: Any) -> Any:
        if not happened:
            happened.append(name)
            raise RuntimeError(f"{name} raises")
        return inner(self, *arguments, **more)

    if issubclass(kind, BaseActor):
        patch_handler(monkeypatch, kind, name, raises)
    else:
        monkeypatch.setattr(kind, name, raises)
    return lambda: bool(happened)


def story(runner: Harness, patience_s: float = 1.0) -> list[bool]:
    """Every call that is a job, some in each other's way; whether each succeeded. All are answered."""
    calls: list[tuple[type, dict[str, Any]]] = [
        (api.AddOrUpdateFlow, {"flow": flow(1, patience_s)}),
        (api.StartFlow, {"flow_id": "f"}),
        (api.SendMessage, {"flow_module_id": "f/a", "message": 1}),
        (api.TapPort, {"flow_module_id": "f/a"}),
        (api.SetBreakPointAtModule, {"flow_module_id": "f/b"}),
        (api.PauseFlow, {"flow_id": "f"}),
        (api.SendMessage, {"flow_module_id": "f/a", "message": 2}),
        (api.ListHeld, {"flow_id": "f"}),
        (api.SingleStepFlow, {"flow_id": "f"}),
        (api.RemoveBreakPointAtModule, {"flow_module_id": "f/b"}),
        (api.ResumeFlow, {"flow_id": "f"}),
        (api.AddOrUpdateFlow, {"flow": flow(2, patience_s)}),
        (api.RollbackFlow, {"flow_id": "f"}),
        (api.StopFlow, {"flow_id": "f"}),
        (api.AddOrUpdateFlow, {"flow": flow(3, patience_s)}),
        (api.StartFlow, {"flow_id": "f"}),
        (api.FlowState, {"flow_id": "f"}),
        (api.RemoveFlow, {"flow_id": "f"}),
    ]  # fmt: skip
    replies = []
    for kind, fields in calls:
        replies.append(runner.call(kind, **fields))
        if kind is api.TapPort and replies[-1].ok:
            runner.call(api.EndTap, tap_id=replies[-1].value)
    assert all(reply.ok or reply.error for reply in replies)
    return [reply.ok for reply in replies]


def ends(runner: Harness) -> None:
    """The flow can go, whatever it is; another one works; the runner ends."""
    for _ in range(2):
        if not runner.call(api.RemoveFlow, flow_id="f").ok:  # it was what raised
            continue
    assert "f" not in [flow["id"] for flow in runner.ok(api.ListFlows)]
    runner.add("g", {"a": {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}})
    out = runner.collect("g", "a")
    runner.start("g")
    runner.send("g/a", 1)
    runner.wait(lambda: out.got == [1])
    assert runner.call(ShutDown).ok
    runner.base.failures = runner.base.dead_messages = 0


JOBS: dict[type, tuple[str, ...]] = {
    Life: ("starting", "_opening", "stopping", "removing", "take_states", "rebuild"),
    FlowJobs: ("quiet",),
    Hosts: ("stop",),
    Updates: ("updating",),
    Update: ("try_", "load", "quiesce", "_redefine"),
    Switch: ("run", "_retire", "_hand_over", "_serve", "clear"),
    Trials: ("end",),
    Debugger: ("_pausing", "_resuming", "_setting", "_stepping", "_listing", "_bar"),
    Taps: ("_tapping", "_untapping"),
}


def test_the_story_without_a_fault(runner: Harness) -> None:
    assert all(story(runner, 60.0))
    ends(runner)


@pytest.mark.parametrize(
    ("part", "name"), [pytest.param(part, name, id=name) for part, names in JOBS.items() for name in names]
)
def test_a_job_raises(runner: Harness, monkeypatch: pytest.MonkeyPatch, part: type, name: str) -> None:
    happened = raising_once(monkeypatch, part, name)
    story(runner)
    assert happened()
    ends(runner)


MOST = {
    "ConfigureModule", "HostUp", "TurnsCommitted", "StopModule", "HandOver", "DescribeHeld", "TakeStep", "StartHost",
    "ServeModules", "RetireModules", "StopHost", "RunTrial", "EndTrial", "StartTap",
}  # fmt: skip


def handlers(*kinds: type) -> list[Any]:
    """All but two; by default only those of which the others are much the same."""
    names = [(kind, name.removeprefix("receiveMsg_")) for kind in kinds for name in dir(kind) if "receiveMsg_" in name]
    return [
        pytest.param(kind, name, id=f"{kind.__name__} {name}", marks=[] if name in MOST else pytest.mark.full)
        for kind, name in names if name not in ("ActorFailed", "ActorExitRequest")
    ]  # fmt: skip


OF_MODULES = (ModuleActor, Wires, Source, HostSide, Steps, Held, Succession, Figures)
OF_HOSTS = (BridgeActor, Service, Probation, Fusing, TrialActor)


@pytest.mark.parametrize(("kind", "name"), handlers(*OF_MODULES, *OF_HOSTS, TapActor))
def test_an_actor_raises(runner: Harness, monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> None:
    raising_once(monkeypatch, kind, f"receiveMsg_{name}")
    story(runner)
    ends(runner)
