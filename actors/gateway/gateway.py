"""The Gateway actor: HTTP and WebSocket in the runner's own loop. It decides nothing about flows.

All its sockets are in an epoll of their own, which is one descriptor of the runner's: a slice serves a few of them, a
few KiB each, so that a flood of clients costs the flows less than a millisecond.
"""

from __future__ import annotations

import errno
import ipaddress
import select
import socket
import time
from functools import partial
from pathlib import Path

from thespian.actors import ActorAddress, ActorExitRequest, WakeupMessage

from actors.doors.caller import Caller
from actors.gateway import log
from actors.gateway.access import CLIENT_TOKEN_FILE, TOKEN_FILE, Access, token_of
from actors.gateway.asking import Asking
from actors.gateway.client import Client
from actors.gateway.http import Head, HttpRequest
from actors.gateway.pages import Pages
from actors.gateway.routes import Routes
from actors.gateway.tls import TlsSocket, certificates
from actors.messages.actor_to_itself import Flush
from actors.messages.gateway_to_owner import GatewayOpened
from actors.messages.owner_to_gateway import OpenGateway
from actors.messages.runner_to_client import Notification, Progress, Reply
from actors.messages.system_to_actor import Ready
from actors.system.base import BaseActor

SOCKETS_A_SLICE = 8
MAX_CLIENTS = 512
BACKLOG = 128
LOOK_S = 1.0
OWN = "gateway"
OTHER_PORT = "--serve HOST:PORT, or `gateway: {listen: HOST:PORT}`, names another port, 0 any that is free"


class GatewayActor(BaseActor):
    """Owns the listening socket and its clients."""

    def receiveMsg_OpenGateway(self, message: OpenGateway, sender: ActorAddress) -> None:
        """Begin to listen; the tokens are made, if there are none."""
        self.runner, order = message.runner, message.order
        self.clients: dict[int, Client] = {}  # by descriptor
        self.watched: dict[int, int] = {}  # what the epoll looks for
        self.callers: dict[str, tuple[Client, Caller]] = {}  # by name, those that have left, too
        self.waiting: set[Client] = set()  # something is to be sent to them
        self.count = 0
        try:
            self.tls = None
            if order.certificate is not None and order.key is not None:
                self.tls = certificates(order.certificate, order.key)
            token = order.token or token_of(message.state / TOKEN_FILE)
            client_token = token_of(message.state / CLIENT_TOKEN_FILE)
            family = socket.AF_INET6 if ":" in order.host else socket.AF_INET
            self.listener = socket.create_server((order.host, order.port), family=family, backlog=BACKLOG)
        except OSError as error:
            what = error.filename or f"{order.host}:{order.port}"
            why = str(error.strerror).partition(" (while")[0]  # what the socket module adds
            hint = f"; {OTHER_PORT}" if error.errno in (errno.EADDRINUSE, errno.EACCES) and not error.filename else ""
            self.send(sender, GatewayOpened(error=f"the gateway cannot be opened: {what}: {why}{hint}"))
            return
        self.listener.setblocking(False)
        if self.tls is None and not _is_loopback(self.listener):
            log.warning("the gateway listens on %s: whoever reads on the way there sees the token", order.host)
        shown = f"[{order.host}]" if ":" in order.host else order.host
        address = f"{'http' if self.tls is None else 'https'}://{shown}:{self.listener.getsockname()[1]}"
        asking = self.asking = Asking(OWN, partial(self.send, self.runner))
        access = Access(token, client_token, (address, *_local(address), *order.origins))
        self.routes = Routes(access, asking, Pages(None if order.pages is None else Path(order.pages)))
        self.epoll = select.epoll()
        self.epoll.register(self.listener.fileno(), select.EPOLLIN)
        self.system.watch(self.epoll.fileno(), select.EPOLLIN, self.myAddress)
        self.wakeupAfter(LOOK_S)
        self.send(sender, GatewayOpened(address=address, token=token, client_token=client_token))

    # sockets -------------------------------------------------------------------------------------------------------

    def receiveMsg_Ready(self, _message: Ready, _sender: ActorAddress) -> None:
        """A slice of what clients want."""
        now = time.monotonic()
        for fd, events in self.epoll.poll(0, SOCKETS_A_SLICE):
            if fd == self.listener.fileno():
                self._accept(now)
            elif (client := self.clients.get(fd)) is not None:
                self._serve(client, partial(client.ready, events, now))
        self._send_waiting()

    def _serve(self, client: Client, what: partial[None]) -> None:
        fd = client.fd
        try:
            what()
        except BlockingIOError:
            pass
        except OSError:
            client.end()
        except Exception:  # whatever a client does, the others are served
            self.system.failures += 1
            log.exception("a client could not be served")
            client.end()
        self._settle(fd, client)

    def _settle(self, fd: int, client: Client) -> None:
        if client.is_over:
            if self.clients.pop(fd, None) is not None:
                del self.watched[fd]  # the epoll has forgotten the closed socket by itself
            return
        if client.events != self.watched[fd]:
            self.watched[fd] = client.events
            self.epoll.modify(fd, client.events)

    def _accept(self, now: float) -> None:
        try:
            sock, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # out of descriptors: it would be ready again at once
            log.error("a client could not be let in: %s", error.strerror)
            self.epoll.modify(self.listener.fileno(), 0)
            return
        if len(self.clients) >= MAX_CLIENTS and not self._make_room():
            sock.close()
            return
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = Client(sock if self.tls is None else TlsSocket(self.tls.get(), sock), self, now)
        except OSError:  # it has gone already
            sock.close()
            return
        self.clients[client.fd] = client
        self.watched[client.fd] = client.events
        self.epoll.register(client.fd, client.events)

    def _make_room(self) -> bool:
        """The oldest goes that has not asked for anything: whoever means it asks within milliseconds."""
        silent = next((client for client in self.clients.values() if client.is_new), None)
        if silent is not None:
            self._serve(silent, partial(silent.end))
        return silent is not None

    def receiveMsg_Flush(self, _message: Flush, _sender: ActorAddress) -> None:
        """What was asked by those that have just been answered."""
        self._send_waiting()

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """Once a second: who has been waited for long enough?"""
        self.wakeupAfter(LOOK_S)
        self.epoll.modify(self.listener.fileno(), select.EPOLLIN)
        now = time.monotonic()
        self.routes.agents.look(now)
        for client in list(self.clients.values()):
            self._serve(client, partial(client.look, now))
        self._send_waiting()

    def _send_waiting(self) -> None:
        """What has been answered meanwhile; requests that have waited for that are next."""
        now = time.monotonic()
        waiting, self.waiting = self.waiting, set()
        for client in waiting:
            if not client.is_over:
                self._serve(client, partial(client.go_on, now))
        if self.waiting:  # by what has just been asked
            self.send(self.address, Flush())

    # what a client asks (see client.Site) --------------------------------------------------------------------------

    def admit(self, head: Head) -> None:
        """Before the body is read. Raises HttpError."""
        self.routes.admit(head)

    def route(self, client: Client, request: HttpRequest) -> None:
        """Answer, now or later. Raises HttpError."""
        self.routes.route(client, request)

    def cors(self, head: Head) -> dict[str, str]:
        """What the pages of other origins need to read an answer."""
        return self.routes.cors(head)

    def has_output(self, client: Client) -> None:
        """It is sent when this slice is over."""
        self.waiting.add(client)

    def caller(self, client: Client) -> Caller:
        """One for each client that calls."""
        self.count += 1
        name = f"client-{self.count}"
        caller = Caller(name, partial(self.send, self.runner), client.answered, client.told, client.has_room)
        self.callers[name] = client, caller
        return caller

    def has_left(self, caller: Caller) -> None:
        """Its name is needed as long as answers come."""
        if not caller.in_flight:
            self.callers.pop(caller.name, None)

    # answers of the runner -----------------------------------------------------------------------------------------

    def receiveMsg_Reply(self, message: Reply, _sender: ActorAddress) -> None:
        """To whoever has asked."""
        name = message.request_id.partition(".")[0]
        if name == OWN:
            self.asking.answered(message)
        else:
            client, caller = self.callers[name]
            caller.answer(message)
            if caller.has_left:
                self.has_left(caller)
            self.waiting.add(client)
        self._send_waiting()

    def receiveMsg_Progress(self, message: Progress, _sender: ActorAddress) -> None:
        """How far a call is."""
        if (found := self.callers.get(message.request_id.partition(".")[0])) is not None:
            found[1].progress(message)
            self._send_waiting()

    def receiveMsg_Notification(self, message: Notification, _sender: ActorAddress) -> None:
        """A subscription is told something; it may have ended meanwhile."""
        if (found := self.callers.get(message.request_id.partition(".")[0])) is not None:
            found[1].notify(message)
            self._send_waiting()

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """Nobody is served any more."""
        for client in list(self.clients.values()):
            client.end()
        self.system.unwatch(self.epoll.fileno())
        self.epoll.close()
        self.listener.close()


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def _local(address: str) -> tuple[str, ...]:
    """A page on this machine may call it by its other name."""
    return (address.replace("127.0.0.1", "localhost"),) if "127.0.0.1" in address else ()
