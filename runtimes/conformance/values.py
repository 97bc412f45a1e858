"""Reads JSON text exactly and compares values as docs/data-contract.md does. It knows no host and no frame."""

from __future__ import annotations

import json
import re
from typing import Any

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_SPACE = re.compile(rb"[ \t\r\n]")


def _integer(text: str) -> int | float:
    """An integer in the range of int64; any other integer literal is a double."""
    if len(text) > 20:
        return float(text)
    number = int(text)
    return number if INT64_MIN <= number <= INT64_MAX else float(text)


def parse(text: bytes | str) -> Any:
    """The value of a JSON text; raises ValueError on what is not JSON (NaN and Infinity are not)."""

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    if isinstance(text, bytes):
        text = text.decode("utf-8")
    return json.loads(text, parse_int=_integer, parse_constant=refuse)


def text_of(value: Any) -> bytes:
    """Compact JSON of a value, without escapes that are not needed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def equal(left: Any, right: Any) -> bool:
    """JSON-value equality: 1 equals 1.0, true does not equal 1, the order of keys is free."""
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    return type(left) is type(right) and bool(left == right)


def is_compact(text: bytes) -> bool:
    """Whether a JSON text has no white space outside its strings."""
    return not _SPACE.search(text) or not _SPACE.search(_STRING.sub(b"", text))


def short(value: Any, limit: int = 160) -> str:
    """A value for a person to read, cut where it gets long."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
