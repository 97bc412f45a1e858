"""The Listener actor: takes connections of other runners until they have shown who they are, then peers have them.

Before that a connection costs nothing but a descriptor: they are few, for a short time, and nothing that they send is
more than TLS looks at.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Iterator

from thespian.actors import ActorAddress, ActorExitRequest, WakeupMessage

from actors.links import log
from actors.links.connection import Connection
from actors.messages.link_to_owner import Listening
from actors.messages.owner_to_link import ChangePeers, StartListener, TakeConnection
from actors.messages.system_to_actor import Ready
from actors.system.base import BaseActor
from actors.system.gate import Gate
from actors.system.turnstile import MAX_FROM_ONE
from runtimes.frames import Frame, ProtocolError

MAX_STRANGERS = 200  # connections that have not shown who they are
STRANGER_S = 5.0
LOOK_S = 1.0
ACCEPTED_AT_ONCE = 64
BACKLOG = 128
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class ListenerActor(BaseActor):
    """One per runner that has peers."""

    def receiveMsg_StartListener(self, message: StartListener, sender: ActorAddress) -> None:
        """Listen, if the place is free."""
        self.peers, self.contexts = message.peers, message.contexts
        self.strangers: dict[int, Connection] = {}  # by descriptor
        self.sources: dict[int, str] = {}
        self.said: dict[str, float] = {}  # when something was logged of a source last
        self.resting = False
        self.listener: socket.socket | None = None
        host, port = message.place
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self.listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            self.send(sender, Listening(error=f"{host}:{port}: {error.strerror or error}"))
            return
        self.listener.setblocking(False)
        self.gate = Gate(self.listener, host)
        self.system.watch(self.listener.fileno(), select.EPOLLIN, self.address)
        self.wakeupAfter(LOOK_S)
        self.send(sender, Listening(port=self.listener.getsockname()[1]))

    def receiveMsg_ChangePeers(self, message: ChangePeers, _sender: ActorAddress) -> None:
        """Others may come now."""
        self.peers = message.peers

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        """Somebody comes, or says something."""
        assert self.listener is not None
        if message.fd == self.listener.fileno():
            self._accept(self.listener)
        elif message.fd in self.strangers:
            self.strangers[message.fd].ready(message.events)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client, source = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:  # it would be ready again and again
                    self._say("the listener", f"no connection can be accepted: {error.strerror}")
                    self.resting = True
                    self.system.unwatch(listener.fileno())
                    return
                continue  # that one has gone already
            if not self.gate.admits(source[0], time.monotonic()):
                client.close()
                self._say(source[0], f"refused: it makes more than {MAX_FROM_ONE} in a second, or others do")
                continue
            if len(self.strangers) >= MAX_STRANGERS:  # whoever means it has shown who he is in a few milliseconds
                oldest = next(iter(self.strangers.values()))
                oldest.close()
                self._forget(oldest, f"refused: {MAX_STRANGERS} others came, and it has not shown yet who it is")
            connection = Connection(
                self, client, self.contexts.server, self._shown, self._hear_nobody, self._lost, server=True
            )  # fmt: skip
            self.strangers[connection.fd], self.sources[connection.fd] = connection, source[0]

    def _hear_nobody(self, _frames: Iterator[Frame]) -> None:
        """Nothing is read before a peer has it."""

    def _shown(self, connection: Connection) -> None:
        peer = self.peers.get(connection.name or "")
        if peer is None:
            raise ProtocolError(f"it is the runner {connection.name}, which is no peer of this one")
        del self.strangers[connection.fd], self.sources[connection.fd]
        connection.rest()
        self.send(peer, TakeConnection(connection=connection))

    def _lost(self, connection: Connection, reason: str) -> None:
        self._forget(connection, f"refused: {reason}")

    def _forget(self, connection: Connection, reason: str) -> None:
        del self.strangers[connection.fd]
        self._say(self.sources.pop(connection.fd), reason)

    def _say(self, source: str, text: str) -> None:
        """Once a second of each source."""
        now = time.monotonic()
        if now - self.said.get(source, -LOOK_S) >= LOOK_S:
            self.said[source] = now
            log.warning("a connection from %s: %s", source, text)

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """Once a second: who has taken too long?"""
        self.wakeupAfter(LOOK_S)
        now = time.monotonic()
        if self.listener is not None:
            self.gate.look(now)
        self.said = {source: when for source, when in self.said.items() if now - when < LOOK_S}
        for connection in [one for one in self.strangers.values() if now - one.begun > STRANGER_S]:
            connection.close()
            self._forget(connection, f"refused: it has not shown in {STRANGER_S:g} s who it is")
        if self.resting and self.listener is not None:
            self.resting = False
            self.system.watch(self.listener.fileno(), select.EPOLLIN, self.address)

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """Close the port and what has not shown who it is."""
        for connection in self.strangers.values():
            connection.close()
        if self.listener is not None:
            self.system.unwatch(self.listener.fileno())
            self.listener.close()
            self.listener = None
