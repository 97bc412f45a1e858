"""What the runner has to do with other runners: it opens its links when it is told to, the router sees to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.model import FlowError
from actors.links import log
from actors.messages.client_to_runner import Command, DrainRunner, ListRunners, MoveModule, RestartRunner
from actors.messages.front_to_flow import PrepareUpdate
from actors.messages.link_to_owner import Fenced, LinksDescribed
from actors.messages.owner_to_link import DescribeLink
from actors.messages.owner_to_runner import OpenLinks, RunnersKnown
from actors.messages.runner_to_flow import JoinUpdate
from actors.messages.runner_to_link import StartRouter
from actors.preparation.premises import Premises
from actors.system.answers import Answers
from actors.system.port import Port


class RunnerLinks:
    """Of one runner, which has none until OpenLinks. `flows`: the entries of those that are here."""

    def __init__(
        self, port: Port, answers: Answers, premises: Premises, flows: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._port, self._answers, self._premises, self._flows = port, answers, premises, flows
        self.paused: Callable[[str, str | None], None] = lambda _flow, _by: None
        self._asked: dict[int, tuple[ListRunners, ActorAddress]] = {}

    def receiveMsg_OpenLinks(self, message: OpenLinks, sender: ActorAddress) -> None:
        """There are other runners; before the first flow."""
        from actors.links.router import RouterActor  # TLS and certificates: for runners that are not alone

        self.paused = message.paused
        links = self._premises.links
        links.router = self._port.createActor(RouterActor)
        start = StartRouter(
            runner=self._premises.name, incarnation=links.incarnation, request=message, client=sender
        )  # fmt: skip
        self._port.send(links.router, start)

    def receiveMsg_RunnersKnown(self, message: RunnersKnown, _sender: ActorAddress) -> None:
        """Where they listen: the router connects."""
        self._port.send(self._premises.links.router, message)

    def receiveMsg_ListRunners(self, message: ListRunners, sender: ActorAddress) -> None:
        """This one, with its links as they are now."""
        router, number = self._premises.links.router, next(self._premises.numbers)
        self._asked[number] = message, sender
        if router is None:
            self._answer(number, [])
        else:
            self._port.send(router, DescribeLink(round=number))

    def receiveMsg_LinksDescribed(self, message: LinksDescribed, _sender: ActorAddress) -> None:
        """What listRunners has asked for."""
        self._answer(message.round, message.rows)

    def _answer(self, number: int, links: list[dict[str, Any]]) -> None:
        row = {
            "name": self._premises.name, "pid": os.getpid(), "machine": os.uname().nodename, "state": "up",
            "incarnation": self._premises.links.incarnation, "flows": sorted(self._flows()), "links": links,
        }  # fmt: skip
        self._answers.reply(*self._asked.pop(number), [row])

    def receiveMsg_RestartRunner(self, message: RestartRunner, sender: ActorAddress) -> None:
        """Nobody ends and starts himself."""
        self._not_alone(message, sender, "it is not restarted: `runner down`, then `runner up`")

    def receiveMsg_MoveModule(self, message: MoveModule | DrainRunner, sender: ActorAddress) -> None:
        """Two runners have to do with it."""
        self._not_alone(message, sender, "there is no other to move to")

    receiveMsg_DrainRunner = receiveMsg_MoveModule

    def _not_alone(self, message: Command, sender: ActorAddress, alone: str) -> None:
        said = "a runner does not do that by itself: ask the deployment (leave out --runner)"
        if self._premises.links.router is None:
            said = f"this runner is the only one: {alone}"
        self._answers.refuse(message, sender, said)

    def receiveMsg_Fenced(self, message: Fenced, _sender: ActorAddress) -> None:
        """There is a newer incarnation of this runner."""
        log.error("%s: %s: this one is not to go on", self._premises.name, message.reason)

    def receiveMsg_PrepareUpdate(self, message: PrepareUpdate, sender: ActorAddress) -> None:
        """The part here of an update of several runners; the flow answers."""
        try:
            flow = self._premises.check(message.flow)
            share, left_out = self._premises.leave_out(self._premises.share_of(flow))
        except FlowError as error:
            self._answers.refuse(message, sender, str(error), error.problems)
            return
        entry = self._flows().get(flow.id)
        if entry is None:
            self._answers.refuse(message, sender, f"the runner {self._premises.name} has nothing of {flow.id}")
        else:
            self._port.send(entry.actor, JoinUpdate(request=message, client=sender, share=share, left_out=left_out))
