"""The frames of the Debug Adapter Protocol: `Content-Length: N`, an empty line, N bytes of JSON. Pure.

https://microsoft.github.io/debug-adapter-protocol/overview#base-protocol
"""

from __future__ import annotations

import json
from typing import Any

MAX_HEAD_BYTES = 4 << 10
MAX_BODY_BYTES = 16 << 20
_END = b"\r\n\r\n"


class WireError(Exception):
    """What has come is no frame; nothing that comes after it can be understood."""


class Frames:
    """Bytes in, whole messages out."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The messages that these bytes complete. Raises WireError."""
        self._rest += data
        found: list[dict[str, Any]] = []
        while (end := self._rest.find(_END)) >= 0:
            start = end + len(_END)
            length = _length(bytes(self._rest[:end]))
            if len(self._rest) < start + length:
                return found
            found.append(_message(bytes(self._rest[start : start + length])))
            del self._rest[: start + length]
        if len(self._rest) > MAX_HEAD_BYTES:
            raise WireError(f"a head of more than {MAX_HEAD_BYTES} bytes")
        return found


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            text = value.strip()
            if not text.isdigit() or len(text) > 9 or int(text) > MAX_BODY_BYTES:
                raise WireError(f"Content-Length is a number up to {MAX_BODY_BYTES}, not {text[:40]!r}")
            return int(text)
    raise WireError("a head without Content-Length")


def _message(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a message that is not JSON: {error}") from None
    if not isinstance(message, dict):
        raise WireError("a message is an object")
    return message


def frame(message: dict[str, Any]) -> bytes:
    """A message as bytes."""
    body = json.dumps(message, default=str).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
