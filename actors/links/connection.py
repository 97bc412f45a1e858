"""A TLS connection to another runner: frames both ways, without blocking. It alone knows the socket.

It never stops reading because one wire is full: that wire is held. What a socket's TLS has decrypted already is not
seen by an epoll, so a read goes on until TLS has nothing more, or asks to be gone on with.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator

from actors.links.frames import PeerKind, decoder
from actors.links.keys import peer_name
from actors.system.port import Port
from runtimes.frames import HEADER, HEADER_BYTES, Frame, ProtocolError

READ_BYTES = 256 << 10
TURN_BYTES = 1 << 20  # read in a row, then others have their turn
RECORD_BYTES = 64 << 10  # small frames are gathered up to this
MAX_ANSWERS = 1 << 17  # frames without messages that wait for the other side to read
SILENT_MS = 3000  # the kernel gives up a connection whose bytes are not acknowledged for so long
_DATA = int(PeerKind.DATA)  # plain: an IntEnum's member costs more to look up


class Connection:
    """From a connected, or connecting, socket on. `ready` is to be called when the descriptor is."""

    def __init__(
        self, port: Port, sock: socket.socket, context: ssl.SSLContext, up: Callable[[Connection], None],
        hear: Callable[[Iterator[Frame]], None], lost: Callable[[Connection, str], None], *, server: bool,
    ) -> None:  # fmt: skip
        """`up` is called when the other side has shown who it is (`name`): whoever has it then calls `read` once;
        `hear` with what it says; `lost` once, with the reason, when it has ended by itself.
        """
        self._up, self._hear, self._lost = up, hear, lost
        self._context, self._server = context, server
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_MS)
        self._socket: socket.socket | None = sock
        self._tls: ssl.SSLSocket | None = None
        self.fd = sock.fileno()
        self.name: str | None = None  # of the runner at the other end
        self.begun = self.heard = time.monotonic()
        self._decoder = decoder()
        self._outbox: deque[Frame] = deque()  # as they are: one that is sent again is not there twice
        self._answers = 0  # of them: the wires' windows do not bound these
        self._part, self._done = b"", 0  # what TLS is writing, and how much of it is written
        self._watched = 0
        self.unread = False  # TLS has more: `read` is to be called again
        self._port = port
        self._watch(select.EPOLLIN if server else select.EPOLLOUT)

    def rest(self) -> None:
        """Nothing is read or written until somebody takes it over."""
        self._port.system.unwatch(self.fd)
        self._watched = 0

    def take_over(
        self, port: Port, hear: Callable[[Iterator[Frame]], None], lost: Callable[[Connection, str], None]
    ) -> None:  # fmt: skip
        """To another actor, which gets the descriptor's Ready from now on."""
        self._port, self._hear, self._lost = port, hear, lost
        self._watch(select.EPOLLIN)

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self._socket is not None

    # what happens to it --------------------------------------------------------------------------------------------

    def ready(self, events: int) -> None:
        """The descriptor is; `events` as epoll gives them."""
        try:
            if self.name is None:
                self._shake()
                return
            if events & select.EPOLLOUT:
                self._write()
            if events & ~select.EPOLLOUT:
                self._read()
        except ssl.SSLEOFError:  # reset, or nothing acknowledged for so long: TLS does not say which
            self._end("the connection broke off")
        except ssl.SSLError as error:
            self._end(f"TLS: {error.reason or error}")
        except OSError as error:
            self._end(error.strerror or str(error))
        except ProtocolError as error:
            self._end(f"it broke the protocol: {error}")

    def read(self) -> None:
        """Take what TLS has already, which the descriptor does not tell."""
        if self.is_open:
            self.ready(select.EPOLLIN)

    def _shake(self) -> None:
        sock = self._socket
        assert sock is not None
        if self._tls is None:
            if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(error, os.strerror(error))
            self._tls = self._context.wrap_socket(sock, server_side=self._server, do_handshake_on_connect=False)
            self._socket = self._tls
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(select.EPOLLIN)
            return
        except ssl.SSLWantWriteError:
            self._watch(select.EPOLLOUT)
            return
        name = peer_name(self._tls)
        if name is None:
            raise ProtocolError("its certificate is no runner's")
        self.name = name
        self._watch(select.EPOLLIN)
        self._up(self)

    def _read(self) -> None:
        tls, left = self._tls, TURN_BYTES
        assert tls is not None
        self.unread = False
        while left > 0:
            try:
                data = tls.recv(READ_BYTES)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLWantWriteError:
                self._watch(select.EPOLLIN | select.EPOLLOUT)
                return
            if not data:
                raise OSError(0, "the other side has closed it")
            self.heard = time.monotonic()
            left -= len(data)
            self._hear(self._decoder.feed(data))
            if not self.is_open:
                return
        self.unread = True

    # writing -------------------------------------------------------------------------------------------------------

    def add(self, frames: list[Frame]) -> None:
        """To be written with the next `flush`."""
        self._outbox += frames
        self._answers += sum([frame[0] != _DATA for frame in frames])

    def flush(self) -> None:
        """Write what fits, and the rest when there is room."""
        if self.is_open and self.name is not None and not self._watched & select.EPOLLOUT:
            self.ready(select.EPOLLOUT)
        if self.is_open and self._answers > MAX_ANSWERS:
            self._end("it does not read what it is answered")

    def _write(self) -> None:
        tls = self._tls
        assert tls is not None
        try:
            while self._part or self._outbox:
                if not self._part:
                    self._part, self._done = self._gathered(), 0
                self._done += tls.send(memoryview(self._part)[self._done :])
                if self._done == len(self._part):
                    self._part = b""
        except ssl.SSLWantWriteError:  # to be tried again with the same bytes
            self._watch(select.EPOLLIN | select.EPOLLOUT)
        except ssl.SSLWantReadError:
            self._watch(select.EPOLLIN)
        else:
            self._watch(select.EPOLLIN)

    def _gathered(self) -> bytes:
        parts: list[bytes] = []
        outbox, size = self._outbox, 0
        while outbox and (not parts or size + len(outbox[0][2]) <= RECORD_BYTES):
            kind, slot, body, flags, skip, count, first = outbox.popleft()
            self._answers -= kind != _DATA
            parts += (HEADER.pack(len(body), kind, flags, slot, skip, count, first), body)
            size += HEADER_BYTES + len(body)
        return b"".join(parts)

    def _watch(self, events: int) -> None:
        if events != self._watched:
            self._watched = events
            self._port.system.watch(self.fd, events, self._port.address)

    # the end -------------------------------------------------------------------------------------------------------

    def _end(self, reason: str) -> None:
        lost = self._lost
        self.close()
        lost(self, reason)

    def close(self) -> None:
        """Say nothing more, and tell nobody."""
        if self._socket is not None:
            self._port.system.unwatch(self.fd)
            self._socket.close()
            self._socket = self._tls = None
            self._outbox.clear()
            self._part = b""
