"""What the runner has to do with other runners: it opens its links when it is told to, the router sees to them."""

from __future__ import annotations

from thespian.actors import ActorAddress

from actors.links import log
from actors.messages.link_to_owner import Fenced
from actors.messages.owner_to_runner import OpenLinks, RunnersKnown
from actors.messages.runner_to_link import StartRouter
from actors.preparation.premises import Premises
from actors.system.port import Port


class RunnerLinks:
    """Of one runner, which has none until OpenLinks."""

    def __init__(self, port: Port, premises: Premises) -> None:
        self._port, self._premises = port, premises

    def receiveMsg_OpenLinks(self, message: OpenLinks, sender: ActorAddress) -> None:
        """There are other runners; before the first flow."""
        from actors.links.router import RouterActor  # TLS and certificates: for runners that are not alone

        links = self._premises.links
        links.router, links.incarnation = self._port.createActor(RouterActor), message.incarnation
        start = StartRouter(runner=self._premises.name, request=message, client=sender)
        self._port.send(links.router, start)

    def receiveMsg_RunnersKnown(self, message: RunnersKnown, _sender: ActorAddress) -> None:
        """Where they listen: the router connects."""
        self._port.send(self._premises.links.router, message)

    def receiveMsg_Fenced(self, message: Fenced, _sender: ActorAddress) -> None:
        """There is a newer incarnation of this runner."""
        log.error("%s: %s: this one is not to go on", self._premises.name, message.reason)
