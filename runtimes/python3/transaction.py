"""Finished turns since the last COMMIT, and how they are written (PROTOCOL.md section 7). It does not know when."""

from __future__ import annotations

from .codec import encode
from .link import COMMIT, CONTEXT, DATA, DELETED, ERROR, HEADERS, MAX_BODY_BYTES, PACK, frame
from .store import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .slot import Slot


class Transaction:
    """Everything since the last COMMIT, ready to be written."""

    def __init__(self) -> None:
        self.touched: dict[int, Slot] = {}
        self.size = 0
        self.outputs: dict[int, list[bytes]] = {}
        self.headers: dict[int, list[bytes]] = {}
        self.changes: dict[tuple[int, str], Any] = {}
        self.errors: list[bytes] = []

    def add_headers(self, channel: int, headers: bytes) -> None:
        """Give the output just added to a channel its headers; those before it without any get `null`."""
        column = self.headers.setdefault(channel, [])
        column.extend([b"null"] * (len(self.outputs[channel]) - 1 - len(column)))
        column.append(headers)

    def add_error(
        self, slot: int, info: dict[str, Any], index: int, number: int, message: bytes = b"", flags: int = 0
    ) -> None:
        """Add an ERROR frame; it goes out with the turn that has failed."""
        encoded = encode(info)
        self.errors.append(frame(ERROR, slot, encoded + message, flags, len(encoded), index, number))
        self.size += len(encoded) + len(message)

    def take(self) -> bytes:
        """The frames, COMMIT last; then it is empty."""
        parts: list[bytes] = []
        for channel, messages in self.outputs.items():
            if self.size > MAX_BODY_BYTES // 2 or channel in self.headers:
                _data(parts, channel, messages, self.headers.get(channel))
            elif messages:
                body = b",\n".join(messages)
                parts += (PACK(len(body) + 2, DATA, 0, channel, 0, len(messages), 0), b"[", body, b"]")
        for (slot, key), entry in self.changes.items():
            name = key.encode()
            if entry is ABSENT:
                parts.append(frame(CONTEXT, slot, name, DELETED, len(name)))
            else:
                parts.append(
                    frame(CONTEXT, slot, name + (entry if type(entry) is bytes else encode(entry)), 0, len(name))
                )
        parts += self.errors
        rows = b",".join([slot.counts() for slot in self.touched.values()])
        parts += (PACK(len(rows) + 2, COMMIT, 0, 0, 0, 0, 0), b"[", rows, b"]")
        self.touched.clear()
        self.outputs.clear()
        self.size = 0
        if self.headers or self.changes or self.errors:
            self.headers.clear()
            self.changes.clear()
            self.errors.clear()
        return b"".join(parts)


def _data(parts: list[bytes], channel: int, messages: list[bytes], headers: list[bytes] | None) -> None:
    """DATA frames of one channel; more than one only when a body would be too large."""
    if headers is not None:
        headers.extend([b"null"] * (len(messages) - len(headers)))
    body = b"[" + b",\n".join(messages) + b"]"
    if headers is not None:
        body = b"[[" + b",\n".join(headers) + b"],\n\n" + body + b"]"
    if not messages:
        return
    if len(body) > MAX_BODY_BYTES and len(messages) > 1:
        middle = len(messages) // 2
        _data(parts, channel, messages[:middle], headers and headers[:middle])
        _data(parts, channel, messages[middle:], headers and headers[middle:])
        return
    parts.append(frame(DATA, channel, body, 0 if headers is None else HEADERS, 0, len(messages)))
