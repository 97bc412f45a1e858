"""What is asked of one module: its runner answers. The id of what a runner has numbered has its name here."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.deployment.front.answers import FrontAnswers, RefusedError
from actors.deployment.front.runners import Runners
from actors.messages import client_to_runner as api
from actors.messages.gateway_to_flow import TapLines
from actors.messages.naming import flow_of, held_place
from actors.messages.runner_to_client import Reply
from actors.system.job import Steps

AT = "@"


def named(id: str, runner: str) -> str:
    """The id, in the deployment, of what a runner has called so."""
    return f"{id}{AT}{runner}"


class ByModule:
    """Finds the runner of a request, by what it names."""

    def __init__(self, answers: FrontAnswers, runners: Runners) -> None:
        self._answers, self._runners = answers, runners

    def receiveMsg_SendMessage(self, message: Any, sender: ActorAddress) -> None:
        """The module's runner answers."""
        self._answers.by_runner(message, sender, self._of_module(message, message.flow_module_id))

    receiveMsg_GetContext = receiveMsg_SendBatch = receiveMsg_SendMessage
    receiveMsg_ShadowModule = receiveMsg_EndShadow = receiveMsg_SendMessage
    receiveMsg_JoinPage = receiveMsg_SayPage = receiveMsg_ReadPage = receiveMsg_LeavePage = receiveMsg_SendMessage
    receiveMsg_ReadPackage = receiveMsg_SendMessage

    def receiveMsg_EditHeld(self, message: Any, sender: ActorAddress) -> None:
        """The id of a held message has its module."""
        place = held_place(message.id)
        module = "" if place is None else f"{place.flow}/{place.module}"
        self._answers.by_runner(message, sender, self._of_module(message, module))

    receiveMsg_DropHeld = receiveMsg_ReleaseHeld = receiveMsg_EditHeld

    def receiveMsg_TapPort(self, message: api.TapPort | TapLines, sender: ActorAddress) -> None:
        """The tap's id has the runner."""
        runner = self._of_module(message, message.flow_module_id)

        def steps() -> Steps:
            reply: Reply = yield from self._runners.ask(runner, message)
            return replace(reply, value=named(reply.value, runner)) if reply.ok else reply

        self._answers.by_steps(message, sender, steps())

    receiveMsg_TapLines = receiveMsg_TapPort

    def receiveMsg_ReadTap(self, message: Any, sender: ActorAddress) -> None:
        """Of the runner that has it."""
        tap_id, runner = self._split(message, message.tap_id, "a tap")
        self._answers.by_runner(message, sender, runner, replace(message, tap_id=tap_id))

    receiveMsg_EndTap = receiveMsg_ReadTapLines = receiveMsg_ReadTap

    def receiveMsg_ReplayDeadLetter(
        self, message: api.ReplayDeadLetter | api.EditDeadLetter | api.DropDeadLetter, sender: ActorAddress
    ) -> None:
        """Of the runner that has it."""
        letter_id, runner = self._split(message, message.id, "a dead letter")
        self._answers.by_runner(message, sender, runner, replace(message, id=letter_id))

    receiveMsg_EditDeadLetter = receiveMsg_DropDeadLetter = receiveMsg_ReplayDeadLetter

    def _of_module(self, request: api.Request, flow_module_id: str) -> str:
        try:
            flow = self._answers.flow(flow_of(request))
        except ValueError as error:
            raise RefusedError(str(error)) from None
        module, _, _page = flow_module_id.partition("/")[2].partition(AT)
        return self._answers.runner_of(flow, module)

    def _split(self, request: api.Request, id: str, what: str) -> tuple[str, str]:
        flow = self._answers.flow(flow_of(request))
        own, _, runner = id.rpartition(AT)
        if not own or runner not in self._runners.all:
            which = f"{flow.id}/1{AT}{flow.runners[0]}"
            raise RefusedError(f"there is no {what[2:]} {id!r}: here the id of {what} has its runner, as {which}")
        return own, runner
