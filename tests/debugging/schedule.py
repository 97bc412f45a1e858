"""Random schedules: what a user may do to a running flow, in any order, waiting for the answers or not."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from actors.condition import Condition
from actors.messages import client_to_runner as api
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
Condition("true")  # its library raises the recursion limit, which hypothesis does not allow while it runs


def ops(talk: Talk, max_kills: int = 2) -> st.SearchStrategy[list[Op]]:
    """Each: what, does the next one wait for the answer, and what it needs."""
    names, waits = st.sampled_from(sorted(talk.modules)), st.booleans()
    values = st.lists(st.tuples(st.integers(0, 999), st.integers(0, MAX_HOPS)), min_size=1, max_size=8)
    kinds: list[st.SearchStrategy[Op]] = [
        st.tuples(
            st.just("break"), waits, names, st.sampled_from(WHENS), st.sampled_from(["flow", "module"]), st.booleans()
        ),
        st.tuples(st.just("unbreak"), waits, names),
        st.tuples(st.sampled_from(["pause", "resume", "resume", "step", "step"]), waits),
        st.tuples(st.just("release"), st.just(True), names),
        st.tuples(st.just("update"), waits, names, st.sampled_from([False, False, True])),
        st.tuples(st.just("breathe"), st.just(True), st.integers(1, 40)),
    ]
    if talk.inputs:
        send = st.tuples(st.just("send"), waits, st.sampled_from(talk.inputs), values)
        kinds += [send, send]
    kill = st.tuples(st.just("kill"), st.just(True), st.integers(0, 9))
    return st.lists(st.one_of(*kinds, kill), min_size=4, max_size=24).filter(
        lambda drawn: sum(op[0] == "kill" for op in drawn) <= max_kills
    )


class Schedule:
    """Does to one flow what the ops say, and keeps what was sent and how the flow is now."""

    def __init__(self, runner: Harness, flow_id: str, talk: Talk) -> None:
        self.runner, self.id, self.talk = runner, flow_id, talk
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
            if not reply.ok:
                assert op[0] in ("step", "release", "update"), (op, reply.error)
                self.refused.append((op, reply.error))
        self.asked.clear()

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

    def _release(self, op: Op, module: str) -> None:
        self.collect()
        held = self.runner.ok(api.ListHeld, flow_id=self.id)
        ids = [view["id"] for view in held if view["flowModuleId"] == f"{self.id}/{module}"]
        if ids:
            self._ask(op, api.ReleaseHeld, id=ids[0])

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

    def finish(self) -> None:
        """Nobody debugs any more: everything has to run to its end."""
        self.collect()
        for module in self.talk.modules:
            self.runner.ok(api.RemoveBreakPointAtModule, flow_module_id=f"{self.id}/{module}")
        self.runner.ok(api.ResumeFlow, flow_id=self.id)
        ended = self.runner.wait_idle(self.id)
        assert not ended.errors, ended.errors
