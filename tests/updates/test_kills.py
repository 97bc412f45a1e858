"""kill -9 of a host at every phase of an update, one by one: wholly old or wholly new, nothing lost or repeated."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from thespian.actors import ActorAddress

from actors.host.link import Link
from actors.host.process import HostProcess
from actors.messages import client_to_runner as api
from runtimes.frames import Frame, Kind
from tests.harness import Harness, need, on_phase
from tests.updates.feeder import feed

PHASES = ("trying", "loading", "draining", "migrating", "stopping", "handing", "starting", "finishing")

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


def hosts(runner: Harness, old: ActorAddress) -> dict[str, set[int]]:
    """The processes of the old and of the new version's hosts, and of trials; a host that has both is the old one's."""
    pids: dict[str, set[int]] = {"old": set(), "new": set(), "trial": set()}
    for ref in runner.base.actorRegistry.values():
        actor = getattr(ref, "_inst", None)
        host = getattr(actor, "host", None)
        if host is None:
            continue
        if not hasattr(actor, "members"):
            pids["trial"].add(host.pid)
        elif old in actor.members.actors.values():
            pids["old"].add(host.pid)
        elif "m" in actor.members.names.values():
            pids["new"].add(host.pid)
    return pids


class Killer:
    """Kills a victim once in a phase: when the phase `begins`, or when the runner has written a kind of frame to it."""

    def __init__(self, runner: Harness, phase: str, victim: str, moment: str) -> None:
        self.runner, self.phase, self.victim, self.moment = runner, phase, victim, moment
        self.now = ""
        self.old: Any = None  # the actor of the version before
        self.killed: list[int] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Killer:
        process = HostProcess.__init__
        write = Link.write

        def entered(record: Any, now: str) -> None:
            self.now = now
            self.old = self.old or record.modules["m"]
            if self.moment == "begins":
                self.kill(hosts(self.runner, self.old))

        def written(link: Link, frames: list[Frame]) -> None:
            write(link, frames)
            if any(Kind(frame.kind).name == self.moment for frame in frames) and link.process is not None:
                pids = hosts(self.runner, self.old)
                self.kill({who: pids[who] & {link.process.pid} for who in pids})

        def started(host: HostProcess, *arguments: Any) -> None:
            process(host, *arguments)
            if self.moment == "starts":
                self.kill({self.victim: {host.pid}})  # a trial while trying, the new version's host while loading

        on_phase(monkeypatch, entered)
        monkeypatch.setattr(Link, "write", written)
        monkeypatch.setattr(HostProcess, "__init__", started)
        return self

    def kill(self, pids: dict[str, set[int]]) -> None:
        if self.now == self.phase and not self.killed:
            for pid in set().union(*pids.values()) if self.victim == "all" else pids[self.victim]:
                os.kill(pid, signal.SIGKILL)
                self.killed.append(pid)


MOVES = ("language", "new host")  # updates whose module gets another host


def alive(phase: str, victim: str, kind: str) -> bool:
    """Whether there is such a host when the phase begins: a new one only if the module moves, and once it is loaded."""
    if victim == "trial":
        return phase != "trying"
    return victim != "new" or (kind in MOVES and phase not in ("trying", "loading"))


def asked(kind: str) -> list[tuple[str, str, str]]:
    """What the runner asks of whom in the midst of which phase."""
    trial = [("trying", "trial", moment) for moment in ("starts", "LOAD", "CALL")] + [("migrating", "trial", "CALL")]
    old = [("draining", "old", "PAUSE"), ("stopping", "old", "CALL")]
    if kind in MOVES:
        new = [("loading", "new", moment) for moment in ("starts", "LOAD")]
        return trial + old + [*new, ("starting", "new", "WIRES"), ("starting", "new", "CALL")]
    last = [("starting", "old", moment) for moment in ("WIRES", "CALL")]
    return trial + old + [("loading", "old", "LOAD"), *last, ("finishing", "old", "UNLOAD")]


VICTIMS = ("old", "new", "trial", "all")
CASES = [(p, v, "begins", k) for k in UPDATES for v in VICTIMS for p in PHASES if alive(p, v, k)]
CASES += [(*case, k) for k in UPDATES for case in asked(k)]


@pytest.mark.parametrize(("phase", "victim", "moment", "kind"), CASES)
def test_a_kill(
    runner: Harness, monkeypatch: pytest.MonkeyPatch, phase: str, victim: str, moment: str, kind: str
) -> None:  # fmt: skip
    need("node")
    killer = Killer(runner, phase, victim, moment).install(monkeypatch)
    old, new = UPDATES[kind]
    runner.ok(api.AddOrUpdateFlow, flow=flow(1, old))
    out = runner.collect("f", "after")
    feeder = feed(runner, "f", "before", last=1 << 60, per_s=1_000)
    runner.start("f")
    runner.wait(lambda: len(out.got) > 50, "output")
    reply = runner.call(api.AddOrUpdateFlow, flow=flow(2, new))
    feeder.last = last = feeder.number + 100
    runner.wait_idle("f")
    assert killer.killed
    context = runner.module("f", "m").state.context
    assert [number for _, number, _ in out.got] == list(range(last))
    assert [count for _, _, count in out.got] == list(range(1, last + 1))
    assert context[b"n"] == str(last).encode()
    versions = [version for version, _, _ in out.got]
    assert versions == sorted(versions)
    if reply.ok:
        assert context[b"migrated"] == b"1"
        assert versions[-1] == 2
    else:
        assert b"migrated" not in context
        assert set(versions) == {1}
    row = runner.ok(api.Audit)["f/m"]
    assert row["balanced"], row
    assert row["completed"] == last


@pytest.mark.parametrize("kind", UPDATES)
def test_every_phase_is_entered(runner: Harness, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Or the tests above would kill nobody."""
    need("node")
    seen: list[str] = []
    on_phase(monkeypatch, lambda _, phase: seen.append(phase))
    old, new = UPDATES[kind]
    runner.ok(api.AddOrUpdateFlow, flow=flow(1, old))
    runner.start("f")
    runner.ok(api.AddOrUpdateFlow, flow=flow(2, new))
    assert tuple(seen) == PHASES
