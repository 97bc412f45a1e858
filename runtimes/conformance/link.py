"""One host process on two FIFOs: starts it, moves bytes both ways without ever blocking in a write, ends it.

It knows frames and processes, not what a frame means.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections import deque
from pathlib import Path

from runtimes.conformance.invariants import Broken
from runtimes.frames import Decoder, Frame, ProtocolError, encode
from runtimes.launching import kill_group

READ_BYTES = 256 << 10
STDERR_BYTES = 4000


class Link:
    """A running host process. `pump` moves bytes; whole frames gather in `incoming`."""

    def __init__(self, command: list[str]) -> None:
        self.incoming: deque[Frame] = deque()
        self.bytes_read = 0
        self.is_dead = False
        self._outgoing = bytearray()
        self._decoder = Decoder()
        self._is_writing = False
        with contextlib.ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(prefix="conformance-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            self._printed = stack.enter_context((folder / "printed").open("w+b"))
            names = [str(folder / "input"), str(folder / "output")]
            for name in names:
                os.mkfifo(name, 0o600)
            self._write_fd = os.open(names[0], os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            stack.callback(self.end_input)
            self._read_fd = os.open(names[1], os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            stack.callback(os.close, self._read_fd)
            self._epoll = stack.enter_context(select.epoll())
            self._process = self._start([*command, *names], folder / "work")
            stack.callback(self._end)
            self.pid = self._process.pid
            self._pid_fd = os.pidfd_open(self.pid)
            stack.callback(os.close, self._pid_fd)
            self._closing = stack.pop_all()
        self._epoll.register(self._read_fd, select.EPOLLIN)
        self._epoll.register(self._pid_fd, select.EPOLLIN)

    def _start(self, command: list[str], work: Path) -> subprocess.Popen[bytes]:
        work.mkdir()
        return subprocess.Popen(
            command,
            cwd=work,
            env={**os.environ, "TMPDIR": str(work)},
            stdin=subprocess.DEVNULL,
            stdout=self._printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _end(self) -> None:
        kill_group(self.pid)
        self._process.wait()

    def send(self, frame: Frame) -> None:
        """Write a frame, or keep what does not fit for `pump`."""
        self.send_bytes(encode(frame))

    def send_bytes(self, data: bytes) -> None:
        """Write bytes that need not be a frame."""
        self._outgoing += data
        self._flush()

    def _flush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._outgoing:
                written = os.write(self._write_fd, self._outgoing[:READ_BYTES])
                del self._outgoing[:written]
        if bool(self._outgoing) != self._is_writing:
            self._is_writing = not self._is_writing
            if self._is_writing:
                self._epoll.register(self._write_fd, select.EPOLLOUT)
            else:
                self._epoll.unregister(self._write_fd)

    def pump(self, timeout_s: float) -> None:
        """Wait for bytes, room or death, at most so long, and deal with them."""
        events = dict(self._epoll.poll(timeout_s))
        if self._write_fd in events:
            self._flush()
        if events.get(self._read_fd, 0) & select.EPOLLIN:
            self._read()
        elif self._pid_fd in events:
            self.is_dead = True
        elif self._read_fd in events:
            self._epoll.unregister(self._read_fd)  # hung up: only the pidfd has news now

    def _read(self) -> None:
        try:
            data = os.read(self._read_fd, READ_BYTES)
        except BlockingIOError:
            return
        self.bytes_read += len(data)
        try:
            self.incoming.extend(self._decoder.feed(data))
        except ProtocolError as error:
            raise Broken(f"the host wrote what is not a frame ({error}), among: {data[:80]!r}") from None

    def end_input(self) -> None:
        """Let the host read an end of file."""
        if self._write_fd >= 0:
            os.close(self._write_fd)  # which takes it out of the epoll, too
            self._write_fd = -1

    def wait_exit(self, timeout_s: float) -> int:
        """The exit status, once what the host still wrote has been read."""
        deadline = time.monotonic() + timeout_s
        while not self.is_dead:
            if time.monotonic() > deadline:
                raise Broken(f"the host did not exit within {timeout_s} s")
            self.pump(0.2)
        return self._process.wait()

    def kill(self) -> None:
        """End the process by SIGKILL and wait for that."""
        self._process.kill()
        self._process.wait()
        self.is_dead = True

    def printed(self) -> str:
        """The end of what the process wrote to its standard output and error."""
        self._printed.seek(0)
        return self._printed.read()[-STDERR_BYTES:].decode(errors="replace").strip()

    def close(self) -> None:
        """End the process, and what it started in its session, and remove every trace."""
        self._closing.close()
