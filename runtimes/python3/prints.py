"""sys.stdout and sys.stderr of user code: every line becomes a LOG frame of the slot that runs."""

from __future__ import annotations

import io
import os
from codecs import getincrementaldecoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_LINE_CHARACTERS = 64 << 10


class Stream(io.TextIOBase):
    """A text stream; the unfinished line of each slot waits for its line feed, a flush, or the limit."""

    mode, newlines, line_buffering, write_through = "w", None, True, False
    encoding, errors = "utf-8", "replace"

    def __init__(
        self, log: Callable[[int, str, str], None], slot: Callable[[], int], level: str, name: str, fd: int
    ) -> None:
        self._log, self._slot, self._level, self._fd = log, slot, level, fd
        self._unfinished: dict[int, str] = {}
        self.name = name
        self.buffer = _Bytes(self)

    def write(self, text: str) -> int:
        """Log the lines that `text` completes."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        slot = self._slot()
        if "\n" in text:
            *lines, rest = (self._unfinished.pop(slot, "") + text).split("\n")
            for line in lines:
                self._log(slot, self._level, line)
        else:
            rest = self._unfinished.pop(slot, "") + text
        if rest:
            self._unfinished[slot] = rest
            if len(rest) > MAX_LINE_CHARACTERS:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Log the running slot's unfinished line."""
        slot = self._slot()
        if text := self._unfinished.pop(slot, ""):
            self._log(slot, self._level, text)

    def flush_all(self) -> None:
        """Log every unfinished line."""
        while self._unfinished:
            self._log(*self._last())

    def _last(self) -> tuple[int, str, str]:
        slot, text = self._unfinished.popitem()
        return slot, self._level, text

    def leave(self) -> None:
        """In a forked child: to the process's own output, and not what the parent will print."""
        self._unfinished.clear()
        self._log = lambda _slot, _level, line: _write_all(self._fd, f"{line}\n".encode("utf-8", "replace"))

    def reconfigure(self, **_: Any) -> None:
        """Lines are UTF-8, whatever is asked for."""

    def fileno(self) -> int:
        """The real descriptor, for child processes."""
        return self._fd

    def writable(self) -> bool:
        """It is, as sys.stdout is."""
        return True

    def close(self) -> None:
        """Do nothing: what is printed later is still logged."""


class _Bytes(io.BufferedIOBase):
    """`sys.stdout.buffer`: text, in which what is not UTF-8 is replaced."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self.raw = stream, self
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def write(self, data: Any) -> int:
        """Take bytes as text in UTF-8; all of them are taken."""
        self._stream.write(self._decoder.decode(bytes(data)))
        return len(data)

    def flush(self) -> None:
        """Log what is unfinished, as the stream does."""
        self._stream.flush()

    def fileno(self) -> int:
        """The stream's real descriptor, for child processes."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """It is, as sys.stdout.buffer is."""
        return True

    def close(self) -> None:
        """Do nothing: what is printed later is still logged."""


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
