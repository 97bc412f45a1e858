"""Random schedules: what a user may do to a running flow, in any order, waiting for the answers or not."""

from __future__ import annotations

import os
import signal
from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from actors.messages import client_to_runner as api
from actors.state.condition import Condition
from tests.debugging.model import Sent
from tests.debugging.random_flows import MAX_HOPS, Talk
from tests.harness import Harness

WHENS = [
    None,
    None,
    "message.v % 2 == 0",
    "has(context.state) && context.state > 30000",
    "message.v > 500",
    "headers.no",
]
Op = tuple[Any, ...]
Condition("message == 1")  # its library raises the recursion limit, which hypothesis does not allow while it runs


MAX_KILLS = 2  # of one flow: five deaths in 10 s without progress would be the end of it


def ops(talk: Talk) -> st.SearchStrategy[list[Op]]:
    """Each: what, does the next one wait for the answer, and what it needs. Mostly sessions of a debugger."""
    names, waits, yes = st.sampled_from(sorted(talk.modules)), st.booleans(), st.just(True)
    whens, scopes = st.sampled_from(WHENS), st.sampled_from(["flow", "flow", "module"])
    values = st.lists(st.tuples(st.integers(0, 999), st.integers(0, MAX_HOPS)), min_size=1, max_size=8)
    handlers = st.sampled_from(talk.handlers) if talk.handlers else st.nothing()
    breaks = st.tuples(st.just("break"), waits, handlers, whens, scopes, st.sampled_from([False, False, True]))
    unbreaks = st.tuples(st.just("unbreak"), waits, names)
    update = st.tuples(st.just("update"), waits, names, st.sampled_from([False, False, True]))
    breathe = st.tuples(st.just("breathe"), yes, st.integers(1, 40))
    kill = st.tuples(st.just("kill"), yes, st.integers(0, 9))
    step, release = st.tuples(st.just("step"), waits), st.tuples(st.just("release"), yes, st.integers(0, 9))
    pause, resume = st.tuples(st.just("pause"), waits), st.tuples(st.just("resume"), waits)
    send = [st.tuples(st.just("send"), waits, st.sampled_from(talk.inputs), values)] if talk.inputs else []
    opening = st.one_of(pause, st.just(("pause", True)), breaks)
    inside = st.lists(st.one_of(step, step, release, release, update, unbreaks, breathe, *send), min_size=2, max_size=8)
    closing = st.lists(resume, max_size=1)
    session = st.tuples(opening, st.lists(st.one_of(breathe, *send), max_size=2), inside, closing)
    sessions = session.map(lambda parts: [parts[0], *parts[1], *parts[2], *parts[3]])
    alone = st.one_of(breaks, unbreaks, update, resume, breathe, kill, *send, *send).map(lambda op: [op])
    drawn = st.lists(st.one_of(alone, sessions, sessions), min_size=3, max_size=9)
    return drawn.map(lambda parts: [op for part in parts for op in part]).map(_spared)


def _spared(drawn: list[Op]) -> list[Op]:
    kills = [at for at, op in enumerate(drawn) if op[0] == "kill"]
    return [op for at, op in enumerate(drawn) if at not in kills[MAX_KILLS:]]


class Schedule:
    """Does to one flow what the ops say, and keeps what was sent and how the flow is now."""

    def __init__(self, runner: Harness, flow_id: str, talk: Talk, happened: Counter[str]) -> None:
        self.runner, self.id, self.talk, self.happened = runner, flow_id, talk, happened
        self.sent: Sent = defaultdict(list)
        self.asked: list[tuple[Op, str]] = []  # whose answers are still to come
        self.refused: list[tuple[Op, str]] = []

    def flow(self) -> dict[str, Any]:
        """The flow as it is to be now."""
        return self.talk.flow(self.id, drain_timeout_s=0.5, step_timeout_s=10)

    def do(self, op: Op) -> None:
        """One op."""
        what, waits, *arguments = op
        getattr(self, f"_{what}")(op, *arguments)
        if waits:
            self.collect()

    def collect(self) -> None:
        """Wait for all answers. The debugger may refuse what is not possible now; everything else has to go well."""
        for op, request in self.asked:
            reply = self.runner.reply(request)
            self.happened[op[0]] += reply.ok
            if not reply.ok:
                assert op[0] in ("step", "release", "update", "unbreak"), (op, reply.error)
                self.refused.append((op, reply.error))
        self.asked.clear()
        self.happened["hit"] += bool(self.runner.record(self.id).debug.hits)

    def _ask(self, op: Op, kind: type, **fields: Any) -> None:
        self.asked.append((op, self.runner.post(kind, **fields)))

    def _send(self, op: Op, module: str, values: list[tuple[int, int]]) -> None:
        key = f"api:{module}"
        for v, hops in values:
            message = {"from": key, "k": len(self.sent[key]), "v": v, "hops": hops}
            self.sent[key].append(message)
            self._ask(op, api.SendMessage, flow_module_id=f"{self.id}/{module}", message=message)

    def _break(self, op: Op, module: str, when: str | None, scope: str, log: bool) -> None:
        kind = api.SetBreakPointAtModule
        self._ask(op, kind, flow_module_id=f"{self.id}/{module}", when=when, scope=scope, log=log)

    def _unbreak(self, op: Op, module: str) -> None:
        self._ask(op, api.RemoveBreakPointAtModule, flow_module_id=f"{self.id}/{module}")

    def _pause(self, op: Op) -> None:
        self._ask(op, api.PauseFlow, flow_id=self.id)

    def _resume(self, op: Op) -> None:
        self._ask(op, api.ResumeFlow, flow_id=self.id)

    def _step(self, op: Op) -> None:
        self._ask(op, api.SingleStepFlow, flow_id=self.id)

    def _release(self, op: Op, which: int) -> None:
        """The oldest message of a module that has one."""
        self.collect()
        held = self.runner.ok(api.ListHeld, flow_id=self.id)
        oldest = list({view["flowModuleId"]: view["id"] for view in reversed(held)}.values())
        if oldest:
            self._ask(op, api.ReleaseHeld, id=oldest[which % len(oldest)])

    def _update(self, op: Op, module: str, language: bool) -> None:
        talker = self.talk.modules[module].updated(language)
        self.talk = replace(self.talk, modules={**self.talk.modules, module: talker})
        self._ask(op, api.AddOrUpdateFlow, flow=self.flow())

    def _breathe(self, _op: Op, ms: int) -> None:
        self.runner.turn_for(ms / 1000)

    def _kill(self, _op: Op, which: int) -> None:
        pids = [host["pid"] for host in self.runner.state(self.id)["hosts"].values() if host["pid"]]
        if pids:
            os.kill(pids[which % len(pids)], signal.SIGKILL)
            self.happened["kill"] += 1

    def finish(self) -> None:
        """Nobody debugs any more: everything has to run to its end."""
        self.collect()
        for module in self.runner.state(self.id)["debug"]["breakpoints"]:
            self.runner.ok(api.RemoveBreakPointAtModule, flow_module_id=f"{self.id}/{module}")
        self.runner.ok(api.ResumeFlow, flow_id=self.id)
        ended = self.runner.wait_idle(self.id)
        assert not ended.errors, ended.errors
