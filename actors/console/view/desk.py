"""What a view of the console is, and what it can have done. No view knows textual."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from actors.console.client import RunnerClient
from actors.console.view.drawing import Line
from actors.console.view.picture import Picture
from actors.console.view.watching import Watch

Keys = tuple[tuple[str, str], ...]  # a key as it is shown, and a word for what it does


class View(Protocol):
    """A list of lines with ids, below a head. `chosen`: one of the lines is, and is marked; else the lines scroll."""

    keys: Keys
    chosen: bool
    filter: str

    def why(self) -> str:
        """The first line of the screen."""

    def head(self, width: int) -> list[Line]:
        """The lines above the list."""

    def ids(self) -> list[str]:
        """Of the lines there are now, in their order."""

    def line(self, id: str, width: int) -> Line:
        """The line with an id."""

    def key(self, key: str, id: str | None) -> bool:
        """A key, by textual's name, with the chosen line; whether it means something here. Enter and Escape, too."""

    def above(self, top: int) -> str:
        """What is to be said of the lines above the first that is seen; called whenever that was drawn."""

    def look(self, now: float) -> None:
        """Called some times a second while it is seen: ask for what it shows."""

    def leave(self) -> None:
        """It is not seen any more."""


class Desk(Protocol):
    """The screen that shows views one above the other."""

    live: Watch

    def pictures(self) -> list[Picture]:
        """Of all flows: as they are, or as they were when the screen was frozen."""

    def is_frozen(self) -> bool:
        """Whether the screen stands still."""

    def open(self, view: View) -> None:
        """A view above the one that is seen."""

    def back(self) -> None:
        """To the view below; from the first one nowhere."""

    def choose(self, id: str) -> None:
        """The line of the view that is to be chosen."""

    def say(self, text: str, style: str = "") -> None:
        """On the line above the keys."""

    def work(
        self, picture: Picture, work: Callable[[RunnerClient], Any], then: Callable[[Any], None],
        otherwise: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        """Work with the client of a flow's runner, in a thread; `then` gets what it returns, in that of the screen.

        A refusal, an Outcome or a RunnerError, is said, or goes to `otherwise`.
        """

    def call(self, picture: Picture, method: str, *args: Any, then: Callable[[Any], None], **params: Any) -> None:
        """Run one call of the API."""

    def ask(
        self, what: str, text: str, done: Callable[[str], None], meanwhile: Callable[[str], None] | None = None
    ) -> None:
        """A line of text: `done` when it is entered, `meanwhile` as it changes (and as it was, if it is given up)."""

    def edit(self, what: str, text: str, done: Callable[[Any], None]) -> None:
        """JSON in an editor; `done` gets the value."""


class Choice:
    """Which line of a list is chosen, by its id, and which is the first that is seen; that one, where none is chosen.

    Where lines come or go above, what is seen stays where it is; as long as the top is not seen.
    """

    def __init__(self) -> None:
        self.id: str | None = None
        self.at = 0  # where the chosen one is; if it vanishes, the one there is chosen
        self.top = 0

    def settle(self, ids: list[str], height: int, chosen: bool) -> None:
        """With what there is now, in so many lines."""
        if self.id is not None and (chosen or self.at):
            moved = _place(self.id, ids, self.at) - self.at
            self.at += moved
            self.top += moved if self.top else 0
        self.at = max(0, min(self.at, len(ids) - (1 if chosen else max(1, height))))
        fits = max(0, min(self.top, self.at, len(ids) - height), self.at - height + 1)
        self.top = fits if chosen else self.at
        self.id = ids[self.at] if ids else None

    def move(self, lines: int, ids: list[str]) -> None:
        """So many down; up, if negative. `ids`: of what is seen."""
        if ids:
            self.at = max(0, min(len(ids) - 1, self.at + lines))
            self.id = ids[self.at]


def _place(id: str, ids: list[str], otherwise: int) -> int:
    """Of a piece of a line that is wrapped otherwise now: where that line begins."""
    return next((ids.index(one) for one in (id, f"{id.partition('.')[0]}.0") if one in ids), otherwise)
