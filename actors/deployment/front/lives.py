"""Start, stop and removal of a flow, on all its runners or on none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from thespian.actors import ActorAddress

from actors.deployment.desired import DesiredState
from actors.deployment.front.answers import FrontAnswers, RefusedError
from actors.deployment.front.runners import RunnerAway
from actors.deployment.front.turns import Turns
from actors.deployment.front.whole import Whole, errors_of
from actors.messages import client_to_runner as api
from actors.messages.runner_to_client import Reply
from actors.system.job import Steps


class Lives:
    """Decides, writes that down, and tells the runners."""

    def __init__(self, answers: FrontAnswers, whole: Whole, turns: Turns, desired: DesiredState) -> None:
        self._answers, self._whole, self._turns, self._desired = answers, whole, turns, desired

    def receiveMsg_StartFlow(self, message: api.StartFlow, sender: ActorAddress) -> None:
        """All runners start it; if one cannot, none does."""
        self._add(message, sender, lambda: self._starting(message))

    def receiveMsg_StopFlow(self, message: api.StopFlow, sender: ActorAddress) -> None:
        """It is stopped everywhere, also on a runner that dies meanwhile and comes back."""
        self._add(message, sender, lambda: self._stopping(message))

    def receiveMsg_RemoveFlow(self, message: api.RemoveFlow, sender: ActorAddress) -> None:
        """It is forgotten everywhere."""
        self._add(message, sender, lambda: self._removing(message))

    def _add(self, message: Any, sender: ActorAddress, steps: Any) -> None:
        self._answers.by_steps(message, sender, self._turns.of(message.flow_id, steps))

    def _starting(self, message: api.StartFlow) -> Steps:
        flow = self._answers.flow(message.flow_id)
        yield from self._whole.there(flow.runners)
        replies = yield from self._whole.ask(flow, dict.fromkeys(flow.runners, message))
        if errors := errors_of(replies):
            started = [name for name, reply in replies.items() if reply.ok]
            if not flow.running:
                yield from self._whole.ask(flow, dict.fromkeys(started, api.StopFlow(flow_id=flow.id)))
            raise RefusedError("\n".join(errors), errors)
        if not flow.running:
            self._answers.decide(replace(flow, running=True))
        ends = any(reply.data["ends"] for reply in replies.values())
        return Reply(request_id="", ok=True, value=True, data={"ends": ends})

    def _stopping(self, message: api.StopFlow) -> Steps:
        flow = self._answers.flow(message.flow_id)
        yield from self._whole.there(flow.runners)
        if flow.running:
            self._answers.decide(replace(flow, running=False))
        replies = yield from self._whole.ask(flow, dict.fromkeys(flow.runners, message))
        return _regrets({name: reply for name, reply in replies.items() if not isinstance(reply, RunnerAway)})

    def _removing(self, message: api.RemoveFlow) -> Steps:
        if message.flow_id not in self._desired.flows:  # it may be kept somewhere
            replies = yield from self._whole.runners.ask_all(dict.fromkeys(self._whole.runners.names, message))
            return any(reply.ok for reply in replies.values()) or self._answers.flow(message.flow_id)
        flow = self._answers.flow(message.flow_id)
        yield from self._whole.there(flow.runners)
        self._answers.decide_removal(flow.id)
        replies = yield from self._whole.ask(flow, dict.fromkeys(flow.runners, message))
        lost = [name for name, reply in replies.items() if isinstance(reply, RunnerAway)]
        yield from self._whole.ask(flow, dict.fromkeys(lost, message))  # what they have kept of it
        return _regrets({name: reply for name, reply in replies.items() if name not in lost})


def _regrets(replies: dict[str, Reply]) -> Reply:
    errors = errors_of(replies)
    text = "\n".join(errors) if errors else None
    return Reply(request_id="", ok=not errors, value=not errors, error=text, data=errors or None)
