"""sys.stdout and sys.stderr of user code: every line becomes a LOG frame of the slot that runs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_LINE_CHARACTERS = 64 << 10


class Stream:
    """A text stream; the unfinished line of each slot waits for its line feed, a flush, or the limit."""

    encoding, errors, newlines, closed, mode = "utf-8", "replace", None, False, "w"

    def __init__(
        self, log: Callable[[int, str, str], None], slot: Callable[[], int], level: str, name: str, fd: int
    ) -> None:
        self._log, self._slot, self._level, self._fd = log, slot, level, fd
        self._held: dict[int, str] = {}
        self.name = name
        self.buffer = _Bytes(self)

    def write(self, text: str) -> int:
        """Log the lines that `text` completes."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        slot = self._slot()
        if "\n" in text:
            *lines, rest = (self._held.pop(slot, "") + text).split("\n")
            for line in lines:
                self._log(slot, self._level, line)
        else:
            rest = self._held.pop(slot, "") + text
        if rest:
            self._held[slot] = rest
            if len(rest) > MAX_LINE_CHARACTERS:
                self.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Log the running slot's unfinished line."""
        slot = self._slot()
        if text := self._held.pop(slot, ""):
            self._log(slot, self._level, text)

    def flush_all(self) -> None:
        """Log every unfinished line."""
        while self._held:
            self._log(*self._last())

    def _last(self) -> tuple[int, str, str]:
        slot, text = self._held.popitem()
        return slot, self._level, text

    def fileno(self) -> int:
        """The real descriptor, for child processes."""
        return self._fd

    def isatty(self) -> bool:
        """No."""
        return False

    def readable(self) -> bool:
        """No."""
        return False

    def writable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """No."""
        return False

    def close(self) -> None:
        """Nothing to close."""


class _Bytes:
    """`sys.stdout.buffer`."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        """As text, what is not UTF-8 replaced."""
        self._stream.write(bytes(data).decode("utf-8", "replace"))
        return len(data)

    def flush(self) -> None:
        """As the stream's."""
        self._stream.flush()
