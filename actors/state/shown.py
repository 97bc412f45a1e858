"""Encoded messages and contexts as people and clients see them: dead letters, steps, taps, held messages.

Here alone the runner decodes them, off the hot path, and never much at a time.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_MESSAGE_DEPTH = 120  # as in the data contract
MAX_SHOWN_DEPTH = 200  # what encodes and decodes answers copes with some 900
MAX_SHOWN_BYTES = 1 << 20  # decoded for one answer of one actor: some ms
MAX_BEGINNING = 200
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def shown(text: bytes) -> Any:
    """The value; for what nobody could read back, `{"$undecoded": its text, "reason": why}`."""
    try:
        if is_nested_deeper(text, MAX_SHOWN_DEPTH):
            raise ValueError(f"nested deeper than {MAX_SHOWN_DEPTH}")
        return json.loads(text)
    except ValueError as error:
        return {"$undecoded": text.decode(errors="backslashreplace"), "reason": str(error)}


class View:
    """What one answer shows. Of a value for which it has no room any more it has the beginning, as `$undecoded`."""

    def __init__(self) -> None:
        self._left = MAX_SHOWN_BYTES

    def message(self, message: bytes, headers: bytes | None) -> dict[str, Any]:
        """A message with its headers."""
        return {"message": self.value(message), "headers": self.value(headers) if headers else None}

    def value(self, text: bytes) -> Any:
        """An encoded value, decoded; or its beginning, and why there is no more."""
        if len(text) > self._left:
            beginning = text[:MAX_BEGINNING].decode(errors="backslashreplace")
            return {"$undecoded": beginning, "reason": f"{len(text):,} bytes are more than this answer has room for"}
        self._left -= len(text)
        return shown(text)

    def context(self, context: dict[bytes, bytes], first: frozenset[bytes] = frozenset()) -> dict[str, Any]:
        """A context; the keys `first` are shown before the others run out of room."""
        values = {key: self.value(context[key]) for key in first if key in context}
        return {
            key.decode(errors="backslashreplace"): values[key] if key in values else self.value(value)
            for key, value in context.items()
        }


def is_nested_deeper(text: bytes, levels: int) -> bool:
    """Whether an encoded value has more levels of arrays and objects; found without decoding it."""
    if text.count(b"[") + text.count(b"{") <= levels:
        return False
    brackets = _STRINGS.sub(b"", text).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(levels):  # the innermost ones go
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    return True
