"""A runner that has half of a flow: what it makes, starts, shows and updates is that half."""

from __future__ import annotations

from typing import Any

import pytest

from actors.definition.model import Flow
from actors.definition.share import Share
from actors.messages import client_to_runner as api
from actors.messages.runner_to_client import Reply
from actors.preparation.premises import Premises
from tests.harness import Harness

HERE = frozenset({"a", "b", "new"})
ECHO = "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return m\n"
WIRES = ["a -> b", "b -> c", {"from": "c", "to": "a.back"}, "c -> d"]


@pytest.fixture
def half(runner: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """`a` and `b` are here."""
    monkeypatch.setattr(Premises, "share_of", lambda _self, flow: Share(flow, HERE))
    return runner


def flow(texts: str = "", **more: dict[str, Any]) -> dict[str, Any]:
    """`texts`: modules that are not as they were at first."""
    modules = {
        name: {"runtime": "python3", "code": ECHO + ("# 2\n" if name in texts else ""), "ports": {"in": ["in", "back"]}}
        for name in "abcd"
    }
    return {"id": "f", "modules": modules | more, "wires": WIRES}


def did(reply: Reply) -> dict[str, str]:
    """By module; one that is carried (where the new code loads slowly) is what it was, too."""
    return {n: "untouched" if m["did"] == "carried" else m["did"] for n, m in reply.receipt["modules"].items()}


def test_only_what_is_here_is_started(half: Harness) -> None:
    half.ok(api.AddOrUpdateFlow, flow=flow())
    out = half.collect("f", "b")
    half.start("f")
    record = half.record("f")
    assert set(record.modules) == {"a", "b"}
    assert isinstance(record.flow, Flow)
    assert list(record.flow.modules) == ["a", "b", "c", "d"]
    half.send("f/a", 1, 2)
    half.wait(lambda: out.got == [1, 2])
    half.wait_idle("f")
    state = half.state("f")
    assert set(state["modules"]) == {"a", "b"}
    assert [host["modules"] for host in state["hosts"].values()] == [["a", "b"]]
    assert set(half.ok(api.Audit)) == {"f/a", "f/b"}
    assert "c.out->a.back" in half.module("f", "a").state.mailbox.wires, "what is elsewhere can send to it"
    assert half.actor(half.record("f").modules["a"]).wires.feeders == {}, "nobody here sends on it"
    refused = half.call(api.SendMessage, flow_module_id="f/c", message=1)
    assert not refused.ok


def test_the_debugger_stops_what_is_here(half: Harness) -> None:
    half.ok(api.AddOrUpdateFlow, flow=flow())
    half.start("f")
    half.ok(api.PauseFlow, flow_id="f")
    half.send("f/a", 1)
    assert set(half.ok(api.SingleStepFlow, flow_id="f")) == {"f/a"}
    assert set(half.ok(api.SingleStepFlow, flow_id="f")) == {"f/b"}
    assert half.ok(api.SingleStepFlow, flow_id="f") == {}
    half.ok(api.ResumeFlow, flow_id="f")


def test_an_update_does_what_is_here(half: Harness) -> None:
    half.ok(api.AddOrUpdateFlow, flow=flow())
    half.start("f")
    half.send("f/a", 1)
    half.wait_idle("f")
    elsewhere = half.call(api.AddOrUpdateFlow, flow=flow("cd"))
    assert elsewhere.ok
    assert did(elsewhere) == {"a": "untouched", "b": "untouched"}
    both = half.call(api.AddOrUpdateFlow, flow=flow("bcd"))
    assert did(both) == {"a": "untouched", "b": "replaced"}
    comes = half.call(
        api.AddOrUpdateFlow,
        flow=flow("bcd", new={"runtime": "python3", "code": ECHO}, far={"runtime": "python3", "code": ECHO}),
    )
    assert did(comes) == {"a": "untouched", "b": "untouched", "new": "added"}
    half.send("f/a", 2)
    half.send("f/new", 1)
    half.wait_idle("f")
    assert half.ok(api.FlowState, flow_id="f")["modules"]["b"]["accepted"] == 2
    assert half.module("f", "b").state.context == {b"n": b"2"}
    back = half.call(api.RollbackFlow, flow_id="f", version=1)
    assert did(back) == {"a": "untouched", "b": "replaced", "new": "removed"}


def test_two_ends_here_of_a_way_that_leads_through_elsewhere(half: Harness) -> None:
    """The modules in between have no actors here."""
    half.ok(api.AddOrUpdateFlow, flow=flow())
    half.start("f")
    half.send("f/a", *range(20))
    reply = half.call(api.AddOrUpdateFlow, flow=flow("ab"))
    assert reply.ok, reply.error
    assert did(reply) == {"a": "replaced", "b": "replaced"}
    half.wait_idle("f")
    assert half.module("f", "b").state.context == {b"n": b"20"}


def test_what_another_machine_lacks_is_no_matter_here(half: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    away = flow() | {"modules": flow()["modules"] | {"d": {"runtime": "node", "code": "(m) => m"}}}
    half.ok(api.AddOrUpdateFlow, flow=away)
    assert half.ok(api.ListFlowsForRuntime, runtime_id="node") == []
    assert len(half.ok(api.ListFlowsForRuntime, runtime_id="python3")) == 1
    here = flow() | {"modules": flow()["modules"] | {"b": {"runtime": "node", "code": "(m) => m"}}}
    refused = half.call(api.AddOrUpdateFlow, flow=here)
    assert not refused.ok
    assert "modules.b: " in refused.error


def test_what_is_fed_from_outside(half: Harness) -> None:
    """A module that only another runner feeds is no source that gets no messages."""
    half.ok(api.AddOrUpdateFlow, flow={**flow(), "wires": ["c -> a"]})
    record = half.record("f")
    record.sources.add("a")
    assert not record.feeds_itself("a")
    record.sources.add("b")
    assert record.feeds_itself("b")
