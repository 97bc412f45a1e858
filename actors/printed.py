"""What a host prints, as lines for the log: bounded, a long one is cut at once, the last one may have no line feed."""

from __future__ import annotations

from collections.abc import Iterator

MAX_LINE_BYTES = 8 << 10


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


def _text(line: bytes) -> str:
    return line.decode(errors="replace")
