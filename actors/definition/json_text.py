"""JSON text as plain values, with the place of every field. Knows nothing of flows."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NoReturn

from actors.definition.model import FlowError
from actors.definition.places import FieldPath, Places, dotted

MAX_NESTING = 128
_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[^ \t\r\n,\]}]+")


def read_json(text: str, places: Places) -> Any:
    """The value of a JSON text; FlowError names what is wrong and where."""
    value = None
    try:
        value = json.loads(text, parse_int=whole_number)
    except json.JSONDecodeError as error:
        _refuse(f"{places.file}:{error.lineno}:{error.colno}", f"this is not JSON: {error.msg}.")
    except RecursionError:
        pass  # the walk says where
    _Walk(text, places).value(_end_of(_SPACE, text, 0), ())
    return value


def whole_number(text: str, base: int = 10) -> int | float:
    """An integer; beyond 64 bits a double, as everywhere in the data contract: infinity if that is too small for it."""
    try:
        number = float(text) if base == 10 and len(text) > 20 else int(text, base)
        return number if -(2**63) <= number < 2**63 else float(number)
    except OverflowError:
        return float("inf")


class _Walk:
    """Goes through a JSON text once more, for the places that JSON's own parser does not tell."""

    def __init__(self, text: str, places: Places) -> None:
        self.text, self.places = text, places
        self.lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def value(self, at: int, path: FieldPath) -> int:
        """Note where the value at `at` and what is in it stand; returns where it ends."""
        self._note(path, at)
        if len(path) > MAX_NESTING:
            _refuse(self.places.at(path), f"{dotted(path[:4])} is nested deeper than {MAX_NESTING} levels.")
        match self.text[at]:
            case "{":
                return self._items(at, path, "}")
            case "[":
                return self._items(at, path, "]")
            case '"':
                return int(scanstring(self.text, at + 1)[1])
        return _end_of(_WORD, self.text, at)

    def _items(self, at: int, path: FieldPath, end: str) -> int:
        """The members of an object, or the items of a list."""
        keys: set[str] = set()
        index = 0
        at = _end_of(_SPACE, self.text, at + 1)
        while self.text[at] != end:
            if end == "}":
                key, colon = scanstring(self.text, at + 1)
                inner: FieldPath = (*path, key)
                if key in keys:
                    first = self.places.position(inner)[0]
                    place = "{}:{}:{}".format(self.places.file, *self._position(at))
                    _refuse(place, f"{dotted(inner)} is given twice, first in line {first}; remove one.")
                keys.add(key)
                self._note(inner, at)
                at = _end_of(_SPACE, self.text, _end_of(_SPACE, self.text, colon) + 1)
            else:
                inner = (*path, index)
                index += 1
            at = _end_of(_SPACE, self.text, self.value(at, inner))
            if self.text[at] == ",":
                at = _end_of(_SPACE, self.text, at + 1)
        return at + 1

    def _note(self, path: FieldPath, at: int) -> None:
        self.places.marks.setdefault(path, self._position(at))

    def _position(self, at: int) -> tuple[int, int]:
        line = bisect_right(self.lines, at)
        return line, at - self.lines[line - 1] + 1


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _refuse(place: str, sentence: str) -> NoReturn:
    raise FlowError([f"{place}: {sentence}"])
