"""The Peer actor: the link to one other runner. It has the connection and finds it again; a wire is a name to it."""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial

from thespian.actors import ActorAddress, ActorExitRequest, WakeupMessage

from actors.links.connection import Connection
from actors.links.figures import LinkFigures
from actors.links.frames import MAX_CHANNEL, VERSION, Hello, PeerKind, Ping, Refusal, pack, shown
from actors.links.said import SAY_S, Said
from actors.links.talk import Name, Talk
from actors.messages.actor_to_itself import Flush, TakeFrames
from actors.messages.link_to_owner import Fenced, LinkDescribed, PeerFound, PeerLost
from actors.messages.owner_to_link import DescribeLink, PeerAt, StartPeer, TakeConnection
from actors.messages.peer_to_wire import PeerUp
from actors.messages.system_to_actor import Ready
from actors.messages.wire_to_peer import BreakPeer, JoinPeer, LeavePeer, PeerFrames
from actors.system.base import BaseActor
from runtimes.frames import Frame

PING_S = 1.0
SILENT_S = 3.0  # nothing has been heard for so long: it is gone
INTRODUCTION_S = 5.0
FIRST_RETRY_S, LAST_RETRY_S = 0.05, 1.0


class PeerActor(BaseActor):
    """The runner whose name comes first connects; the newest connection of a peer takes the place of the one before."""

    def receiveMsg_StartPeer(self, message: StartPeer, sender: ActorAddress) -> None:
        """Be the link to that runner."""
        self.owner, self.contexts = sender, message.contexts
        self.runner, self.peer, self.incarnation = message.runner, message.peer, message.incarnation
        self.connects = message.runner < message.peer
        self.place: tuple[str, int] | None = None
        self.connections = 0
        self.seen = 0  # the highest incarnation of the peer
        self.sending: dict[int, ActorAddress] = {}  # by channel
        self.channels: dict[Name, int] = {}  # of the sending ends
        self.receiving: dict[Name, ActorAddress] = {}
        self.last_channel = 0
        self.figures = LinkFigures()
        self.talk: Talk | None = None  # with a peer that has introduced itself
        self.coming: Talk | None = None  # one that has not yet
        self.retry_s = FIRST_RETRY_S
        self.retrying = self.flushing = False
        self.said = Said(str(self), "nobody knows where it listens")
        self.fenced_at = -SAY_S
        self.wakeupAfter(PING_S, self._look)

    def __str__(self) -> str:
        """Who it is, for the log."""
        return f"the link to the runner {self.peer}"

    # the connection ------------------------------------------------------------------------------------------------

    def receiveMsg_PeerAt(self, message: PeerAt, _sender: ActorAddress) -> None:
        """It listens there now."""
        if message.place != self.place:
            self.place, self.retry_s = message.place, FIRST_RETRY_S
            self._connect()

    def _connect(self) -> None:
        self.retrying = False
        if not self.connects or self.place is None or self.talk is not None or self.coming is not None:
            return
        host, port = self.place
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(  # no name: asking for one takes its time
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )[0]
            sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
            if (error := sock.connect_ex(address)) not in (0, errno.EINPROGRESS):
                sock.close()
                raise OSError(error, errno.errorcode.get(error, ""))
        except OSError as problem:
            self._not_there(f"{host}:{port}: {problem.strerror or problem}")
            return
        connection = Connection(
            self, sock, self.contexts.client, self._shown, self._hear_nobody, self._lost, server=False
        )  # fmt: skip
        self._begin(connection)

    def receiveMsg_TakeConnection(self, message: TakeConnection, _sender: ActorAddress) -> None:
        """It has connected to us."""
        if self.coming is not None:
            self.coming.connection.close()
        self._begin(message.connection)
        self._shown(message.connection)

    def _begin(self, connection: Connection) -> None:
        self.connections += 1
        self.coming = Talk(self, self.connections, connection, self.sending, self.receiving)

    def _hear_nobody(self, _frames: Iterator[Frame]) -> None:
        """Replaced before anything is read."""

    def _shown(self, connection: Connection) -> None:
        """It has shown its certificate: say who we are, and hear the same."""
        assert self.coming is not None
        if connection.name != self.peer:
            connection.close()
            self._lost(connection, f"there is the runner {connection.name}, not {self.peer}")
            return
        connection.take_over(self, partial(self._hear, self.coming), self._lost)
        hello = Hello(protocol=VERSION, runner=self.runner, incarnation=self.incarnation)
        connection.add([Frame(PeerKind.HELLO, body=pack(hello))])
        connection.flush()
        connection.read()
        self._read_on(connection)

    def _hear(self, talk: Talk, frames: Iterator[Frame]) -> None:
        refusal = None
        if talk.hello is None:
            refusal = talk.introduce(frames)
            if talk.hello is not None and not self._introduced(talk, talk.hello):
                return
        if refusal is None:
            refusal = talk.hear(frames)
        if refusal is not None:
            self.retry_s, reason = LAST_RETRY_S, shown(refusal.reason)
            self._break(talk, f"it refuses this runner: {reason}")
            if refusal.fenced and time.monotonic() - self.fenced_at >= SAY_S:
                self.fenced_at = time.monotonic()
                self.send(self.owner, Fenced(peer=self.peer, reason=reason))

    def _introduced(self, talk: Talk, hello: Hello) -> bool:
        """Whether it may stay; it takes the place of the connection before."""
        refusal: Refusal | None = None
        if hello.protocol != VERSION:
            refusal = Refusal(reason=f"it speaks protocol {hello.protocol}, we {VERSION}", fenced=False)
        elif hello.runner != self.peer:
            refusal = Refusal(reason=f"it calls itself {shown(hello.runner)}", fenced=False)
        elif hello.incarnation < self.seen:
            reason = f"there is a newer incarnation of {self.peer}: {self.seen}, not {hello.incarnation}"
            refusal = Refusal(reason=reason, fenced=True)
        if refusal is not None:
            connection = talk.connection
            connection.add([Frame(PeerKind.REFUSED, body=pack(refusal))])
            connection.flush()
            connection.close()
            self._lost(connection, refusal.reason)
            return False
        before, self.talk, self.coming = self.talk, talk, None
        if before is not None:
            before.connection.close()
            before.end()
        self.seen, self.retry_s = hello.incarnation, FIRST_RETRY_S
        self.said.say(logging.INFO, "there is a connection")
        self.send(self.owner, PeerFound(peer=self.peer, incarnation=hello.incarnation))
        for channel, end in self.sending.items():
            self.send(end, PeerUp(channel=channel, connection=talk.number))
        return True

    def _lost(self, connection: Connection, reason: str) -> None:
        """A connection has ended."""
        if self.coming is not None and self.coming.connection is connection:
            self.coming = None
        elif self.talk is not None and self.talk.connection is connection:
            talk, self.talk = self.talk, None
            talk.end()
            self.send(self.owner, PeerLost(peer=self.peer, reason=reason))
        self._not_there(reason)

    def _not_there(self, reason: str) -> None:
        if self.talk is None:
            self.said.say(logging.WARNING, reason)
        if self.connects and self.talk is None and not self.retrying:
            self.retrying = True
            self.wakeupAfter(self.retry_s, self._connect)
            self.retry_s = min(LAST_RETRY_S, self.retry_s * 2)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """It is time for something."""
        what: Callable[[], None] = message.payload
        what()

    def _look(self) -> None:
        """Once a second: is it still there?"""
        self.wakeupAfter(PING_S, self._look)
        self.said.say_on()
        now = time.monotonic()
        if self.coming is not None and now - self.coming.connection.begun > INTRODUCTION_S:
            self._break(self.coming, "it has not introduced itself in time")
        if self.talk is not None:
            if now - self.talk.connection.heard > SILENT_S:
                self._break(self.talk, f"nothing was heard for {SILENT_S:g} s")
            else:
                self._write([Frame(PeerKind.PING, body=pack(Ping(sent=now)))])

    def _break(self, talk: Talk, reason: str) -> None:
        talk.connection.close()
        self._lost(talk.connection, reason)

    def receiveMsg_DescribeLink(self, message: DescribeLink, sender: ActorAddress) -> None:
        """`roundTripMs`: None as long as it is not known; `reason`: why there is no connection."""
        talk = self.talk
        row = {
            "peer": self.peer, "up": talk is not None, "incarnation": self.seen or None,
            "reason": None if talk is not None else self.said.now,
            "roundTripMs": None if talk is None or talk.round_trip_s is None else talk.round_trip_s * 1000,
            **self.figures.row(),
        }  # fmt: skip
        self.send(sender, LinkDescribed(round=message.round, row=row))

    def receiveMsg_BreakPeer(self, message: BreakPeer, _sender: ActorAddress) -> None:
        """What it says does not fit."""
        if self.talk is not None and self.talk.number == message.connection:
            self._break(self.talk, message.reason)

    # bytes ---------------------------------------------------------------------------------------------------------

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        """A connection can go on."""
        for talk in (self.talk, self.coming):
            if talk is not None and talk.connection.fd == message.fd and talk.connection.is_open:
                talk.connection.ready(message.events)
                self._read_on(talk.connection)
                return

    def _read_on(self, connection: Connection) -> None:
        if connection.is_open and connection.unread:
            self.send(self.address, TakeFrames())

    def receiveMsg_TakeFrames(self, _message: TakeFrames, _sender: ActorAddress) -> None:
        """The next portion of what TLS has."""
        for talk in (self.talk, self.coming):
            if talk is not None and talk.connection.unread:
                talk.connection.read()
                self._read_on(talk.connection)

    def receiveMsg_PeerFrames(self, message: PeerFrames, _sender: ActorAddress) -> None:
        """What a wire's end has for the other runner."""
        frames, connection = message
        if self.talk is not None and self.talk.number == connection:
            self._write(frames)

    def _write(self, frames: list[Frame]) -> None:
        """As soon as nobody else has anything to add."""
        assert self.talk is not None
        self.talk.connection.add(frames)
        if not self.queue:
            self.talk.connection.flush()
        elif not self.flushing:
            self.flushing = True
            self.send(self.address, Flush())

    def receiveMsg_Flush(self, _message: Flush, _sender: ActorAddress) -> None:
        """Nobody has anything to add."""
        self.flushing = False
        if self.talk is not None:
            self.talk.connection.flush()

    # the wires -----------------------------------------------------------------------------------------------------

    def receiveMsg_JoinPeer(self, message: JoinPeer, sender: ActorAddress) -> None:
        """One more end of a wire."""
        name = (message.flow, message.wire)
        self.figures.join((*name, message.sending), message.figures)
        if not message.sending:
            self.receiving[name] = sender
            if self.talk is not None:
                self.talk.joined(name)
            return
        if self.last_channel == MAX_CHANNEL:
            self._number_anew()
        self.last_channel += 1
        self.channels[name], self.sending[self.last_channel] = self.last_channel, sender
        if self.talk is not None:
            self.send(sender, PeerUp(channel=self.last_channel, connection=self.talk.number))

    def _number_anew(self) -> None:
        """A channel is not used twice on a connection: what is still under way might be taken for another wire's."""
        if self.talk is not None:
            self._break(self.talk, "its wires are numbered anew")
        ends = {name: self.sending[channel] for name, channel in self.channels.items()}
        self.channels = {name: channel for channel, name in enumerate(ends, 1)}
        self.sending.clear()
        self.sending.update({self.channels[name]: end for name, end in ends.items()})
        self.last_channel = len(ends)

    def receiveMsg_LeavePeer(self, message: LeavePeer, _sender: ActorAddress) -> None:
        """The end of a wire has gone."""
        name = (message.flow, message.wire)
        self.figures.leave((*name, message.sending))
        if message.sending:
            self.sending.pop(self.channels.pop(name, 0), None)
        else:
            self.receiving.pop(name, None)
            if self.talk is not None:
                self.talk.left(name)

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """We are not wanted any more."""
        for talk in (self.talk, self.coming):
            if talk is not None:
                talk.connection.close()
        self.talk = self.coming = None
