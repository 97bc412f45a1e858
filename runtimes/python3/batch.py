"""Messages that came together. It does not know what a module is."""

from __future__ import annotations

from .bodies import decode_array, decode_each
from .link import HEADERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Batch:
    """A DATA frame, decoded when its first turn begins: a recall then costs nothing."""

    __slots__ = (
        "base",
        "body",
        "changes",
        "end",
        "flags",
        "headers",
        "is_whole",
        "messages",
        "port",
        "position",
        "wire",
    )

    def __init__(self, port: str, wire: str, flags: int, skip: int, count: int, first: int, body: bytes) -> None:
        self.port, self.wire, self.flags, self.body = port, wire, flags, body
        self.position, self.end, self.base = skip, skip + count, first - skip
        self.messages: list[Any] | None = None
        self.headers: list[Any] | None = None
        self.changes: dict[int, dict[str, Any]] = {}  # of a source: what the turn at this position has changed
        self.is_whole = True

    def decode(self) -> list[Any]:
        """Fill messages and headers. A message that cannot be decoded becomes a Refused."""
        body = self.body
        if self.flags & HEADERS:
            headers, _, body = body[1:-1].partition(b",\n\n")
            self.headers = decode_array(headers)
        messages = decode_array(body)
        if messages is None or len(messages) < self.end:
            messages = decode_each(body, self.end)
            self.is_whole = False
        if self.headers is not None and len(self.headers) < self.end:
            self.headers += [None] * (self.end - len(self.headers))
        self.messages, self.body = messages, b""
        return messages
