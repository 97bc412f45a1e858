"""One client of the gateway: its socket, what it speaks, what it has not read yet, and how long it is waited for."""

from __future__ import annotations

import contextlib
import math
import select
import socket
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple, Protocol

from actors.doors.caller import Caller
from actors.gateway.http import Head, HttpError, HttpRequest, HttpStream
from actors.gateway.page import Page
from actors.gateway.tls import TlsSocket
from actors.gateway.websocket import WebSocket

READ_BYTES = 16 << 10
SEND_BYTES = 256 << 10
HIGH_BYTES = 1 << 20  # more than this waits to be read: nothing more is read from it
MAX_OUTPUT_BYTES = MAX_IGNORED_BYTES = 16 << 20
HEAD_S, BODY_S, IDLE_S, PONG_S, CLOSE_S, BEAT_S = 5.0, 30.0, 30.0, 5.0, 2.0, 15.0
LINE = "text/plain; charset=utf-8"
SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; script-src 'self' blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


class Site(Protocol):
    """Who decides what a client gets."""

    def admit(self, head: Head) -> None:
        """Before the body is read; may raise HttpError."""

    def route(self, client: Client, request: HttpRequest) -> None:
        """Answer, now or later; may raise HttpError."""

    def cors(self, head: Head) -> dict[str, str]:
        """Headers for the answer to a page of another origin."""

    def caller(self, client: Client) -> Caller:
        """That of the API's calls of this client."""

    def has_left(self, caller: Caller) -> None:
        """Nobody is there for its answers any more."""

    def has_output(self, client: Client) -> None:
        """Something is to be sent."""


class _Stream(NamedTuple):
    """An answer without end."""

    read: Callable[[], None]
    gone: Callable[[], None]
    beat: bytes


class Client:
    """Speaks HTTP until it has asked for a WebSocket."""

    def __init__(self, sock: socket.socket | TlsSocket, site: Site, now: float) -> None:
        self.socket, self._site = sock, site
        self._tls = sock if isinstance(sock, TlsSocket) else None
        self._http = HttpStream(site.admit)
        self._websocket: WebSocket | None = None
        self._output = bytearray()
        self._caller: Caller | None = None
        self._page: Page | None = None
        self._stream: _Stream | None = None
        self._answering = self._is_last = self._lingers = self._pinged = False
        self._cors: dict[str, str] = {}
        self.is_new = True  # it has not asked for anything yet
        self.is_over = False
        self._touched = self._began = now
        self._ignored = 0  # bytes that came too late

    # what the actor asks -------------------------------------------------------------------------------------------

    @property
    def fd(self) -> int:
        """The descriptor, -1 once it is over."""
        return self.socket.fileno()

    @property
    def events(self) -> int:
        """What its socket is to be watched for."""
        if self._lingers:
            return select.EPOLLIN
        wanted = select.EPOLLOUT if self._output or (self._tls is not None and self._tls.wants_to_write) else 0
        if self._stream is not None:
            wanted |= select.EPOLLRDHUP
        if not self._answering and not self._is_last and not self.is_full:
            wanted |= select.EPOLLIN
        return wanted

    @property
    def is_full(self) -> bool:
        """Whether it has to read, or to wait for answers, before more of what it says is listened to."""
        speaker = self._caller if self._page is None else self._page
        return len(self._output) > HIGH_BYTES or (speaker is not None and speaker.is_full)

    def ready(self, events: int, now: float) -> None:
        """The socket can go on. Raises OSError when it cannot."""
        if events & (select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP) and not events & select.EPOLLIN:
            self.end()
            return
        if self._lingers:
            data = self.socket.recv(READ_BYTES)
            self._ignored += len(data)
            if not data or self._ignored > MAX_IGNORED_BYTES:
                self.end()
            return
        if events & select.EPOLLIN or self._tls is not None:
            with contextlib.suppress(BlockingIOError):
                self._receive(now)
        self.flush(now)

    def _receive(self, now: float) -> None:
        """A portion; of TLS there may be more that no event tells of."""
        if self._answering or self._is_last:
            return
        data = self.socket.recv(READ_BYTES)
        self._touched, self._pinged = now, False
        self._take(data, now)
        if self._tls is not None and self._tls.has_more:
            self._site.has_output(self)

    def flush(self, now: float) -> None:
        """Send what it has room for. Raises OSError."""
        while self._output and not self.is_over:
            try:
                sent = self.socket.send(memoryview(self._output)[:SEND_BYTES])
            except BlockingIOError:
                break
            del self._output[:sent]
            self._touched = now
        if len(self._output) > MAX_OUTPUT_BYTES:
            self.end()
        elif not self._output and self._is_last and not self._lingers:
            self._linger()
        elif self._stream is not None and len(self._output) < HIGH_BYTES:
            self._stream.read()
        elif self._page is not None and len(self._output) < HIGH_BYTES:
            self._page.read()

    def _linger(self) -> None:
        """Whatever it still says is not listened to, but read: else the kernel throws away what it was told last."""
        self._lingers = True
        self.socket.shutdown(socket.SHUT_WR)

    def look(self, now: float) -> None:
        """Once a second: has it been waited for long enough? Raises OSError."""
        if self._stream is not None and self._stream.beat and not self._output and now - self._touched > BEAT_S:
            self.more(self._stream.beat)
        since, limit_s = self._limit()
        if now - since <= limit_s:
            return
        if self._websocket is None or self._is_last or self._pinged or self._output:
            self.end()
            return
        self._pinged, self._touched = True, now
        self._websocket.ping()
        self._say(self._websocket.said())
        self.flush(now)

    def _limit(self) -> tuple[float, float]:
        """From when on, and for how long, it is waited for as things are."""
        if self._is_last:
            return self._touched, CLOSE_S
        if self._websocket is not None:
            return self._touched, PONG_S if self._pinged else IDLE_S
        if self._output:
            return self._touched, IDLE_S
        if self._answering:
            return self._touched, math.inf
        if self._http.has_begun or self.is_new:
            return self._began, BODY_S if self._http.in_body else HEAD_S
        return self._touched, IDLE_S

    def end(self) -> None:
        """It is no more."""
        if self.is_over:
            return
        self.is_over = True
        self.socket.close()
        if self._caller is not None:
            self._caller.leave()
            self._site.has_left(self._caller)
        if self._page is not None and self._websocket is not None:
            self._page.leave(self._websocket.close_code)
        if self._stream is not None:
            self._stream.gone()
            self._stream = None

    # what it says --------------------------------------------------------------------------------------------------

    def _take(self, data: bytes, now: float) -> None:
        if self._websocket is not None:
            self._frames(data)
            return
        if not self._http.has_begun and not self.is_new:
            self._began = now
        try:
            self._http.feed(data)
            self._requests()
        except HttpError as error:
            self.refuse(error, last=True)
        if not data and not self._answering:
            self._is_last = True

    def _requests(self) -> None:
        while not self._answering and not self._is_last and self._websocket is None:
            request, said = self._http.next()
            self._say(said)
            if request is None:
                return
            self._answering, self.is_new, self._cors = True, False, self._site.cors(request.head)
            try:
                self._site.route(self, request)
            except HttpError as error:
                self.refuse(error)

    def _frames(self, data: bytes) -> None:
        assert self._websocket is not None
        speaker = self._caller if self._page is None else self._page
        assert speaker is not None
        for message in self._websocket.feed(data) if data else ():
            speaker.take(message)
        self._say(self._websocket.said())
        self._is_last |= not data or self._websocket.is_ending

    def _say(self, data: bytes) -> None:
        if data:
            self._output += data
            self._site.has_output(self)

    # what it is told -----------------------------------------------------------------------------------------------

    def upgrade(self, head: Head, origins: tuple[str, ...], page: Page | None = None) -> None:
        """It speaks WebSocket from now on, JSON-RPC in each message, or what a page does. Raises HttpError."""
        websocket = WebSocket(head, origins, binary=page is not None)
        rest = self._http.rest
        self._websocket, self._answering = websocket, False
        if page is None:
            self._caller = self._site.caller(self)
        self._page = page
        self._say(websocket.said())
        if rest:
            self._frames(rest)

    def call(self, line: bytes) -> None:
        """The body of a request is JSON-RPC; its answer is the answer."""
        if self._caller is None:
            self._caller = self._site.caller(self)
        if not self._caller.take(line):
            self.answer(HTTPStatus.NO_CONTENT, "", b"")

    def answered(self, line: bytes) -> None:
        """What a call of the API gives."""
        if self._websocket is not None:
            self._websocket.say(line.rstrip(b"\n"))
            self._say(self._websocket.said())
        elif self._answering:
            self.answer(HTTPStatus.OK, "application/json", line)

    def push(self, message: bytes) -> None:
        """Tell the page something."""
        if self._websocket is not None:
            self._websocket.say(message)
            self._say(self._websocket.said())

    def go_on_later(self) -> None:
        """It may be listened to again."""
        if not self.is_over:
            self._site.has_output(self)

    def turn_away(self, code: int, reason: str) -> None:
        """The page is told to go, and why."""
        if self._websocket is not None and not self.is_over:
            self._websocket.close(code, reason)
            self._say(self._websocket.said())

    def has_room(self) -> bool:
        """Whether it has read most of what it was told."""
        return len(self._output) <= HIGH_BYTES

    def told(self, line: bytes) -> None:
        """How far a call is."""
        if self._websocket is not None:
            self.answered(line)

    def answer(
        self, status: int, kind: str, body: bytes, headers: Mapping[str, str] | None = None, last: bool = False
    ) -> None:
        """Answer a request; `last`: the connection ends with it."""
        told = {**SECURITY, **self._cors, **(headers or {})} | ({"content-type": kind} if kind else {})
        self._say(self._http.answer(status, told, body, last))
        self._answered(last)

    def begin(self, kind: str, read: Callable[[], None], gone: Callable[[], None], beat: bytes = b"") -> None:
        """An answer without end: `read` is called whenever there is room for more of it, `gone` when the client is;
        `beat` is said when nothing else is for a while.
        """
        self._say(self._http.begin(HTTPStatus.OK, {**SECURITY, **self._cors, "content-type": kind}))
        self._stream = _Stream(read, gone, beat)

    def more(self, data: bytes) -> None:
        """A part of it."""
        self._say(self._http.more(data))

    def finish(self) -> None:
        """The end of it."""
        self._say(self._http.end())
        self._stream = None
        self._answered(last=False)

    def _answered(self, last: bool) -> None:
        self._answering = False
        self._is_last |= last or self._http.is_over

    def go_on(self, now: float) -> None:
        """What has come while the request before was answered. Raises OSError."""
        if not self.is_over and self._websocket is None and not self._answering and not self._is_last:
            try:
                self._requests()
            except HttpError as error:
                self.refuse(error, last=True)
        if not self.is_over and self._tls is not None and self._tls.has_more and not self.is_full:
            with contextlib.suppress(BlockingIOError):
                self._receive(now)
        if not self.is_over:
            self.flush(now)

    def refuse(self, error: HttpError, last: bool = False) -> None:
        """Say no; `last`: and nothing more."""
        if not self._http.may_answer:
            self._is_last = True
            return
        self.answer(error.status, LINE, f"{error}\n".encode(), error.headers, last)
