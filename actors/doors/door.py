"""The Door actor: the Runner API on a Unix socket, JSON-RPC 2.0, a line each way. It decides nothing.

A client that does not read its answers is not read from either; it never blocks the runner.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
from dataclasses import dataclass, field
from pathlib import Path

from thespian.actors import ActorAddress, WakeupMessage

from actors.doors import rpc, unix_socket
from actors.messages.client_to_runner import EndTap, TapPort
from actors.messages.runner_to_client import Progress, Reply
from actors.messages.system_to_actor import Ready
from actors.system.base import BaseActor
from actors.system.in_process import ActorSystem

SOCKET_NAME, NAME_FILE = "api.sock", "name"
OPEN_TIMEOUT_S = 10.0
MAX_CONNECTIONS = 64
MAX_LINE_BYTES = 64 << 20
MAX_CALLS_IN_FLIGHT = 256  # per connection
OUTPUT_HIGH_BYTES = 1 << 20  # more answers than this waiting: the connection is not read
MAX_OUTPUT_BYTES = 128 << 20
READ_BYTES = 256 << 10
ACCEPT_AGAIN_S = 1.0
_OF_A_HOST = rpc.failure(None, rpc.REFUSED, "the API is not for modules: this process belongs to a host")
_TOO_MANY = rpc.failure(None, rpc.REFUSED, f"{MAX_CONNECTIONS} connections are open, more are not taken")
log = logging.getLogger("runner.door")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDoor:
    """Listen in `folder`; pass requests on to `runner`. Answered with DoorOpened."""

    folder: Path
    runner: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorOpened:
    """Clients can connect; or `error` says why not."""

    error: str | None = None


@dataclass(slots=True)
class Connection:
    """One client: what it has sent of a line, and what it has not read yet."""

    number: int
    socket: socket.socket
    input: bytearray = field(default_factory=bytearray)
    searched: int = 0  # bytes of `input` without a line feed
    output: bytearray = field(default_factory=bytearray)
    in_flight: int = 0
    ended: bool = False  # it sends no more
    taps: set[str] = field(default_factory=set)  # which it has opened
    events: int = select.EPOLLIN


class DoorActor(BaseActor):
    """Owns the listening socket and its connections."""

    def receiveMsg_OpenDoor(self, message: OpenDoor, sender: ActorAddress) -> None:
        """Begin to listen; only the owner may connect."""
        self.runner = message.runner
        self.connections: dict[int, Connection] = {}
        self.calls: dict[str, tuple[Connection, rpc.Call]] = {}
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
        elif (connection := self.connections.get(message.fd)) is not None:
            try:
                if message.events & select.EPOLLOUT:
                    self._write(connection)
                if message.events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and not connection.ended:
                    self._read(connection)
            except OSError:
                self._drop(connection)
            else:
                self._settle(connection)

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """Try to accept again."""
        self.system.watch(self.listener.fileno(), select.EPOLLIN, self.myAddress)

    def receiveMsg_Reply(self, message: Reply, _sender: ActorAddress) -> None:
        """The runner's answer goes to whoever asked, unless it has left."""
        connection, call = self.calls.pop(message.request_id)
        connection.in_flight -= 1
        left = self.connections.get(connection.socket.fileno()) is not connection
        if isinstance(call.request, TapPort) and message.ok:
            connection.taps.add(message.value)
            if left:
                self._end_taps(connection)
        if left:
            return
        if not call.notification:
            connection.output += rpc.answer(call.id, message)
        try:
            self._take_lines(connection)
            self._write(connection)
        except OSError:
            self._drop(connection)
        else:
            self._settle(connection)

    def receiveMsg_Progress(self, message: Progress, _sender: ActorAddress) -> None:
        """Something to tell while a call is under way."""
        connection, call = self.calls[message.request_id]
        if call.notification or self.connections.get(connection.socket.fileno()) is not connection:
            return
        connection.output += rpc.progress(call.id, message.text)
        try:
            self._write(connection)
        except OSError:
            self._drop(connection)
        else:
            self._settle(connection)

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
        if unix_socket.is_of_a_host(client):
            log.warning("a module's process has tried to use the API; it was refused")
            refusal = _OF_A_HOST
        if refusal is not None:
            with client, contextlib.suppress(OSError):
                client.send(refusal)  # fits into the empty buffer of a new socket
            return
        self.count += 1
        self.connections[client.fileno()] = Connection(self.count, client)
        self.system.watch(client.fileno(), select.EPOLLIN, self.myAddress)

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            connection.ended = True
            return
        connection.input += data
        self._take_lines(connection)
        if len(connection.input) > MAX_LINE_BYTES and not self._is_full(connection):
            text = f"a line is longer than {MAX_LINE_BYTES} bytes; the connection is closed"
            connection.output += rpc.failure(None, rpc.INVALID_REQUEST, text)
            connection.input.clear()
            connection.ended = True
        self._write(connection)

    def _take_lines(self, connection: Connection) -> None:
        start = 0
        while not self._is_full(connection):
            end = connection.input.find(b"\n", max(start, connection.searched))
            if end < 0:
                connection.searched = len(connection.input) - start
                break
            line, start = bytes(connection.input[start:end]), end + 1
            connection.searched = 0
            if line.strip():
                self._take(connection, line)
        del connection.input[:start]

    def _take(self, connection: Connection, line: bytes) -> None:
        self.count += 1
        request_id = f"door-{self.count}"
        call = rpc.parse(line, request_id)
        if isinstance(call, rpc.Call):
            self.calls[request_id] = connection, call
            connection.in_flight += 1
            self.send(self.runner, call.request)
        elif call is not None:
            connection.output += call

    def _is_full(self, connection: Connection) -> bool:
        return connection.in_flight >= MAX_CALLS_IN_FLIGHT or len(connection.output) > OUTPUT_HIGH_BYTES

    def _write(self, connection: Connection) -> None:
        while connection.output:
            try:
                sent = connection.socket.send(memoryview(connection.output)[:READ_BYTES])
            except BlockingIOError:
                break
            del connection.output[:sent]
        if len(connection.output) <= OUTPUT_HIGH_BYTES and connection.input:
            self._take_lines(connection)

    def _settle(self, connection: Connection) -> None:
        """Close what is over; otherwise watch for what is wanted next."""
        if len(connection.output) > MAX_OUTPUT_BYTES:
            log.error("a client of the API does not read its answers: %d bytes wait", len(connection.output))
            self._drop(connection)
            return
        if connection.ended and not connection.output and not connection.in_flight:
            self._drop(connection)
            return
        events = select.EPOLLOUT if connection.output else 0
        if not connection.ended and not self._is_full(connection):
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

    def _drop(self, connection: Connection) -> None:
        fd = connection.socket.fileno()
        self.system.unwatch(fd)
        del self.connections[fd]
        connection.socket.close()
        self._end_taps(connection)

    def _end_taps(self, connection: Connection) -> None:
        """Nobody reads them any more."""
        for tap_id in connection.taps:
            self.count += 1
            request = EndTap(request_id=f"door-{self.count}", tap_id=tap_id)
            self.calls[request.request_id] = connection, rpc.Call(id=None, request=request, notification=True)
            self.send(self.runner, request)
        connection.taps.clear()


def open_door(system: ActorSystem, runner: ActorAddress, folder: Path, name: str) -> str | None:
    """Let clients in, under the runner's name; says why not, if it cannot be."""
    door = system.createActor(DoorActor)
    (folder / NAME_FILE).write_text(name, "utf-8")
    opened = system.ask(door, OpenDoor(folder=folder, runner=runner), OPEN_TIMEOUT_S)
    return opened.error if isinstance(opened, DoorOpened) else "the door does not answer"
