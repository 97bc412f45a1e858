"""Somebody with a valid certificate who speaks the links' protocol by hand, and need not mean well."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from actors.links import keys
from actors.links.frames import VERSION, Hello, Opened, PeerKind, decoder, pack
from runtimes.frames import Frame, encode

TIMEOUT_S = 60.0


class RawPeer:
    """A connection to the runner that listens at `port`. `wait` is called while nothing can be done here."""

    def __init__(
        self, port: int, folder: Path, name: str, wait: Callable[[], None], *, buffer_bytes: int | None = None
    ) -> None:  # fmt: skip
        self._wait = wait
        self.is_open = True
        self.came: list[Frame] = []
        self._decoder = decoder()
        sock = socket.socket()
        if buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        self.tls = keys.contexts(folder, name).client.wrap_socket(sock, do_handshake_on_connect=False)
        self._try(self.tls.do_handshake)

    def _try(self, what: Callable[[], object]) -> object:
        """Until it can be done; None if the other side has closed the connection."""
        deadline = time.monotonic() + TIMEOUT_S
        while self.is_open:
            assert time.monotonic() < deadline, "nothing comes, and nothing can be sent"
            try:
                return what()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self._wait()
            except OSError:
                self.is_open = False
        return None

    def hello(self, name: str, incarnation: int = 1) -> None:
        self.say(Frame(PeerKind.HELLO, body=pack(Hello(protocol=VERSION, runner=name, incarnation=incarnation))))

    def say(self, *frames: Frame) -> bool:
        return self.send(b"".join(map(encode, frames)))

    def send(self, data: bytes) -> bool:
        """All of it; whether the other side has left the connection open so far."""
        for at in range(0, len(data), 16 << 10):  # a record is written whole, or not at all
            self._try(partial(self.tls.send, data[at : at + (16 << 10)]))
        return self.is_open

    def read(self) -> list[Frame]:
        """What is there."""
        with contextlib.suppress(ssl.SSLWantReadError):
            while self.is_open:
                try:
                    data = self.tls.recv(64 << 10)
                except ssl.SSLWantReadError:
                    raise
                except OSError:
                    data = b""
                self.is_open = bool(data)
                self.came += self._decoder.feed(data)
        return self.came

    def hear(self, kind: PeerKind) -> Frame:
        """Wait for the next frame of a kind; those before it are left out."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            for at, frame in enumerate(self.read()):
                if frame.kind == kind:
                    del self.came[: at + 1]
                    return frame
            assert self.is_open and time.monotonic() < deadline, f"no {kind.name} has come"
            self._wait()

    def is_ended(self) -> bool:
        """Whether the other side has closed it."""
        self.read()
        return not self.is_open

    def close(self) -> None:
        self.tls.close()


def opening(channel: int, wire: str, *, flow: str = "f", epoch: int = 1, first: int = 0) -> Frame:
    return Frame(PeerKind.OPEN, channel, pack(Opened(flow=flow, wire=wire, epoch=epoch)), first=first)
