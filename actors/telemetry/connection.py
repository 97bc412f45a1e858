"""A connection to a collector: posts bodies one after the other, never blocks. It does not know what they mean."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import ssl
from typing import NamedTuple

import h11

from actors.telemetry.endpoint import Endpoint

MAX_ANSWER_BYTES = 64 << 10
READ_BYTES = 64 << 10
_STARTED = (0, errno.EINPROGRESS)
_CLOSED = "it has closed the connection"


class Answer(NamedTuple):
    """Of a collector; `again_s`: it is to be asked again only then."""

    status: int
    body: bytes
    again_s: float | None


class Connection:
    """Its socket is `fd`; whoever has it watches that for `events`."""

    def __init__(self, endpoint: Endpoint, address: str, context: ssl.SSLContext | None) -> None:
        """`address`: of the host. Raises OSError."""
        self._endpoint = endpoint
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        plain = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            started = plain.connect_ex((address, endpoint.port))
            if started not in _STARTED:
                raise OSError(started, os.strerror(started))
        except OSError:
            plain.close()
            raise
        self._socket, self._context = plain, context
        self.fd = plain.fileno()
        self._is_connected = False
        self._is_open = False  # and all hands are shaken
        self._http = h11.Connection(h11.CLIENT)
        self._unsent = b""
        self._answer: h11.Response | None = None
        self._body = b""
        self._received = 0  # since the last post
        self._wants_write = False  # TLS does, to read
        self.posts = 0  # so far

    @property
    def events(self) -> int:
        """What the socket is to be watched for."""
        writing = not self._is_connected or (self._is_open and self._unsent) or self._wants_write
        return select.EPOLLIN | (select.EPOLLOUT if writing else 0)

    @property
    def is_idle(self) -> bool:
        """Whether something may be posted."""
        return self._http.our_state is h11.IDLE

    def post(self, body: bytes) -> None:
        """The next body; the answer comes by `ready`."""
        endpoint = self._endpoint
        host = endpoint.url.partition("://")[2].partition("/")[0]
        headers = [
            ("host", host), ("content-type", "application/json"), ("content-length", str(len(body))),
            ("user-agent", "polyglot-flow-runner"), *endpoint.headers,
        ]  # fmt: skip
        request = h11.Request(method="POST", target=endpoint.path, headers=headers)
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            self._unsent += self._http.send(event) or b""
        self.posts += 1
        self._received = 0

    def ready(self) -> Answer | None:
        """The socket is: go on. Returns the answer when it has come. Raises OSError, h11.RemoteProtocolError."""
        if not self._is_open and not self._open():
            return None
        self._write()
        return self._read()

    def _open(self) -> bool:
        if not self._is_connected:
            if failed := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(failed, os.strerror(failed))
            self._is_connected = True
            if self._context is not None:
                self._socket = self._context.wrap_socket(
                    self._socket, server_hostname=self._endpoint.host, do_handshake_on_connect=False
                )
        if isinstance(self._socket, ssl.SSLSocket):
            self._wants_write = False
            try:
                self._socket.do_handshake()
            except ssl.SSLWantReadError:
                return False
            except ssl.SSLWantWriteError:
                self._wants_write = True
                return False
        self._is_open = True
        return True

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def _read(self) -> Answer | None:
        """All that is there: the rest of a TLS record is not seen in the descriptor."""
        answer = None
        self._wants_write = False
        while answer is None:
            try:
                data = self._socket.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except ssl.SSLWantWriteError:
                self._wants_write = True
                break
            answer = self._take(data)
        return answer

    def _take(self, data: bytes) -> Answer | None:
        if not data and self.is_idle:
            raise ConnectionResetError(errno.ECONNRESET, _CLOSED)
        self._received += len(data)
        if self._received > MAX_ANSWER_BYTES:
            raise h11.RemoteProtocolError("an endless answer")
        self._http.receive_data(data)
        while (event := self._http.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Response):
                self._answer = event
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return self._answered()
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError(errno.ECONNRESET, _CLOSED)
        return None

    def _answered(self) -> Answer:
        assert self._answer is not None
        again = {name: value for name, value in self._answer.headers}.get(b"retry-after", b"")
        answer = Answer(self._answer.status_code, self._body, float(again) if again.isdigit() else None)
        self._answer, self._body = None, b""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return answer

    def close(self) -> None:
        """Whatever is under way."""
        self._socket.close()
