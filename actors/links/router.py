"""The Router actor: says which link a wire takes. It has the peers, one per other runner, and the listener.

A wire's end asks once, by the other runner's name, and is answered by that runner's peer, to which it speaks from then
on. Where runners are is told from outside, as often as it changes.
"""

from __future__ import annotations

from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest

from actors.links.keys import contexts
from actors.links.listener import ListenerActor
from actors.links.peer import PeerActor
from actors.messages.link_to_owner import Fenced, LinkDescribed, LinksDescribed, Listening, PeerFound, PeerLost
from actors.messages.owner_to_link import ChangePeers, DescribeLink, PeerAt, StartListener, StartPeer
from actors.messages.owner_to_runner import RunnersKnown
from actors.messages.runner_to_link import StartRouter
from actors.messages.wire_to_peer import JoinPeer, LeavePeer
from actors.system.answers import Answers
from actors.system.base import BaseActor


class RouterActor(BaseActor):
    """One per runner that has links; its child."""

    def receiveMsg_StartRouter(self, message: StartRouter, sender: ActorAddress) -> None:
        """Listen; whoever has asked for links is answered when that is so."""
        self.owner, self.runner, self.incarnation = sender, message.runner, message.incarnation
        self.asked, self.client = message.request, message.client
        self.answers = Answers(self)
        self.peers: dict[str, ActorAddress] = {}
        self.rounds: dict[int, tuple[ActorAddress, int, list[dict[str, Any]]]] = {}  # of questions to all peers
        self.found: dict[str, int] = {}  # peers that there is a connection to: their incarnations
        order = message.request
        try:
            self.contexts = contexts(order.keys, self.runner)
        except OSError as error:
            self.answers.refuse(order, self.client, f"{order.keys}: {error.strerror or error}")
            return
        self.listener = self.createActor(ListenerActor)
        self.send(self.listener, StartListener(place=order.place, contexts=self.contexts, peers=dict(self.peers)))

    def receiveMsg_Listening(self, message: Listening, _sender: ActorAddress) -> None:
        """Whoever has asked for links gets the port, or why there is none."""
        if message.error is not None:
            self.answers.refuse(self.asked, self.client, message.error)
        else:
            self.answers.reply(self.asked, self.client, message.port)

    def receiveMsg_RunnersKnown(self, message: RunnersKnown, _sender: ActorAddress) -> None:
        """The peers find them, or lose them."""
        for runner in message.places.keys() | self.peers.keys():
            if runner != self.runner:
                self.send(self._peer(runner), PeerAt(place=message.places.get(runner)))

    def receiveMsg_JoinPeer(self, message: JoinPeer | LeavePeer, sender: ActorAddress) -> None:
        """The peer of that runner answers."""
        self.pass_on(message, sender, self._peer(message.runner))

    receiveMsg_LeavePeer = receiveMsg_JoinPeer

    def _peer(self, runner: str) -> ActorAddress:
        """A runner that nobody knows yet may come."""
        if runner not in self.peers:
            peer = self.peers[runner] = self.createActor(PeerActor)
            start = StartPeer(runner=self.runner, incarnation=self.incarnation, peer=runner, contexts=self.contexts)
            self.send(peer, start)
            self.send(self.listener, ChangePeers(peers=dict(self.peers)))
        return self.peers[runner]

    def receiveMsg_PeerFound(self, message: PeerFound, _sender: ActorAddress) -> None:
        """There is a connection."""
        self.found[message.peer] = message.incarnation

    def receiveMsg_PeerLost(self, message: PeerLost, _sender: ActorAddress) -> None:
        """There is no connection; the peer seeks it again."""
        self.found.pop(message.peer, None)

    def receiveMsg_DescribeLink(self, message: DescribeLink, sender: ActorAddress) -> None:
        """Every peer describes its own."""
        self.rounds[message.round] = sender, len(self.peers), []
        for peer in self.peers.values():
            self.send(peer, message)
        self._tell_described(message.round)

    def receiveMsg_LinkDescribed(self, message: LinkDescribed, _sender: ActorAddress) -> None:
        """One of the answers."""
        self.rounds[message.round][2].append(message.row)
        self._tell_described(message.round)

    def _tell_described(self, number: int) -> None:
        client, count, rows = self.rounds[number]
        if len(rows) == count:
            del self.rounds[number]
            self.send(client, LinksDescribed(round=number, rows=sorted(rows, key=lambda row: str(row["peer"]))))

    def receiveMsg_Fenced(self, message: Fenced, _sender: ActorAddress) -> None:
        """The runner is to end."""
        self.send(self.owner, message)

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """With all links: Thespian ends the children."""
