"""Breakpoints, pause, single step and held messages, with real hosts."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.state.recall import Link
from tests.harness import Harness, need, on_phase

RUNTIMES = ["python3", "node"]


def echo(runtime: str = "python3") -> dict[str, Any]:
    code = "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return m\n"
    if runtime == "node":
        code = "(m, c) => { c.set('n', c.get('n', 0) + 1); return m }"
    return {"runtime": runtime, "code": code}


def chain(runner: Harness, *runtimes: str, **fields: Any) -> Any:
    """Modules a, b, c ... one behind the other; what leaves the last one."""
    names = "abcdef"[: len(runtimes)]
    modules = {name: echo(runtime) for name, runtime in zip(names, runtimes, strict=True)}
    runner.add("f", modules, [f"{x} -> {y}" for x, y in pairwise(names)], **fields)
    out = runner.collect("f", names[-1])
    runner.start("f")
    return out


def held(runner: Harness) -> list[tuple[str, Any, bool]]:
    return [(h["flowModuleId"], h["message"], h["atBreakpoint"]) for h in runner.ok(api.ListHeld, flow_id="f")]


def paused(runner: Harness) -> str | None:
    by: str | None = runner.state("f")["debug"]["pausedBy"]
    return by


def pending(runner: Harness) -> dict[str, int]:
    return {module: figures["queued"] for module, figures in runner.state("f")["modules"].items()}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("module", ["a", "b"])
def test_a_breakpoint_holds_a_message_before_its_handler(runner: Harness, runtime: str, module: str) -> None:
    """Also over a fused wire."""
    need("node")
    out = chain(runner, runtime, runtime, runtime)
    runner.send("f/a", 0)
    runner.wait(lambda: out.got == [0])
    runner.ok(api.SetBreakPointAtModule, flow_module_id=f"f/{module}")
    runner.send("f/a", 1, 2)
    runner.wait(lambda: paused(runner))
    assert paused(runner) == f"the breakpoint at {module}"
    assert held(runner)[0] == (f"f/{module}", 1, True)
    assert out.got == [0]
    runner.ok(api.ResumeFlow, flow_id="f")
    runner.wait(lambda: out.got == [0, 1])
    runner.wait(lambda: paused(runner))
    assert held(runner)[0] == (f"f/{module}", 2, True)
    runner.ok(api.RemoveBreakPointAtModule, flow_module_id=f"f/{module}")
    assert paused(runner)
    runner.ok(api.ResumeFlow, flow_id="f")
    runner.wait(lambda: out.got == [0, 1, 2])
    runner.send("f/a", 3)
    runner.wait(lambda: out.got == [0, 1, 2, 3])
    bridge = runner.actor(next(iter(runner.record("f").bridges.values())))
    runner.wait(lambda: len(bridge.fusing.fused) == 2, "fused again")


def test_when(runner: Harness) -> None:
    """Over message, headers and context as of that message; what fails is a hit and is shown."""
    out = chain(runner, "python3", "python3")
    refused = runner.call(api.SetBreakPointAtModule, flow_module_id="f/b", when="message. > 3")
    assert not refused.ok
    assert "column 10" in refused.error
    runner.ok(api.SetBreakPointAtModule, flow_module_id="f/b", when="message.v > 40.5 && context.n == 3")
    runner.send("f/a", {"v": 50})
    runner.wait(lambda: paused(runner))
    runner.send("f/a", {"v": 1}, {"v": 41}, {"v": 42})
    assert held(runner)[-1] == ("f/b", {"v": 50}, True)  # no context yet: `when` failed
    assert "n" in runner.ok(api.ListHeld, flow_id="f")[-1]["error"]
    runner.ok(api.ResumeFlow, flow_id="f")
    runner.wait(lambda: paused(runner))
    assert held(runner)[0] == ("f/b", {"v": 42}, True)
    assert out.got == [{"v": 50}, {"v": 1}, {"v": 41}]
    assert "error" not in runner.ok(api.ListHeld, flow_id="f")[0]


def test_log_only(runner: Harness, caplog: pytest.LogCaptureFixture) -> None:
    out = chain(runner, "python3", "python3")
    runner.ok(api.SetBreakPointAtModule, flow_module_id="f/b", when="message == 2", log=True)
    with caplog.at_level("INFO", "runner.debug"):
        runner.send("f/a", 1, 2, 3)
        runner.wait(lambda: out.got == [1, 2, 3])
    assert [r.getMessage() for r in caplog.records if "breakpoint" in r.getMessage()] == ["f/b: breakpoint: 2"]
    assert paused(runner) is None


def test_scope_module(runner: Harness) -> None:
    """Only that module is held; its feeders go on."""
    out = chain(runner, "python3", "python3")
    runner.ok(api.SetBreakPointAtModule, flow_module_id="f/b", scope="module")
    runner.send("f/a", 1, 2, 3)
    runner.wait(lambda: pending(runner) == {"a": 0, "b": 3})
    assert runner.state("f")["debug"]["pausedModules"] == ["b"]
    assert held(runner) == [("f/b", 1, True), ("f/b", 2, False), ("f/b", 3, False)]
    assert not out.got


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_it_survives_the_death_of_the_host_and_an_update(runner: Harness, runtime: str) -> None:
    need("node")
    out = chain(runner, runtime, runtime)
    runner.ok(api.SetBreakPointAtModule, flow_module_id="f/b", when="message > 1")
    runner.send("f/a", 1, 2, 3)
    runner.wait(lambda: paused(runner))
    pid = next(iter(runner.state("f")["hosts"].values()))["pid"]
    os.kill(pid, signal.SIGKILL)
    runner.wait(lambda: [h["pid"] for h in runner.state("f")["hosts"].values()] not in ([pid], [None]))
    runner.wait(lambda: next(iter(runner.state("f")["hosts"].values()))["life"] == "open")
    assert ("f/b", 2, True) in held(runner)
    new = {"runtime": runtime, "code": echo(runtime)["code"].replace("return m", "return -m")}
    reply = runner.call(
        api.AddOrUpdateFlow, flow={"id": "f", "modules": {"a": echo(runtime), "b": new}, "wires": ["a -> b"]}
    )
    assert reply.ok, reply.error
    assert reply.receipt["modules"]["b"]["mixed"] is True
    assert paused(runner)
    assert ("f/b", 2, True) in held(runner)
    assert out.got == [1]
    runner.ok(api.ResumeFlow, flow_id="f")
    runner.wait(lambda: out.got == [1, -2])
    runner.wait(lambda: paused(runner))
    assert ("f/b", 3, True) in held(runner)
    runner.ok(api.RemoveBreakPointAtModule, flow_module_id="f/b")
    runner.ok(api.ResumeFlow, flow_id="f")
    runner.wait(lambda: out.got == [1, -2, -3])


def test_a_pause_without_calls_ends_by_itself(runner: Harness) -> None:
    out = chain(runner, "python3")
    runner.ok(api.PauseFlow, flow_id="f", timeout_s=0.2)
    runner.send("f/a", 1)
    runner.wait(lambda: out.got == [1])
    assert "without a call: it goes on" in runner.state("f")["debug"]["resumedByItself"]
    assert paused(runner) is None


def test_held_messages_can_be_changed(runner: Harness) -> None:
    out = chain(runner, "python3", "node")
    need("node")
    runner.ok(api.PauseFlow, flow_id="f")
    runner.send("f/a", 1, 2, 3, 4)
    ids = [h["id"] for h in runner.ok(api.ListHeld, flow_id="f")]
    assert ids == [f"f/a/api->a.in#{n}" for n in range(4)]
    runner.ok(api.EditHeld, id=ids[1], message={"two": 2})
    runner.ok(api.DropHeld, id=ids[2])
    refused = runner.call(api.ReleaseHeld, id=ids[3])
    assert not refused.ok
    assert "order first" in refused.error
    runner.ok(api.ReleaseHeld, id=ids[0])
    runner.wait(lambda: held(runner)[-1][0] == "f/b")
    assert held(runner) == [("f/a", {"two": 2}, False), ("f/a", 4, False), ("f/b", 1, False)]
    for bad in ("f/a/x#1", "nonsense", "f/z/api->z.in#0", "f/a/api->a.in#77"):
        assert not runner.call(api.DropHeld, id=bad).ok
    runner.ok(api.ResumeFlow, flow_id="f")
    runner.wait(lambda: out.got == [1, {"two": 2}, 4])
    assert not runner.call(api.DropHeld, id=ids[0]).ok
    row = runner.ok(api.Audit)["f/a"]
    assert (row["accepted"], row["completed"], row["dropped"], row["balanced"]) == (4, 3, 1, True)
    runner.wait_idle("f")


def test_a_wave(runner: Harness) -> None:
    """Every module with a message takes its oldest one; outputs wait for the next wave; fused wires are seen."""
    need("node")
    out = chain(runner, "python3", "python3", "node")
    refused = runner.call(api.SingleStepFlow, flow_id="f")
    assert not refused.ok
    assert "not paused" in refused.error
    runner.ok(api.PauseFlow, flow_id="f")
    assert runner.ok(api.SingleStepFlow) == {}
    runner.send("f/a", "x", "y")
    first = runner.ok(api.SingleStepFlow)
    assert first.keys() == {"f/a"}
    a = first["f/a"]
    assert a["inputStates"] == [
        {"port": "in", "messageId": "api->a.in#0", "message": "x", "headers": None, "context": {}, "pending": 2}
    ]
    assert a["outputStates"] == [{"port": "out", "message": "x", "headers": a["outputStates"][0]["headers"]}]
    assert (a["context"], a["pending"], a["errors"]) == ({"n": 1}, 1, [])
    assert a["version"].startswith("python3@")
    assert pending(runner) == {"a": 1, "b": 1, "c": 0}
    assert runner.ok(api.SingleStepFlow).keys() == {"f/a", "f/b"}
    assert pending(runner) == {"a": 0, "b": 1, "c": 1}
    assert runner.ok(api.SingleStepFlow, flow_id="f").keys() == {"f/b", "f/c"}
    assert out.got == ["x"]
    runner.ok(api.ResumeFlow, flow_id="f")
    runner.wait(lambda: out.got == ["x", "y"])


def test_a_wave_pulls_each_source_once(runner: Harness) -> None:
    need("node")
    modules = {
        "s": {"runtime": "python3", "code": "def start(c):\n    for n in range(10**9):\n        yield n\n"},
        "t": {"runtime": "node", "code": "export function * start () { for (let n = 0; ; n++) yield n }"},
        "a": echo(),
    }
    runner.add("f", modules, ["s -> a", "t -> a"])
    runner.start("f")
    out = runner.collect("f", "a")
    runner.wait(lambda: len(out.got) > 10)
    runner.ok(api.PauseFlow, flow_id="f")
    for _ in range(3):
        before = pending(runner)["a"]
        wave = runner.ok(api.SingleStepFlow)
        assert wave["f/s"]["inputStates"] == []
        assert len(wave["f/s"]["outputStates"]) == len(wave["f/t"]["outputStates"]) == 1
        assert pending(runner)["a"] == before - ("f/a" in wave) + 2


def test_errors_and_retries_in_a_wave(runner: Harness) -> None:
    bad = "def run(m, c):\n    raise ValueError(m)\n"
    modules = {
        "a": {"runtime": "python3", "code": bad, "retry": {"times": 1, "backoff_s": 1000}},
        "b": {"runtime": "python3", "code": bad},
        "e": echo(),
    }
    runner.add("f", modules, ["a.error -> e"])
    runner.start("f")
    runner.ok(api.PauseFlow, flow_id="f")
    runner.send("f/a", "x")
    runner.send("f/b", "y")
    first = runner.ok(api.SingleStepFlow)
    assert [e["type"] for e in first["f/a"]["errors"] + first["f/b"]["errors"]] == ["ValueError"] * 2
    assert pending(runner) == {"a": 1, "b": 0, "e": 0}
    assert [letter["message"] for letter in runner.ok(api.DeadLetters, flow_id="f")] == ["y"]
    assert "retry" in runner.state("f")["modules"]["a"]["stops"]
    second = runner.ok(api.SingleStepFlow)
    assert second.keys() == {"f/a"}
    assert [(o["port"], o["message"]["message"]) for o in second["f/a"]["outputStates"]] == [("error", "x")]
    assert pending(runner) == {"a": 0, "b": 0, "e": 1}
    assert runner.ok(api.SingleStepFlow)["f/e"]["inputStates"][0]["message"]["message"] == "x"


def test_a_step_that_takes_long(runner: Harness) -> None:
    slow = "import time\ndef run(m, c):\n    time.sleep(2)\n    return m\n"
    runner.add("f", {"a": {"runtime": "python3", "code": slow}, "b": echo()}, ["a -> b"], step_timeout_s=0.2)
    runner.start("f")
    runner.ok(api.PauseFlow, flow_id="f")
    runner.send("f/a", 1)
    assert runner.ok(api.SingleStepFlow)["f/a"]["running"] is True
    runner.wait(lambda: pending(runner) == {"a": 0, "b": 1})
    assert runner.ok(api.SingleStepFlow).keys() == {"f/b"}


def test_a_source_whose_host_is_starting_is_pulled(runner: Harness) -> None:
    """A wave waits for it: {} would say that nothing is pending."""
    source = {"runtime": "python3", "code": "def start(c):\n    for n in range(10**9):\n        yield n\n"}
    runner.add("f", {"s": source, "a": echo()}, ["s -> a"])
    runner.start("f")
    runner.ok(api.PauseFlow, flow_id="f")
    os.kill(next(iter(runner.state("f")["hosts"].values()))["pid"], signal.SIGKILL)
    runner.wait(lambda: runner.module("f", "s").state.recall.link is Link.ABSENT)
    assert len(runner.ok(api.SingleStepFlow)["f/s"]["outputStates"]) == 1


def test_a_release_during_an_update(runner: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the end of the update, and is not forgotten."""
    chain(runner, "python3")
    runner.ok(api.PauseFlow, flow_id="f")
    runner.send("f/a", 1, 2)
    asked: list[str] = []

    def entered(_record: Any, phase: str) -> None:
        if phase == "stopping":
            asked.append(runner.post(api.ReleaseHeld, id="f/a/api->a.in#0"))

    on_phase(monkeypatch, entered)
    runner.add("f", {"a": {**echo(), "code": echo()["code"] + "# new\n"}})
    assert runner.reply(asked[0]).ok
    runner.wait(lambda: pending(runner) == {"a": 1})
    assert paused(runner)


def test_stepping_ends_a_drain_that_was_to_fuse(runner: Harness) -> None:
    """A module that was running dry on the wire, so that it could be fused, takes from its other wires again."""
    chain(runner, "python3", "python3")
    runner.ok(api.SetBreakPointAtModule, flow_module_id="f/b", scope="module")
    runner.send("f/a", 1, 2)
    runner.wait(lambda: pending(runner) == {"a": 0, "b": 2})
    runner.wait(lambda: paused(runner))
    runner.ok(api.RemoveBreakPointAtModule, flow_module_id="f/b")
    runner.wait(lambda: runner.module("f", "b").state.mailbox.dry)
    runner.send("f/b", 3)
    runner.ok(api.PauseFlow, flow_id="f")
    taken = []
    while wave := runner.ok(api.SingleStepFlow, flow_id="f"):
        taken += [state["message"] for state in wave["f/b"]["inputStates"]]
    assert taken == [1, 2, 3]
