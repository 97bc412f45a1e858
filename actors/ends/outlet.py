"""An output descriptor that is never waited for: a pipe, a terminal, a file. Knows bytes and lines, no messages."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat

PIPE_BUF = 4096  # a pipe takes this much at once or not at all


def own(fd: int, flags: int) -> int:
    """A descriptor of our own for `fd`; of a pipe or terminal a non-blocking one, as far as that can be had.

    The given one is shared with whoever started us: to make it non-blocking would do that to them, too.
    """
    if stat.S_ISFIFO(os.fstat(fd).st_mode) or os.isatty(fd):
        with contextlib.suppress(OSError):  # there is no /proc, or its reader has gone
            return os.open(f"/proc/self/fd/{fd}", flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    return os.dup(fd)


class Outlet:
    """Writes whole lines as far as it can: up to PIPE_BUF bytes go into a pipe at once, longer ones in portions."""

    def __init__(self, fd: int) -> None:
        """Of an open descriptor, which stays open; `fd` is our own."""
        self.fd = own(fd, os.O_WRONLY)
        self.waits = _can_poll(self.fd)  # whether it can be full for a while
        self._blocks = os.get_blocking(self.fd)

    def write(self, text: bytes, start: int) -> int:
        """Bytes of `text` written from `start` on; raises BlockingIOError when it is full, another OSError for good."""
        if not self.waits:
            return os.write(self.fd, memoryview(text)[start:])
        if self._blocks and not _has_room(self.fd):
            raise BlockingIOError
        end = text.rfind(b"\n", start, start + PIPE_BUF) + 1 or start + PIPE_BUF
        return os.write(self.fd, memoryview(text)[start:end])

    def make_room(self, size: int) -> None:
        """Let a pipe that nobody empties take `size` bytes more, if the kernel lets us."""
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, fcntl.fcntl(self.fd, fcntl.F_GETPIPE_SZ) + size + PIPE_BUF)

    def take_back(self, size: int) -> None:
        """Cut off the last `size` bytes, if they are the end of a file."""
        with contextlib.suppress(OSError):
            facts, end = os.fstat(self.fd), os.lseek(self.fd, 0, os.SEEK_CUR)
            if stat.S_ISREG(facts.st_mode) and facts.st_size == end:
                os.ftruncate(self.fd, end - size)

    def close(self) -> None:
        """The given descriptor stays open."""
        os.close(self.fd)


def _can_poll(fd: int) -> bool:
    """Whether epoll takes the descriptor: pipes and terminals, not plain files."""
    with select.epoll() as probe:
        try:
            probe.register(fd, select.EPOLLOUT)
        except PermissionError:
            return False
    return True


def _has_room(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(0))
