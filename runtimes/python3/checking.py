"""The slow way of the codec: looks at every part of a value; says what cannot be sent, where it is, and what to do."""

from __future__ import annotations

import sys

from .flow import NULL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_DEPTH = 120
MAX_INT, MIN_INT = 2**63 - 1, -(2**63)
MAX_PLACE_CHARACTERS = 100
ADVICE = {
    **dict.fromkeys(("datetime", "date", "time", "Timestamp"), "it.isoformat()"),
    **dict.fromkeys(("Decimal", "Fraction", "UUID", "PosixPath", "PurePosixPath", "ValueError"), "str(it)"),
    **dict.fromkeys(("set", "frozenset"), "sorted(it)"),
    **dict.fromkeys(("deque", "range", "generator", "map", "filter", "zip", "dict_keys", "dict_values"), "list(it)"),
    **dict.fromkeys(("mappingproxy", "ChainMap", "UserDict"), "dict(it)"),
    "timedelta": "it.total_seconds()", "coroutine": "await it, and make the handler `async def`",
    "async_generator": "its values: make the handler `async def` with `yield`",
}  # fmt: skip


class Refusal(Exception):
    """A part of a value that cannot be sent; `place` is filled on the way out."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what)
        self.what, self.advice, self.place = what, advice, ""

    def inside(self, key: str | int) -> Refusal:
        """It is in this item."""
        if type(key) is int or not key.isidentifier():  # type: ignore[union-attr]
            self.place = f"[{key!r}]{self.place}"
        else:
            self.place = f"{key}{'' if self.place[:1] in ('', '[') else '.'}{self.place}"
        return self

    def __str__(self) -> str:
        """What cannot be sent, where in the value, and what to do, as a sentence."""
        place = self.place if len(self.place) <= MAX_PLACE_CHARACTERS else f"{self.place[:MAX_PLACE_CHARACTERS]}..."
        place = place and f" in {place}"
        return f"{self.what}{place} cannot be sent{self.advice and ': '}{self.advice}"


def prepare(value: Any, depth: int = 1) -> Any:  # noqa: PLR0911
    """A value as plain JSON types: bytes and own `$bytes` objects in their escaped form. Raises Refusal."""
    kind = type(value)
    if kind is str:
        if not value.isascii():
            _check_text(value)
        return value
    if kind is bool or value is None:
        return value
    if kind is int:
        if MIN_INT <= value <= MAX_INT:
            return value
        raise Refusal("an integer beyond int64")
    if kind is float:
        if value - value == 0:
            return value
        raise Refusal("an infinity" if value == value else "NaN")  # noqa: PLR0124
    if depth > MAX_DEPTH and issubclass(kind, (dict, list, tuple, bytes, bytearray, memoryview)):
        raise Refusal(f"what is nested deeper than {MAX_DEPTH}")
    if kind is dict:
        return _prepared_object(value, depth)
    if kind is list or kind is tuple:
        return _prepared_array(value, depth)
    if kind is bytes or kind is bytearray or kind is memoryview:
        from binascii import b2a_base64

        return {"$bytes": b2a_base64(value, newline=False).decode()}
    if value is NULL:
        return None
    return prepare(base_value(value), depth)


def _prepared_object(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, item in value.items():
        if type(key) is not str:
            if not issubclass(type(key), str):
                raise Refusal(f"an object with a key of type {type(key).__name__}", "keys are text")
            key = str.__str__(key)  # noqa: PLW2901
        if not key.isascii():
            _check_text(key)
        try:
            result[key] = prepare(item, depth + 1)
        except Refusal as refusal:
            raise refusal.inside(key) from None
    if len(result) < len(value):
        raise Refusal("an object with two keys that are the same text")
    if len(result) == 1 and is_escaped(key):
        return {"$" + key: result[key]}
    return result


def _prepared_array(value: Any, depth: int) -> list[Any]:
    result: list[Any] = []
    try:
        for item in value:
            result.append(prepare(item, depth + 1))
    except Refusal as refusal:
        raise refusal.inside(len(result)) from None
    return result


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refusal("a text with a lone surrogate") from None


def is_escaped(key: str) -> bool:
    """Whether a sole key is `$bytes` with any number of dollars."""
    return key.endswith("$bytes") and not key[:-5].strip("$")


def base_value(value: Any) -> Any:  # noqa: PLR0911
    """The base value of an instance of a subclass, whatever the class says of it. Raises Refusal for the rest."""
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int):
        return int.__int__(value)
    if issubclass(kind, float):
        return float.__float__(value)
    if issubclass(kind, dict):
        return dict(dict.items(value))
    if issubclass(kind, list):
        return list.copy(value)
    if issubclass(kind, tuple):
        return [*tuple.__iter__(value)]
    if issubclass(kind, (bytes, bytearray)):
        return bytes(memoryview(value))
    enum = sys.modules.get("enum")
    if enum is not None and issubclass(kind, enum.Enum):
        return value.value
    name = kind.__name__
    advice = ADVICE.get(name, "")
    if hasattr(kind, "__dataclass_fields__"):
        advice = "dataclasses.asdict(it)"
    elif kind.__module__ == "numpy":
        advice = "it.tolist()"
    raise Refusal(f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}", advice and f"send {advice}")
