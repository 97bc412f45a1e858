"""Encoded messages as people and clients see them: dead letters, steps, taps, held messages. Off the hot path."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_SHOWN_DEPTH = 200  # hosts refuse more than 120; what encodes and decodes answers copes with some 900
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def shown(text: bytes) -> Any:
    """The value; for what nobody could read back, `{"$undecoded": its text, "reason": why}`."""
    try:
        if _depth(text) > MAX_SHOWN_DEPTH:
            raise ValueError(f"nested deeper than {MAX_SHOWN_DEPTH}")
        return json.loads(text)
    except ValueError as error:
        return {"$undecoded": text.decode(errors="backslashreplace"), "reason": str(error)}


def _depth(text: bytes) -> int:
    """How deep arrays and objects are nested; their number if that is small."""
    if (openers := text.count(b"[") + text.count(b"{")) <= MAX_SHOWN_DEPTH:
        return openers
    depth = deepest = 0
    for bracket in _STRINGS.sub(b"", text).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest
