"""Updates that fail: the version before goes on, as if nothing had been."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.state.module import ModuleState
from tests.harness import Harness, need

COUNT = """
def run(message, context):
    context.set("n", context.get("n", 0) + 1)
    return ["v1", message, context.get("n")]
"""
HOOKS = """
def start(context):
    context.set("started", context.get("started", 0) + 1)


def stop(context):
    context.set("stopped", context.get("stopped", 0) + 1)
"""


def flow(code: str, runtime: str = "python3", version: int = 1, **fields: Any) -> dict[str, Any]:
    modules = {
        "a": {"runtime": runtime, "code": code, "state_version": version},
        "b": {"runtime": "python3", "code": "def run(m, c):\n    return m\n"},
    }
    return {"id": "f", "modules": modules, "wires": ["a -> b"], **fields}


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was paused while the update was tried."""
    seen: list[str] = []
    for name in ("stop", "drain"):
        inner = getattr(ModuleState, name)

        def counted(self: ModuleState, *args: Any, inner: Any = inner, name: str = name, **more: Any) -> None:
            seen.append(name)
            inner(self, *args, **more)

        monkeypatch.setattr(ModuleState, name, counted)
    return seen


BAD = {
    "syntax": ("def run(message, context:\n", "python3", 1, ["f/a cannot be loaded", "a:1", "SyntaxError"]),
    "node syntax": ("module.exports = (m => {\n", "node", 1, ["f/a cannot be loaded", "a:", "SyntaxError"]),
    "import": ("import no_such_thing\n" + COUNT, "python3", 1, ["f/a", "a:1", "no_such_thing"]),
    "require": ("require('no-such-thing')\nmodule.exports = m => m\n", "node", 1, ["f/a", "a:1", "no-such-thing"]),
    "raising migrate": (
        COUNT + "\ndef migrate(context, from_version):\n    raise ValueError('cannot')\n", "python3", 2,
        ["f/a migrate failed", "ValueError: cannot"],
    ),
    "no migrate": (COUNT, "python3", 2, ["f/a", "state_version", "migrate"]),
    "no migrate in node": ("module.exports = m => m\n", "node", 2, ["f/a", "state_version", "migrate"]),
    "death": ("import os\nos._exit(7)\n" + COUNT, "python3", 1, ["f/a", "died while loading it", "exit status 7"]),
    "node death": ("process.reallyExit(7)\nmodule.exports = m => m\n", "node", 1, ["f/a", "died while loading it"]),
    "no handler": ("x = 1\n", "python3", 1, ["f/a cannot be loaded", "neither run nor start"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_loaded_or_migrated_pauses_nothing(runner: Harness, quiet: list[str], kind: str) -> None:
    need("node")
    code, runtime, version, words = BAD[kind]
    runner.ok(api.AddOrUpdateFlow, flow=flow(COUNT))
    out = runner.collect("f", "b")
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: len(out.got) == 1)
    context, receipt = dict(runner.module("f", "a").state.context), runner.record("f").receipt
    quiet.clear()
    for plan in (True, False):
        reply = runner.call(api.AddOrUpdateFlow, flow=flow(code, runtime, version), plan=plan)
        assert not reply.ok
        for word in words:
            assert word in reply.error
    assert quiet == []
    assert runner.module("f", "a").state.context == context
    assert runner.record("f").receipt == receipt
    runner.send("f/a", 2)
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [["v1", 1, 1], ["v1", 2, 2]]


def test_a_start_that_raises_brings_the_version_before_back(runner: Harness) -> None:
    bad = COUNT.replace("v1", "v2") + "\ndef start(context):\n    context.set('n', 99)\n    raise ValueError('no')\n"
    runner.ok(api.AddOrUpdateFlow, flow=flow(COUNT + HOOKS))
    out = runner.collect("f", "b")
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: len(out.got) == 1)
    reply = runner.call(api.AddOrUpdateFlow, flow=flow(bad))
    assert not reply.ok
    assert "f/a start failed" in reply.error
    assert "ValueError: no" in reply.error
    runner.send("f/a", 2)
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [["v1", 1, 1], ["v1", 2, 2]]
    assert runner.module("f", "a").state.context == {b"n": b"2", b"started": b"2", b"stopped": b"1"}


def test_a_start_that_kills_the_host_brings_the_version_before_back(runner: Harness) -> None:
    bad = COUNT.replace("v1", "v2") + "\nimport os\ndef start(context):\n    os._exit(9)\n"
    runner.ok(api.AddOrUpdateFlow, flow=flow(COUNT))
    out = runner.collect("f", "b")
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: len(out.got) == 1)
    reply = runner.call(api.AddOrUpdateFlow, flow=flow(bad))
    assert not reply.ok
    assert "exit status 9" in reply.error
    runner.send("f/a", 2)
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [["v1", 1, 1], ["v1", 2, 2]]


def test_a_migrate_that_fails_only_at_the_switch(runner: Harness, tmp_path: Any) -> None:
    """The rehearsal goes well; nothing was consumed, no hook was called."""
    flag = tmp_path / "flag"
    code = f"""
import os
{COUNT.replace("v1", "v2")}
def migrate(context, from_version):
    if os.path.exists({str(flag)!r}):
        raise ValueError("the second time")
    open({str(flag)!r}, "w").close()
"""
    first, second = flow(COUNT + HOOKS), flow(code, version=2)
    for one in (first, second):
        one["modules"]["a"]["limits"] = {"writable": [str(tmp_path)]}
    runner.ok(api.AddOrUpdateFlow, flow=first)
    out = runner.collect("f", "b")
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: len(out.got) == 1)
    context = dict(runner.module("f", "a").state.context)
    reply = runner.call(api.AddOrUpdateFlow, flow=second)
    assert not reply.ok
    assert "the second time" in reply.error
    assert runner.module("f", "a").state.context == context
    runner.send("f/a", 2)
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [["v1", 1, 1], ["v1", 2, 2]]


STUCK = """
import time
def run(message, context):
    if message == "stuck":
        time.sleep(1000)
    return ["v1", message]
"""


@pytest.mark.parametrize("extra", [False, True])
def test_a_stuck_handler_and_abort(runner: Harness, extra: bool) -> None:
    """Also when the changed module is behind the stuck one, on two ways."""
    fields: dict[str, Any] = {"drain_timeout_s": 0.2, "on_stuck": "abort"}
    first = flow(STUCK, **fields)
    second = flow(STUCK.replace("v1", "v2"), **fields)
    if extra:
        for one in (first, second):
            one["modules"]["a"]["code"] = STUCK
            one["modules"]["a"]["isolated"] = True
            one["modules"]["c"] = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}
            one["wires"] += ["a -> c", "c -> b"]
        second["modules"]["b"]["code"] += "# new\n"
    runner.ok(api.AddOrUpdateFlow, flow=first)
    runner.start("f")
    runner.send("f/a", "stuck", "after")
    runner.wait(lambda: runner.module("f", "a").state.mailbox.window_messages)
    reply = runner.call(api.AddOrUpdateFlow, flow=second)
    assert not reply.ok
    assert "drain_timeout_s 0.2" in reply.error
    assert "f/a" in reply.error
    audit = runner.ok(api.Audit)["f/a"]
    assert (audit["accepted"], audit["queued"], audit["balanced"]) == (2, 2, True)


def test_a_stuck_handler_and_kill(runner: Harness) -> None:
    """Its host is killed, the new version handles the message."""
    fields: dict[str, Any] = {"drain_timeout_s": 0.2, "on_stuck": "kill"}
    runner.ok(api.AddOrUpdateFlow, flow=flow(STUCK, **fields))
    out = runner.collect("f", "b")
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: len(out.got) == 1)  # else it may wait for the commit behind the turn that never ends
    runner.send("f/a", "stuck", 2)
    runner.wait(lambda: runner.module("f", "a").state.mailbox.window_messages)
    reply = runner.call(api.AddOrUpdateFlow, flow=flow("def run(m, c):\n    return ['v2', m]\n", **fields))
    assert reply.ok, reply.error
    runner.wait(lambda: len(out.got) == 3)
    assert out.got == [["v1", 1], ["v2", "stuck"], ["v2", 2]]


def test_a_version_that_cannot_be_started_again_fails_the_flow(runner: Harness) -> None:
    """Both `start` hooks raise: the new version's, then the old one's. Nothing is lost, and nothing pretends to run."""
    code = COUNT + "\ndef start(context):\n    assert context.get('n') is None, 'not twice'\n"
    runner.ok(api.AddOrUpdateFlow, flow=flow(code))
    out = runner.collect("f", "b")
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: len(out.got) == 1)
    reply = runner.call(api.AddOrUpdateFlow, flow=flow(code + "# 2\n"))
    assert not reply.ok
    state = runner.wait(lambda: (now := runner.state("f"))["state"] == "failed" and now)
    assert any("could not be started again" in error for error in state["errors"])
    runner.send("f/a", 2)
    runner.ok(api.AddOrUpdateFlow, flow=flow(COUNT))
    runner.start("f")
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [["v1", 1, 1], ["v1", 2, 2]]


def test_a_version_whose_load_kills_only_the_live_host(runner: Harness, tmp_path: Any) -> None:
    """The trial has shown nothing; the host that works is not killed for ever."""
    flag = tmp_path / "flag"
    bad = f"""
import os
if os.path.exists({str(flag)!r}):
    os._exit(7)
open({str(flag)!r}, "w").close()
{COUNT.replace("v1", "v2")}
"""
    first, second = flow(COUNT), flow(bad)
    for one in (first, second):
        one["modules"]["a"]["limits"] = {"writable": [str(tmp_path)]}
    runner.ok(api.AddOrUpdateFlow, flow=first)
    out = runner.collect("f", "b")
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: len(out.got) == 1)
    reply = runner.call(api.AddOrUpdateFlow, flow=second)
    assert not reply.ok
    assert "died twice while the new versions were loaded" in reply.error
    runner.send("f/a", 2)
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [["v1", 1, 1], ["v1", 2, 2]]
    assert runner.state("f")["hosts"][runner.record("f").places["a"][0]]["starts"] == 3
