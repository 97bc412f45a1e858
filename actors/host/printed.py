"""What a host prints, as lines for the log: bounded, a long one is cut at once, the last one may have no line feed."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterator

from actors.system.pipe import waiting_bytes

MAX_LINE_BYTES = 8 << 10
MAX_LINES = 500  # that are logged at one go: some milliseconds
READ_BYTES = 2 << 10  # even if they are empty lines
STDERR_LINES = 20  # that are kept of a host, over all its starts


class Printed:
    """The lines of one host, in whatever portions they come."""

    def __init__(self) -> None:
        self._line = b""
        self._cut = 0  # bytes of this line that came after its beginning was given out

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, and the beginning of one that is too long."""
        *whole, rest = data.split(b"\n")
        lines: list[str] = []
        for part in whole:
            lines += self._grow(part)
            lines += self.end()
        return lines + list(self._grow(rest))

    def _grow(self, part: bytes) -> Iterator[str]:
        if self._cut:
            self._cut += len(part)
            return
        self._line += part
        if len(self._line) > MAX_LINE_BYTES:
            self._cut = len(self._line) - MAX_LINE_BYTES
            yield f"{_text(self._line[:MAX_LINE_BYTES])} ... (a longer line is cut)"
            self._line = b""

    def end(self) -> list[str]:
        """No more of this line will come."""
        line, cut = self._line, self._cut
        self._line, self._cut = b"", 0
        return [f"... ({cut} more bytes of that line)"] if cut else [_text(line)]

    def last_words(self) -> list[str]:
        """Nothing more will come at all."""
        return self.end() if self._line or self._cut else []


class HostLog:
    """Standard output and error of a host: read in small portions, each line said, the last ones kept in `stderr`."""

    def __init__(self, stderr: deque[str], say: Callable[[str], None]) -> None:
        self._stderr, self._say = stderr, say
        self._printed = Printed()

    def read(self, fd: int) -> bool:
        """A portion; False at the end of file."""
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return True
        self._log(self._printed.feed(data))
        return bool(data)

    def read_last(self, fd: int) -> None:
        """The host has ended: what is in the pipe now, whoever still prints there."""
        lines: list[str] = []
        with contextlib.suppress(BlockingIOError):
            lines = self._printed.feed(os.read(fd, max(1, waiting_bytes(fd))))
        lines += self._printed.last_words()
        if len(lines) > MAX_LINES:
            lines = [f"... ({len(lines) - MAX_LINES} lines before the last ones)", *lines[-MAX_LINES:]]
        self._log(lines)

    def _log(self, lines: list[str]) -> None:
        self._stderr.extend(lines)
        for line in lines:
            self._say(line)


def _text(line: bytes) -> str:
    return line.decode(errors="replace")
