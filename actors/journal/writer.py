"""The process that writes journals, as its runner sees it: bytes in, numbers out, its end. Knows no actors."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgpack

SEND_BYTES = 8 << 20
READ_BYTES = 64 << 10
WORDS_BYTES = 4 << 10  # of its last words
MAX_PARTS = 64  # in one system call
CHILD = (sys.executable, "-m", "actors.journal.child")


class Writer:
    """`fd`: readable when something is durable, writable when it takes more; `pid_fd`: readable when it has ended."""

    def __init__(self, folder: Path) -> None:
        """Start it; raises OSError."""
        self._socket, other = socket.socketpair()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        words = [*CHILD, str(folder), str(os.getpid())]
        root = str(Path(__file__).parents[2])
        try:
            self._process = subprocess.Popen(
                words, stdin=other.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=root,
                start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._socket.close()
            raise
        finally:
            other.close()
        self.pid = self._process.pid
        self.pid_fd = os.pidfd_open(self.pid)
        self.fd = self._socket.fileno()
        self._waiting: deque[memoryview] = deque()
        self._unpacker = msgpack.Unpacker()
        self.watched_full = False

    @property
    def is_full(self) -> bool:
        """Whether something waits until it takes more."""
        return bool(self._waiting)

    def put(self, parts: list[bytes | memoryview]) -> None:
        """Hand a record over, as far as it takes it now."""
        idle = not self._waiting
        self._waiting += [memoryview(part) for part in parts if len(part)]
        if idle:
            self.flush()

    def flush(self) -> None:
        """What waits, as far as it takes it now. Raises OSError if it has gone."""
        waiting = self._waiting
        while waiting:
            try:
                sent = self._socket.sendmsg([waiting[at] for at in range(min(MAX_PARTS, len(waiting)))])
            except BlockingIOError:
                return
            while waiting and sent >= len(waiting[0]):
                sent -= len(waiting.popleft())
            if sent:
                waiting[0] = waiting[0][sent:]

    def durable(self) -> Iterator[tuple[str, int]]:
        """(journal, number of its last group that is durable), 0 for one that has been removed."""
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise BrokenPipeError
        self._unpacker.feed(data)
        yield from self._unpacker

    def close(self) -> None:
        """Nothing more comes: it ends when it has written what it has."""
        self._socket.shutdown(socket.SHUT_WR)

    def reap(self) -> str | None:
        """After its end: why, in its own words if it had any; None if it was meant to end."""
        self._socket.close()
        os.close(self.pid_fd)
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        words = (self._process.stderr.read(WORDS_BYTES) or b"").decode(errors="replace").strip()
        self._process.stderr.close()
        status = self._process.wait()
        if status == 0:
            return None
        if status < 0:
            return f"the process that writes them has died ({signal.Signals(-status).name})"
        return words.splitlines()[-1] if words else f"the process that writes them has ended with status {status}"
