"""Who looks on at the flows of a deployment: one picture for all viewers of a flow, put together of all its runners."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress

from actors.deployment.front.answers import FrontAnswers, RefusedError
from actors.deployment.front.lists import Lists
from actors.flow.viewers import Viewers
from actors.messages import client_to_runner as api
from actors.messages.door_to_flow import ShowWhole
from actors.messages.naming import flow_of
from actors.system.job import Operations
from actors.system.port import Port

State = dict[str, Any]
log = logging.getLogger("runner.front")


class LookingOn:
    """`receipt`: of the last update of a flow, if there was one."""

    def __init__(
        self, port: Port, answers: FrontAnswers, operations: Operations, lists: Lists,
        receipt: Callable[[str], State | None],
    ) -> None:  # fmt: skip
        self._port, self._answers, self._operations = port, answers, operations
        self._lists, self._receipt = lists, receipt
        self._numbers = itertools.count(1)
        self._viewers: dict[str, Viewers] = {}  # by flow
        answers.removed.append(self._removed)

    def receiveMsg_Subscribe(self, message: api.Subscribe, sender: ActorAddress) -> None:
        """The first of a flow has its pictures taken."""
        flow_id = self._answers.flow(message.flow_id).id
        if flow_id not in self._viewers:
            self._viewers[flow_id] = Viewers(
                flow_id, self._port, self._answers, lambda done: self._take(flow_id, done),
                lambda: self._receipt(flow_id), self._numbers,
            )  # fmt: skip
        self._viewers[flow_id].receiveMsg_Subscribe(message, sender)

    def receiveMsg_Unsubscribe(self, message: api.Unsubscribe, sender: ActorAddress) -> None:
        """It is told nothing more."""
        self._of(message).receiveMsg_Unsubscribe(message, sender)

    def receiveMsg_ShowWhole(self, message: ShowWhole, sender: ActorAddress) -> None:
        """It has missed something."""
        self._of(message).receiveMsg_ShowWhole(message, sender)

    def _of(self, message: api.Unsubscribe | ShowWhole) -> Viewers:
        try:
            return self._viewers[flow_of(message)]
        except KeyError:
            raise RefusedError(f"there is no subscription {message.subscription_id!r}") from None

    def _removed(self, flow_id: str) -> None:
        if (viewers := self._viewers.pop(flow_id, None)) is not None:
            viewers.end_all()

    def _take(self, flow_id: str, done: Callable[[State], None]) -> None:
        viewers = self._viewers[flow_id]

        def show(state: State) -> None:
            if self._viewers.get(flow_id) is viewers:  # else it has been removed meanwhile
                done(state)

        def failed(error: Exception) -> None:
            log.error("%s: no picture of it: %s", flow_id, error)

        def begin() -> None:
            if self._viewers.get(flow_id) is viewers:
                self._operations.begin(self._lists.glance(self._answers.flow(flow_id)), show, failed)

        self._answers.when_known(flow_id, begin)  # while a module moves, two runners have it, or none
