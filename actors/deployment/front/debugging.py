"""Pause, resume, step and breakpoints of a flow over several runners: all are paused together, a step is one wave."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.deployment.desired import DesiredFlow, DesiredState
from actors.deployment.front.answers import FrontAnswers, RefusedError
from actors.deployment.front.runners import RunnerAway
from actors.deployment.front.turns import Turns
from actors.deployment.front.whole import Whole, errors_of
from actors.messages import client_to_runner as api
from actors.messages.front_to_flow import HoldCrossings, JoinPause
from actors.messages.naming import flow_of
from actors.messages.runner_to_dispatcher import FlowPaused
from actors.system.job import Operations, Steps
from actors.system.port import Port

FALLBACK_TIMEOUT_S = 600.0
TOUCHING = (api.PauseFlow, api.SingleStepFlow, api.ListHeld, api.EditHeld, api.DropHeld, api.ReleaseHeld)
log = logging.getLogger("runner.front")


@dataclass(slots=True)
class _Pause:
    """Of one flow: it ends by itself `timeout_s` after the last call (0: never)."""

    timeout_s: float
    calls: int = 0


class Debugging:
    """Knows from what runners say which of them are paused as a whole."""

    def __init__(
        self, port: Port, answers: FrontAnswers, operations: Operations, whole: Whole, turns: Turns,
        desired: DesiredState,
    ) -> None:  # fmt: skip
        self._port, self._answers, self._operations = port, answers, operations
        self._whole, self._turns, self._desired = whole, turns, desired
        self._paused: dict[str, dict[str, str]] = {}  # flow -> runner -> why
        self._pauses: dict[str, _Pause] = {}  # by flow
        self._timeouts: dict[str, float] = {}  # of breakpoints, by what flowState says of a hit
        whole.runners.came.append(self._came)

    # what is asked for ---------------------------------------------------------------------------------------------

    def receiveMsg_PauseFlow(self, message: api.PauseFlow, sender: ActorAddress) -> None:
        """All runners that are there; one that comes later joins."""
        timeout_s = FALLBACK_TIMEOUT_S if message.timeout_s is None else message.timeout_s
        self._add(message, sender, message.flow_id, lambda flow: self._pausing(flow, "pauseFlow", timeout_s))

    def receiveMsg_ResumeFlow(self, message: api.ResumeFlow, sender: ActorAddress) -> None:
        """All of them go on."""
        self._add(message, sender, message.flow_id, self._resuming)

    def receiveMsg_SingleStepFlow(self, message: api.SingleStepFlow, sender: ActorAddress) -> None:
        """One wave in all of them; of the flow that is paused, if none is named."""
        flow_id = message.flow_id
        if flow_id is None:
            paused = [id for id, runners in self._paused.items() if runners and id in self._desired.flows]
            if len(paused) != 1:
                which = f"these are paused: {', '.join(paused)}; say which" if paused else "no flow is paused"
                raise RefusedError(which)
            flow_id = paused[0]
        self._add(message, sender, flow_id, self._stepping)

    def receiveMsg_SetBreakPointAtModule(self, message: api.SetBreakPointAtModule, sender: ActorAddress) -> None:
        """At the runner of the module; when it is hit, the others pause, too."""
        flow, module = self._answers.flow(flow_of(message)), message.flow_module_id.partition("/")[2]
        asked = message
        if message.scope == "flow":  # then the pause is the front's, and so is its end
            timeout_s = FALLBACK_TIMEOUT_S if message.timeout_s is None else message.timeout_s
            self._timeouts[f"{flow.id}: the breakpoint at {module}"] = timeout_s
            asked = replace(message, timeout_s=0.0)
        self._answers.by_runner(message, sender, self._answers.runner_of(flow, module), asked)

    def receiveMsg_RemoveBreakPointAtModule(self, message: api.RemoveBreakPointAtModule, sender: ActorAddress) -> None:
        """At the runner of the module."""
        flow, module = self._answers.flow(flow_of(message)), message.flow_module_id.partition("/")[2]
        self._answers.by_runner(message, sender, self._answers.runner_of(flow, module))

    def _add(self, request: Any, sender: ActorAddress, flow_id: str, steps: Callable[[DesiredFlow], Steps]) -> None:
        self._answers.flow(flow_id)
        turn = self._turns.of(flow_id, lambda: steps(self._answers.flow(flow_id)))
        self._answers.by_steps(request, sender, turn)

    # how -----------------------------------------------------------------------------------------------------------

    def _pausing(self, flow: DesiredFlow, by: str, timeout_s: float) -> Steps:
        replies = yield from self._ask(flow, JoinPause(flow_id=flow.id, by=by))
        _check(replies)
        self._pauses[flow.id] = _Pause(timeout_s)
        self._touch(flow.id)
        return True

    def _resuming(self, flow: DesiredFlow) -> Steps:
        self._pauses.pop(flow.id, None)
        _check((yield from self._ask(flow, api.ResumeFlow(flow_id=flow.id))))
        return True

    def _stepping(self, flow: DesiredFlow) -> Steps:
        states = yield from self._ask(flow, api.FlowState(flow_id=flow.id))
        _check(states)
        views = [reply.value for reply in states.values() if reply.ok]
        if stopped := [view["state"] for view in views if view["state"] != "running"]:
            raise RefusedError(f"{flow.id} is {stopped[0]}: startFlow comes first")
        by = next((view["debug"]["pausedBy"] for view in views if view["debug"]["pausedBy"] is not None), None)
        if by is None:
            raise RefusedError(f"{flow.id} is not paused: pauseFlow or a breakpoint comes first")
        _check((yield from self._ask(flow, JoinPause(flow_id=flow.id, by=by))))
        yield from self._ask(flow, HoldCrossings(flow_id=flow.id, on=True))
        replies = yield from self._ask(flow, api.SingleStepFlow(flow_id=flow.id))
        yield from self._ask(flow, HoldCrossings(flow_id=flow.id, on=False))
        _check(replies)
        result: dict[str, Any] = {}
        for module, runner in flow.places.items():
            name, reply = f"{flow.id}/{module}", replies.get(runner)
            if reply is None or isinstance(reply, RunnerAway):
                away = {"inputStates": [], "outputStates": [], "errors": [], "away": True}
                result[name] = {**away, "runner": runner}
            elif name in reply.value:
                result[name] = reply.value[name]
        return result

    def _ask(self, flow: DesiredFlow, request: Any) -> Steps:
        """Those that are there."""
        here = [name for name in flow.runners if self._whole.runners.is_up(name)]
        return (yield from self._whole.ask(flow, dict.fromkeys(here, request)))

    # what runners say ----------------------------------------------------------------------------------------------

    def receiveMsg_FlowPaused(self, message: FlowPaused, _sender: ActorAddress) -> None:
        """If that was a breakpoint, the others pause as well."""
        if message.runner not in self._whole.runners.all:
            return
        runners = self._paused.setdefault(message.flow, {})
        if message.by is None:
            runners.pop(message.runner, None)
            return
        runners[message.runner] = message.by
        self._let_join(message.flow)

    def paused_by(self, flow_id: str) -> str | None:
        """Why a flow is paused as a whole, if it is."""
        return next(iter(self._paused.get(flow_id, {}).values()), None)

    def _came(self, runner: str) -> None:
        """A runner is there again: nothing of it is paused."""
        for flow_id, runners in self._paused.items():
            runners.pop(runner, None)
            if runners:
                self._let_join(flow_id)

    def left(self, runner: str) -> None:
        """It has ended, for good."""
        for runners in self._paused.values():
            runners.pop(runner, None)

    def _let_join(self, flow_id: str) -> None:
        self._operations.begin(self._turns.of(flow_id, lambda: self._joining(flow_id)), _ignore, _ignore)

    def _joining(self, flow_id: str) -> Steps:
        """In its turn: whoever has paused may have gone on since."""
        flow, runners = self._desired.flows.get(flow_id), self._paused.get(flow_id, {})
        if flow is None or not runners or all(name in runners for name in flow.runners):
            return
        by = next(iter(runners.values()))
        if flow_id not in self._pauses:
            self._pauses[flow_id] = _Pause(self._timeouts.get(f"{flow_id}: {by}", FALLBACK_TIMEOUT_S))
            self._touch(flow_id)
        yield from self._ask(flow, JoinPause(flow_id=flow_id, by=by))

    # the end of a pause --------------------------------------------------------------------------------------------

    def touch(self, request: Any) -> None:
        """Somebody debugs: the time begins anew."""
        if isinstance(request, TOUCHING):
            flow_id = getattr(request, "flow_id", None) or ("" if isinstance(request, api.SingleStepFlow) else None)
            self._touch(flow_of(request) if flow_id is None else flow_id)

    def _touch(self, flow_id: str) -> None:
        pause = self._pauses.get(flow_id)
        if pause is not None:
            pause.calls += 1
            if pause.timeout_s:
                calls = pause.calls
                self._port.wakeupAfter(pause.timeout_s, lambda: self._fall_back(flow_id, pause, calls))

    def _fall_back(self, flow_id: str, pause: _Pause, calls: int) -> None:
        if self._pauses.get(flow_id) is pause and pause.calls == calls and flow_id in self._desired.flows:
            log.warning("%s: paused for %g s without a call: it goes on", flow_id, pause.timeout_s)
            turn = self._turns.of(flow_id, lambda: self._resuming(self._answers.flow(flow_id)))
            self._operations.begin(turn, _ignore, _ignore)


def _check(replies: dict[str, Any]) -> None:
    """Raises RefusedError for what a runner refuses; one that is away is no error."""
    if errors := errors_of({name: reply for name, reply in replies.items() if not isinstance(reply, RunnerAway)}):
        raise RefusedError("\n".join(errors), errors)


def _ignore(_: Any) -> None:
    """Nobody waits for it."""
