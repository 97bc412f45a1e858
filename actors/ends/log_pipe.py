"""Standard error as a pipe that somebody should read: if nobody does, lines are left out and counted."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import select
import stat
import sys
import time

from actors.counted import counted
from actors.ends.outlet import Outlet

ROOM_BYTES = 1 << 20  # what the pipe is made to hold, once it has been full
PATIENCE_S = 2.0  # at the end


class LogPipe(io.TextIOBase):
    """Takes text, writes whole lines."""

    encoding, errors = "utf-8", "backslashreplace"

    def __init__(self, fd: int) -> None:
        self._fd, self._outlet = fd, Outlet(fd)
        self._text = ""  # the beginning of a line
        self._rest = b""  # of a line that is written in part
        self._lost = 0
        self._is_enlarged = False
        self._deadline = 0.0

    def write(self, text: str) -> int:
        """Of a line that does not go in as a whole the rest follows with the next one."""
        *lines, self._text = (self._text + text).split("\n")
        if lines:
            self._put("".join(f"{line}\n" for line in lines).encode(self.encoding, self.errors))
        return len(text)

    def hurry(self) -> None:
        """What is written from now on are last words: the reader has a moment for them."""
        self._deadline = time.monotonic() + PATIENCE_S

    def _put(self, lines: bytes) -> None:
        self._rest = self._rest[self._go(self._rest) :]
        if self._lost and not self._rest:
            said = f"runner: left out here: {counted(self._lost, 'line')}, for nobody reads this\n".encode()
            done = self._go(said)
            self._rest, self._lost = (said[done:], 0) if done else (b"", self._lost)
        done = 0 if self._rest or self._lost else self._go(lines)
        if done and lines[done - 1 : done] != b"\n":
            end = lines.index(b"\n", done) + 1
            self._rest, done = lines[done:end], end
        self._lost += lines[done:].count(b"\n")

    def _go(self, data: bytes) -> int:
        """Bytes that went in; a pipe whose reader has gone takes everything."""
        done = 0
        while done < len(data):
            try:
                done += self._outlet.write(data, done)
            except BlockingIOError:
                if not self._make_room():
                    break
            except OSError:
                return len(data)
        return done

    def _make_room(self) -> bool:
        if not self._is_enlarged:
            self._is_enlarged = True
            with contextlib.suppress(OSError):
                fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, ROOM_BYTES)
                return True
        left_s = self._deadline - time.monotonic()
        return left_s > 0 and bool(select.select([], [self._fd], [], left_s)[1])

    def fileno(self) -> int:
        """The descriptor that was given."""
        return self._fd

    def writable(self) -> bool:
        """Of a text stream this is asked before it is written to."""
        return True


def mind_stderr() -> None:
    """From now on nothing waits for who should read standard error, if it is a pipe or a socket."""
    mode = os.fstat(2).st_mode
    if not isinstance(sys.stderr, LogPipe) and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        sys.stderr = LogPipe(2)


def hurry_stderr() -> None:
    """The last words are about to be said."""
    if isinstance(sys.stderr, LogPipe):
        sys.stderr.hurry()
