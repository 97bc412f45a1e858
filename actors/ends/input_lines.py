"""What comes in through `-i`, cut into messages: NDJSON, or raw text where each line is a string. Pure."""

from __future__ import annotations

import orjson

MAX_LINE_BYTES = 16 << 20
MAX_NAMED = 5  # bad lines; the rest is counted
SHOWN = 40  # bytes of a bad line
_BOM = b"\xef\xbb\xbf"


class InputLines:
    """Takes bytes in any portions; gives encoded messages. A line that is none is left out and counted."""

    def __init__(self, raw: bool) -> None:
        """`raw`: a line is text, not JSON."""
        self._raw = raw
        self._parts: list[bytes] = []  # of a line that has not ended
        self._part_bytes = 0
        self._skipping = False  # the rest of a line that was too long
        self.open_bytes = 0  # of the line that has not ended, skipped ones too
        self.number = 0  # lines so far
        self.bad_count = 0
        self.named: list[str] = []  # sentences about the first bad lines

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes."""
        newline_at = data.rfind(b"\n")
        self.open_bytes = self.open_bytes + len(data) if newline_at < 0 else len(data) - newline_at - 1
        if self._skipping:
            _, newline, data = data.partition(b"\n")
            self._skipping = not newline
        text, newline, rest = data.rpartition(b"\n")
        messages = []
        if newline:
            messages = self._take(b"".join([*self._parts, text]))
            self._parts, self._part_bytes = [], 0
        if rest:
            self._parts.append(rest)
            self._part_bytes += len(rest)
            if self._part_bytes > MAX_LINE_BYTES:
                self._message(b"".join(self._parts))
                self._parts, self._part_bytes, self._skipping = [], 0, True
        return messages

    def end(self) -> list[bytes]:
        """The last message, if its line has no line feed."""
        text, self._parts, self.open_bytes = b"".join(self._parts), [], 0
        return self._take(text) if text else []

    def _take(self, text: bytes) -> list[bytes]:
        lines = text.split(b"\n")
        if not self._raw and len(text) <= MAX_LINE_BYTES:
            try:
                for line in lines:  # one by one: in a joint array two broken lines can make up for each other
                    orjson.loads(line)
            except orjson.JSONDecodeError:
                pass
            else:
                self.number += len(lines)
                return lines
        return [message for message in map(self._message, lines) if message]

    def _message(self, line: bytes) -> bytes:
        """The message in a line; nothing if it is empty or bad."""
        self.number += 1
        if len(line) > MAX_LINE_BYTES:
            return self._bad(line, f"longer than {MAX_LINE_BYTES} bytes")
        text = line if self._raw and self.number > 1 else line.removeprefix(_BOM)
        try:
            if self._raw:
                return orjson.dumps(text.removesuffix(b"\r").decode())
            text = text.strip()
            if text:
                orjson.loads(text)
        except UnicodeDecodeError as error:
            return self._bad(line, _not_utf8(error), line.index(text) + error.start)
        except orjson.JSONDecodeError as error:
            try:
                at = len(text.decode()[: error.pos].encode())
            except UnicodeDecodeError as other:
                return self._bad(line, _not_utf8(other), line.index(text) + other.start)
            return self._bad(line, f"not JSON: {error.msg}", line.index(text) + at)
        return text

    def _bad(self, line: bytes, reason: str, at: int | None = None) -> bytes:
        self.bad_count += 1
        if self.bad_count <= MAX_NAMED:
            where = f"line {self.number}" if at is None else f"line {self.number}, byte {at + 1}"
            begins = line[:SHOWN].decode(errors="backslashreplace")
            hint = _hint(line, self._raw) if self.number == 1 and at is not None else ""
            self.named.append(f"{where}: {reason}; it begins with {begins!r}{hint}")
        return b""


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"not UTF-8: {error.object[error.start]:#04x}"


def _hint(line: bytes, raw: bool) -> str:
    """What the first line may be, if it is no JSON, or no text."""
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "; this is UTF-16, which `iconv -f UTF-16 -t UTF-8` converts"
    if raw:
        return ""
    if line.strip() in (b"{", b"["):
        return "; a message is one line, which `jq -c .` makes of one that goes over several"
    if line.lstrip().startswith(b"{"):
        return ""
    return "; if these are lines of text, --lines sends each as one JSON string"
