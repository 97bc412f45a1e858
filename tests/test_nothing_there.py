"""What removes, ends or releases something that is not there is refused: no success that was none."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import client_to_runner as api
from tests.harness import Harness

HELD = "f/a/api->a.in#9"
PASS = "def run(message, context): return message"


@pytest.fixture
def flow(runner: Harness) -> Harness:
    """`f`, paused, with a breakpoint at b and one message held at a."""
    runner.add("f", {name: {"runtime": "python3", "code": PASS} for name in "ab"}, ["a -> b"])
    runner.start("f")
    runner.ok(api.SetBreakPointAtModule, flow_module_id="f/b")
    runner.ok(api.PauseFlow, flow_id="f")
    runner.send("f/a", 1)
    return runner


CALLS: list[tuple[type, dict[str, Any], str]] = [
    (api.RemoveBreakPointAtModule, {"flow_module_id": "f/a"}, "f/a has no breakpoint; there is one at b"),
    (api.DropHeld, {"id": HELD}, f"there is no held message {HELD}"),
    (api.ReleaseHeld, {"id": HELD}, f"there is no held message {HELD}"),
    (api.EditHeld, {"id": HELD, "message": 1}, f"there is no held message {HELD}"),
    (api.ReplayDeadLetter, {"id": "f/1"}, "there is no dead letter 'f/1' that could be replayed"),
    (api.EndTap, {"tap_id": "f/a.out->tap 1"}, "there is no tap 'f/a.out->tap 1', or it has ended"),
    (api.EndTap, {"tap_id": "g/a.out->tap 1"}, "there is no tap 'g/a.out->tap 1', or it has ended"),
    (api.ReadTap, {"tap_id": "f/a.out->tap 1"}, "there is no tap 'f/a.out->tap 1', or it has ended"),
    (api.CancelDependencies, {"runtime_id": "python3", "dependencies": ["six"]}, "is not being installed"),
    (api.RemoveDependencies, {"runtime_id": "python3", "environment_id": "e"}, "python3 has no environment 'e'"),
    (api.RollbackFlow, {"flow_id": "f"}, "there is no earlier version to go back to"),
    (api.RemoveFlow, {"flow_id": "g"}, "there is no flow 'g'"),
    (api.StopFlow, {"flow_id": "g"}, "there is no flow 'g'"),
    (api.ResumeFlow, {"flow_id": "g"}, "there is no flow 'g'"),
]


@pytest.mark.parametrize(("kind", "fields", "says"), CALLS, ids=lambda value: getattr(value, "__name__", None))
def test_what_is_not_there_is_refused(flow: Harness, kind: type, fields: dict[str, Any], says: str) -> None:
    before = flow.ok(api.ListHeld, flow_id="f"), flow.state("f")["debug"]
    reply = flow.call(kind, **fields)
    assert not reply.ok and says in reply.error, reply
    assert (flow.ok(api.ListHeld, flow_id="f"), flow.state("f")["debug"]) == before


def test_the_second_time_there_is_nothing(flow: Harness) -> None:
    """Each of these once, and it is gone."""
    tap = flow.ok(api.TapPort, flow_module_id="f/a", port="out")
    once: list[tuple[type, dict[str, Any]]] = [
        (api.RemoveBreakPointAtModule, {"flow_module_id": "f/b"}),
        (api.DropHeld, {"id": flow.ok(api.ListHeld, flow_id="f")[0]["id"]}),
        (api.EndTap, {"tap_id": tap}),
    ]
    for kind, fields in once:
        assert flow.call(kind, **fields).ok
        assert not flow.call(kind, **fields).ok, kind


def test_a_stopped_flow_is_not_stepped(flow: Harness) -> None:
    """It is paused, too; but that is not what keeps it from being stepped."""
    flow.ok(api.StopFlow, flow_id="f")
    assert flow.call(api.SingleStepFlow, flow_id="f").error == "f is stopped: startFlow comes first"
