"""kill -9 of a host at every phase of an update, one by one: wholly old or wholly new, nothing lost or repeated."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.runner import RunnerActor
from tests.harness import Harness, need
from tests.updates.feeder import feed

PHASES = ("trying", "loading", "draining", "migrating", "stopping", "handing", "starting", "finishing")
LAST = 600

PYTHON = """
def start(context):
    context.set("started", context.get("started", 0) + 1)


def stop(context):
    context.set("stopped", context.get("stopped", 0) + 1)


def migrate(context, from_version):
    context.set("migrated", context.get("migrated", 0) + 1)


def run(message, context):
    count = context.get("n", 0) + 1
    context.set("n", count)
    return [VERSION, message["n"], count]
"""
NODE = """
exports.start = (c) => c.set('started', c.get('started', 0) + 1)
exports.stop = (c) => c.set('stopped', c.get('stopped', 0) + 1)
exports.migrate = (c) => c.set('migrated', c.get('migrated', 0) + 1)
module.exports = Object.assign((message, context) => {
  const count = context.get('n', 0) + 1
  context.set('n', count)
  return [VERSION, message.n, count]
}, exports)
"""
UPDATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "python3": ({"runtime": "python3"}, {"runtime": "python3"}),
    "node": ({"runtime": "node"}, {"runtime": "node"}),
    "language": ({"runtime": "python3"}, {"runtime": "node"}),
    "new host": ({"runtime": "python3"}, {"runtime": "python3", "isolated": True}),
}


def flow(version: int, module: dict[str, Any]) -> dict[str, Any]:
    code = (PYTHON if module["runtime"] == "python3" else NODE).replace("VERSION", str(version))
    modules = {
        "before": {"runtime": "python3", "code": "def run(m, c):\n    return m\n"},
        "m": {**module, "code": code, "state_version": version},
        "after": {"runtime": "python3", "code": "def run(m, c):\n    return m\n"},
    }
    return {"id": "f", "modules": modules, "wires": ["before -> m", "m -> after"]}


def hosts(runner: Harness) -> dict[str, set[int]]:
    """The processes of the old and of the new version's hosts, and of trials, as far as they are known now."""
    pids: dict[str, set[int]] = {"old": set(), "new": set(), "trial": set()}
    module = runner.record("f").modules["m"]
    for ref in runner.base.actorRegistry.values():
        actor = getattr(ref, "_inst", None)
        host = getattr(actor, "host", None)
        if host is None:
            continue
        if not hasattr(actor, "members"):
            pids["trial"].add(host.pid)
        elif any(member == module for member in actor.members.values()):
            pids["old"].add(host.pid)
        elif "m" in actor.names.values():
            pids["new"].add(host.pid)
    return pids


def killing(phase: str, victim: str, runner: Harness, killed: list[int]) -> Callable[..., None]:
    entered = RunnerActor.enter_phase

    def enter(self: RunnerActor, record: Any, now: str) -> None:
        entered(self, record, now)
        if now == phase and not killed:
            pids = hosts(runner)
            for pid in set().union(*pids.values()) if victim == "all" else pids[victim]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    return enter


def alive(phase: str, victim: str, kind: str) -> bool:
    """Whether there is such a host when the phase begins: a new one only if the module moves, and once it is loaded."""
    if victim == "trial":
        return phase != "trying"
    return victim != "new" or (kind in ("language", "new host") and phase not in ("trying", "loading"))


CASES = [(p, v, k) for k in UPDATES for v in ("old", "new", "trial", "all") for p in PHASES if alive(p, v, k)]


@pytest.mark.parametrize(("phase", "victim", "kind"), CASES)
def test_a_kill(runner: Harness, monkeypatch: pytest.MonkeyPatch, phase: str, victim: str, kind: str) -> None:
    need("node")
    killed: list[int] = []
    monkeypatch.setattr(RunnerActor, "enter_phase", killing(phase, victim, runner, killed))
    old, new = UPDATES[kind]
    runner.ok(api.AddOrUpdateFlow, flow=flow(1, old))
    out = runner.collect("f", "after")
    feeder = feed(runner, "f", "before", last=LAST, per_s=1_000)
    runner.start("f")
    runner.wait(lambda: len(out.got) > 50, "output")
    reply = runner.call(api.AddOrUpdateFlow, flow=flow(2, new))
    runner.wait_idle("f")
    assert feeder.number == LAST
    assert killed
    context = runner.module("f", "m").state.context
    assert [number for _, number, _ in out.got] == list(range(LAST))
    assert [count for _, _, count in out.got] == list(range(1, LAST + 1))
    assert context[b"n"] == str(LAST).encode()
    versions = [version for version, _, _ in out.got]
    assert versions == sorted(versions)
    if reply.ok:
        assert context[b"migrated"] == b"1"
        assert versions[-1] == 2 or phase == "finishing"
    else:
        assert b"migrated" not in context
        assert set(versions) == {1}
    row = runner.ok(api.Audit)["f/m"]
    assert row["balanced"], row
    assert row["completed"] == LAST


@pytest.mark.parametrize("kind", UPDATES)
def test_every_phase_is_entered(runner: Harness, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Or the tests above would kill nobody."""
    need("node")
    seen: list[str] = []
    monkeypatch.setattr(RunnerActor, "enter_phase", lambda *arguments: seen.append(arguments[-1]))
    old, new = UPDATES[kind]
    runner.ok(api.AddOrUpdateFlow, flow=flow(1, old))
    runner.start("f")
    runner.ok(api.AddOrUpdateFlow, flow=flow(2, new))
    assert tuple(seen) == PHASES
