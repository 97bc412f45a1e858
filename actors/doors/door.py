"""The Door actor: the Runner API on a Unix socket, JSON-RPC 2.0, a line each way. It decides nothing.

A client that does not read its answers is not read from either; it never blocks the runner.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from thespian.actors import ActorAddress, WakeupMessage

from actors.doors import rpc, unix_socket
from actors.doors.caller import Caller
from actors.messages.door_to_owner import DoorOpened
from actors.messages.owner_to_door import OpenDoor
from actors.messages.runner_to_client import Notification, Progress, Reply
from actors.messages.system_to_actor import Ready
from actors.system.base import BaseActor
from actors.system.in_process import ActorSystem

SOCKET_NAME, NAME_FILE, DEPLOYMENT_FILE = "api.sock", "name", "deployment"
OPEN_TIMEOUT_S = 10.0
MAX_CONNECTIONS = 64
MAX_LINE_BYTES = 64 << 20
OUTPUT_HIGH_BYTES = 1 << 20  # more answers than this waiting: the connection is not read
MAX_OUTPUT_BYTES = 128 << 20
READ_BYTES = 256 << 10
ACCEPT_AGAIN_S = 1.0
_OF_A_HOST = rpc.failure(None, rpc.REFUSED, "the API is not for modules: this process belongs to a host")
_TOO_MANY = rpc.failure(None, rpc.REFUSED, f"{MAX_CONNECTIONS} connections are open, more are not taken")
log = logging.getLogger("runner.door")


@dataclass(slots=True)
class Connection:
    """A client's socket: what it has sent of a line, and what it has not read yet."""

    socket: socket.socket
    input: bytearray = field(default_factory=bytearray)
    searched: int = 0  # bytes of `input` without a line feed
    output: bytearray = field(default_factory=bytearray)
    ended: bool = False  # it sends no more
    events: int = select.EPOLLIN

    def has_room(self) -> bool:
        """Whether the client has read most of what it was told."""
        return len(self.output) <= OUTPUT_HIGH_BYTES


class DoorActor(BaseActor):
    """Owns the listening socket and its connections."""

    def receiveMsg_OpenDoor(self, message: OpenDoor, sender: ActorAddress) -> None:
        """Begin to listen; only the owner may connect."""
        self.runner = message.runner
        self.connections: dict[int, tuple[Connection, Caller]] = {}  # by descriptor
        self.callers: dict[str, tuple[Connection, Caller]] = {}  # by name, those that have left, too
        self.count = 0
        try:
            self.listener = unix_socket.listen(message.folder / SOCKET_NAME)
        except OSError as error:
            self.send(sender, DoorOpened(error=f"{message.folder / SOCKET_NAME}: {error.strerror}"))
            return
        self.system.watch(self.listener.fileno(), select.EPOLLIN, self.myAddress)
        self.send(sender, DoorOpened())

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        """A new client, a request, or room for an answer."""
        if message.fd == self.listener.fileno():
            self._accept()
        elif (client := self.connections.get(message.fd)) is not None:
            self._serve(*client, message.events)

    def _serve(self, connection: Connection, caller: Caller, events: int) -> None:
        try:
            if events & select.EPOLLOUT:
                self._write(connection, caller)
            if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and not connection.ended:
                self._read(connection, caller)
        except OSError:
            self._drop(connection, caller)
        else:
            self._settle(connection, caller)

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """Try to accept again."""
        self.system.watch(self.listener.fileno(), select.EPOLLIN, self.myAddress)

    def receiveMsg_Reply(self, message: Reply, _sender: ActorAddress) -> None:
        """The runner's answer goes to whoever asked."""
        connection, caller = self.callers[message.request_id.partition(".")[0]]
        caller.answer(message)
        if caller.has_left:
            self._forget(caller)
            return
        try:
            self._take_lines(connection, caller)
        except OSError:
            self._drop(connection, caller)
        else:
            self._serve(connection, caller, select.EPOLLOUT)

    def receiveMsg_Progress(self, message: Progress, _sender: ActorAddress) -> None:
        """Something to tell while a call is under way."""
        connection, caller = self.callers[message.request_id.partition(".")[0]]
        caller.progress(message)
        if not caller.has_left:
            self._serve(connection, caller, select.EPOLLOUT)

    def receiveMsg_Notification(self, message: Notification, _sender: ActorAddress) -> None:
        """A subscription is told something; it may have ended meanwhile."""
        if (found := self.callers.get(message.request_id.partition(".")[0])) is None:
            return
        connection, caller = found
        caller.notify(message)
        if not caller.has_left:
            self._serve(connection, caller, select.EPOLLOUT)

    def _accept(self) -> None:
        try:
            client, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # out of descriptors: it would be ready again at once
            log.error("a client could not be let in: %s", error.strerror)
            self.system.unwatch(self.listener.fileno())
            self.wakeupAfter(ACCEPT_AGAIN_S)
            return
        client.setblocking(False)
        refusal = _TOO_MANY if len(self.connections) >= MAX_CONNECTIONS else None
        of_a_host = unix_socket.is_of_a_host(client)
        if of_a_host is None:  # nor is anybody there for an answer
            client.close()
            return
        if of_a_host:
            log.warning("a module's process has tried to use the API; it was refused")
            refusal = _OF_A_HOST
        if refusal is not None:
            with client, contextlib.suppress(OSError):
                client.send(refusal)  # fits into the empty buffer of a new socket
            return
        self.count += 1
        connection = Connection(client)
        say = connection.output.extend
        caller = Caller(
            f"door-{self.count}", partial(self.send, self.runner), say, tell=say, has_room=connection.has_room
        )
        self.connections[client.fileno()] = self.callers[caller.name] = connection, caller
        self.system.watch(client.fileno(), select.EPOLLIN, self.myAddress)

    def _read(self, connection: Connection, caller: Caller) -> None:
        try:
            data = connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            connection.ended = True
            return
        connection.input += data
        self._take_lines(connection, caller)
        if len(connection.input) > MAX_LINE_BYTES and not _is_full(connection, caller):
            text = f"a line is longer than {MAX_LINE_BYTES} bytes; the connection is closed"
            connection.output += rpc.failure(None, rpc.INVALID_REQUEST, text)
            connection.input.clear()
            connection.ended = True
        self._write(connection, caller)

    def _take_lines(self, connection: Connection, caller: Caller) -> None:
        start = 0
        while not _is_full(connection, caller):
            end = connection.input.find(b"\n", max(start, connection.searched))
            if end < 0:
                connection.searched = len(connection.input) - start
                break
            line, start = bytes(connection.input[start:end]), end + 1
            connection.searched = 0
            if line.strip():
                caller.take(line)
        del connection.input[:start]

    def _write(self, connection: Connection, caller: Caller) -> None:
        while connection.output:
            try:
                sent = connection.socket.send(memoryview(connection.output)[:READ_BYTES])
            except BlockingIOError:
                break
            del connection.output[:sent]
        if len(connection.output) <= OUTPUT_HIGH_BYTES and connection.input:
            self._take_lines(connection, caller)

    def _settle(self, connection: Connection, caller: Caller) -> None:
        """Close what is over; otherwise watch for what is wanted next."""
        if len(connection.output) > MAX_OUTPUT_BYTES:
            log.error("a client of the API does not read its answers: %d bytes wait", len(connection.output))
            self._drop(connection, caller)
            return
        if connection.ended and not connection.output and not caller.in_flight:
            self._drop(connection, caller)
            return
        events = select.EPOLLOUT if connection.output else 0
        if not connection.ended and not _is_full(connection, caller):
            events |= select.EPOLLIN
        if events != connection.events:
            connection.events = events
            self._watch(connection, events)

    def _watch(self, connection: Connection, events: int) -> None:
        fd = connection.socket.fileno()
        if events:
            self.system.watch(fd, events, self.myAddress)
        else:  # a closed client would be reported for ever
            self.system.unwatch(fd)

    def _drop(self, connection: Connection, caller: Caller) -> None:
        fd = connection.socket.fileno()
        self.system.unwatch(fd)
        del self.connections[fd]
        connection.socket.close()
        caller.leave()
        self._forget(caller)

    def _forget(self, caller: Caller) -> None:
        if not caller.in_flight:
            del self.callers[caller.name]


def _is_full(connection: Connection, caller: Caller) -> bool:
    return caller.is_full or len(connection.output) > OUTPUT_HIGH_BYTES


def be_member(folder: Path, deployment: str) -> None:
    """The runner is one of several of a deployment: its door is for those who name it. Before the door is opened."""
    (folder / DEPLOYMENT_FILE).write_text(deployment, "utf-8")


def open_door(system: ActorSystem, runner: ActorAddress, folder: Path, name: str) -> str | None:
    """Let clients in, under the runner's name; says why not, if it cannot be."""
    door = system.createActor(DoorActor)
    (folder / NAME_FILE).write_text(name, "utf-8")
    opened = system.ask(door, OpenDoor(folder=folder, runner=runner), OPEN_TIMEOUT_S)
    return opened.error if isinstance(opened, DoorOpened) else "the door does not answer"
