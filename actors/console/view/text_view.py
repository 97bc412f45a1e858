"""Views of text: what was found is shown whole, and scrolls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any

from actors.console.text import plain
from actors.console.view.desk import Keys
from actors.console.view.drawing import Line, wrap
from actors.error_text import error_text

MAX_LINES_OF_A_TEXT = 2_000
SCROLL_KEYS: Keys = (("Esc", "back"), ("↑↓", "scroll"), ("Space", "freeze"), ("q", "quit"))


NumberedLines = Iterable[tuple[int, Line]]  # lines of one number are next to each other


class Wrapped:
    """Lines put into a width; they are made again only if it, or what they are made of, is another one.

    `lines`: by an id that a line keeps whatever comes before it: NUMBER.PIECE.
    """

    def __init__(self) -> None:
        self._made_of: tuple[object, int] | None = None
        self.lines: dict[str, Line] = {}

    def take(self, source: object, width: int, lines: Callable[[], NumberedLines]) -> None:
        """`source`: what `lines` shows; it is another object when that has changed."""
        if self._made_of is None or self._made_of[0] is not source or self._made_of[1] != width:
            self._made_of = source, width
            self.lines = {}
            for number, group in groupby(lines(), itemgetter(0)):
                pieces = (one for _, line in group for one in wrapped(line, width))
                self.lines.update((f"{number}.{at}", piece) for at, piece in enumerate(pieces))


class TextView:
    """`text`: lines of any width, which are wrapped; it is called when it is opened."""

    chosen = False
    keys = SCROLL_KEYS

    def __init__(self, title: str, text: Callable[[], list[Line]], why: Callable[[], str]) -> None:
        self.title, self.text, self._why = title, text, why
        self.filter = ""
        self._wrapped = Wrapped()

    def why(self) -> str:
        """That of the flow."""
        return self._why()

    def head(self, width: int) -> list[Line]:
        """The title; and here the text is put into lines."""
        self._wrapped.take(self.text, width, lambda: enumerate(self.text()))
        return [[(self.title, "head")]]

    def ids(self) -> list[str]:
        """Of the wrapped lines."""
        return list(self._wrapped.lines)

    def line(self, id: str, _width: int) -> Line:
        """One of the wrapped ones."""
        return self._wrapped.lines[id]

    def above(self, _top: int) -> str:
        """It is whole from the beginning."""
        return ""

    def key(self, _key: str, _id: str | None) -> bool:
        """Nothing but what every view has."""
        return False

    def look(self, _now: float) -> None:
        """It has all it shows."""

    def leave(self) -> None:
        """There is nothing to end."""


def wrapped(line: Line, width: int) -> list[Line]:
    """A line that is too long goes on below, indented as it is."""
    text = "".join(part for part, _ in line)
    if len(text) <= width and text.isascii():
        return [line]
    if len(line) > 2:
        return [line]  # columns: what is too long is cut where it is drawn
    if len(line) > 1 and len(line[0][0]) <= width // 2:  # a name, and what is said of it
        name, said = line
        below = " " * len(name[0])
        first, *others = wrapped([said], width - len(below))
        return [[name, *first], *([(below, ""), *other] for other in others)]
    indent = text[: min(len(text) - len(text.lstrip()), width // 2)]
    room = max(1, width - len(indent))
    style = line[0][1] if line else ""
    pieces = wrap(text.lstrip(), room, MAX_LINES_OF_A_TEXT)
    while len(pieces) > 1 and not pieces[-1]:
        pieces.pop()
    return [[(indent + piece, style)] for piece in pieces]


def paragraph(text: str, style: str = "", indent: str = "") -> list[Line]:
    """Lines as they are, without what a terminal would obey."""
    return [[(indent + plain(line).expandtabs(4), style)] for line in text.split("\n")]


def value_lines(value: Any, indent: str = "", style: str = "") -> list[Line]:
    """JSON over several lines."""
    return paragraph(json.dumps(value, ensure_ascii=False, indent=2), style, indent)


def error_lines(error: dict[str, Any], indent: str = "") -> list[Line]:
    """Place, type and message; the stack."""
    lines = paragraph(error_text(error), "bad", indent)
    stack = (error.get("stack") or "").rstrip()
    return [*lines, *(paragraph(stack, "", indent + "  ") if stack else [])]


def fields(pairs: Iterable[tuple[str, str]], indent: str = "") -> list[Line]:
    """A line a fact."""
    return [[(f"{indent}{name:12}", "dim"), (plain(text), "")] for name, text in pairs]
