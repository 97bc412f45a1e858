"""A child process that is watched rather than waited for: its lines of output, its pidfd, its end. Knows no actors."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Sequence

from actors.system.pipe import waiting_bytes
from runtimes.launching import kill_group
from runtimes.making import NICENESS

READ_BYTES = 4 << 10  # even if they are empty lines
MAX_LINE_BYTES = 1 << 20
MAX_LINES = 500  # the last ones, of what is in the pipe at its end


class Command:
    """A started process of its own group. Descriptors: `pid_fd`, `out_fd`, `err_fd`."""

    def __init__(self, start: Callable[[int, int], subprocess.Popen[bytes]]) -> None:
        """`start(stdout, stderr)` starts it; raises OSError with nothing left behind."""
        self.out_fd, out = os.pipe()
        self.err_fd, err = os.pipe()
        try:
            self._process = start(out, err)
        except BaseException:
            os.close(self.out_fd)
            os.close(self.err_fd)
            raise
        finally:
            os.close(out)
            os.close(err)
        os.set_blocking(self.out_fd, False)
        os.set_blocking(self.err_fd, False)
        self.pid_fd = os.pidfd_open(self._process.pid)
        self.fds = (self.pid_fd, self.out_fd, self.err_fd)
        self._reaped = False
        self._partial = {self.out_fd: b"", self.err_fd: b""}

    @classmethod
    def of(cls, words: Sequence[str]) -> Command:
        """A command that needs nothing."""

        def start(out: int, err: int) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                ["nice", "-n", str(NICENESS), *words],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip

        return cls(start)

    def read(self, fd: int) -> tuple[list[str], bool]:
        """The lines that have come, and whether there may be more; at the end the rest is a line too."""
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return [], False
        return self._lines(fd, data, is_last=not data), bool(data)

    def read_last(self, fd: int) -> list[str]:
        """After its end: the last lines of what is in the pipe now, whoever still prints there."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(fd, max(1, waiting_bytes(fd)))
        return self._lines(fd, data, is_last=True)[-MAX_LINES:]

    def _lines(self, fd: int, data: bytes, is_last: bool) -> list[str]:
        *lines, rest = (self._partial[fd] + data).split(b"\n")
        if rest and (is_last or len(rest) > MAX_LINE_BYTES):
            lines, rest = [*lines, rest], b""
        self._partial[fd] = rest
        return [line.decode(errors="replace") for line in lines]

    def kill(self) -> None:
        """End it, and everything it has started."""
        if not self._reaped:  # the number may be somebody else's by now
            kill_group(self._process.pid)

    def reap(self) -> int:
        """After the pidfd was readable: the exit status, negative for a signal. Closes everything."""
        self.kill()
        status = self._process.wait()
        self._reaped = True
        for fd in self.fds:
            os.close(fd)
        return status
