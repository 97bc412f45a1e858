"""Modules move from one runner to another, with all that they have, while the flow goes on."""

from __future__ import annotations

from thespian.actors import ActorAddress

from actors.definition.places import listed
from actors.deployment.desired import DesiredState
from actors.deployment.front.answers import FrontAnswers, RefusedError
from actors.deployment.front.placing import Placing
from actors.deployment.front.turns import Turns
from actors.deployment.front.updates import Updates
from actors.messages import client_to_runner as api
from actors.messages.naming import flow_of
from actors.system.job import Steps


class Moving:
    """Of all flows: a move is an update of one that changes where a module is, and nothing else."""

    def __init__(
        self, answers: FrontAnswers, turns: Turns, desired: DesiredState, updates: Updates, placing: Placing
    ) -> None:
        self._answers, self._turns, self._desired = answers, turns, desired
        self._updates, self._placing = updates, placing

    def receiveMsg_MoveModule(self, message: api.MoveModule, sender: ActorAddress) -> None:
        """Answered when it works there."""
        try:
            flow_id = flow_of(message)
        except ValueError as error:
            raise RefusedError(str(error)) from None
        self._answers.by_steps(message, sender, self._turns.of(flow_id, lambda: self._moving(flow_id, message)))

    def draining(self, name: str) -> Steps:
        """Nothing is on that runner, and nothing is placed there by itself from now on. Raises RefusedError."""
        self._placing.drained.add(name)
        done: list[str] = []
        try:
            wanted = [(flow, self._placing.emptied(flow, name)) for flow in self._desired.of(name)]
            for flow, emptied in wanted:
                yield from self._updates.becoming(flow, emptied)
                done.append(flow.id)
        except RefusedError as error:
            self._placing.drained.discard(name)
            before = f"; {listed(done)} had left {name} before" if done else ""
            raise RefusedError(f"{error}{before}", error.data) from None
        return True

    def _moving(self, flow_id: str, message: api.MoveModule) -> Steps:
        flow, module = self._answers.flow(flow_id), message.flow_module_id.partition("/")[2]
        self._answers.runner_of(flow, module)
        return (yield from self._updates.becoming(flow, self._placing.moved(flow, module, message.runner)))
