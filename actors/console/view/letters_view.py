"""The dead letters of a flow: look, edit, send again, drop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from actors.console.client import RunnerClient, RunnerError
from actors.console.debug_text import value_text
from actors.console.view.asking import Asking
from actors.console.view.desk import Desk, Keys
from actors.console.view.drawing import Line, fit
from actors.console.view.flow_view import FlowView
from actors.console.view.keeping import ask_to_keep
from actors.console.view.picture import Picture
from actors.console.view.text_view import TextView, error_lines, fields, value_lines
from actors.console.view.watching import refusal
from actors.counted import counted

KEYS: Keys = (
    ("Enter", "whole"), ("Esc", "back"), ("/", "filter"), ("r", "replay"), ("R", "replay all of this error"),
    ("e", "edit"), ("x", "drop"), ("t", "keep as test"), ("Space", "freeze"), ("q", "quit"),
)  # fmt: skip


class LettersView(FlowView):
    """`module`: only those of one."""

    keys = KEYS

    def __init__(self, desk: Desk, picture: Callable[[], Picture], module: str | None = None) -> None:
        super().__init__(desk, picture)
        self._module = module
        self._letters: dict[str, dict[str, Any]] = {}
        self._asking = Asking(desk, picture, lambda client: client.dead_letters(picture().flow), self._came)
        self._known = False

    def head(self, width: int) -> list[Line]:
        """How many there are."""
        count = counted(len(self._letters), "dead letter") if self._known else "dead letters are asked for"
        of = self.picture().flow if self._module is None else f"{self.picture().flow}/{self._module}"
        line: Line = [(f"{of}: {count}", "head")]
        return [line, [(_cells("ID", "MODULE", "ERROR, MESSAGE", width), "head")]]

    def ids(self) -> list[str]:
        """Of the letters, the oldest first."""
        wanted = self.filter.lower()
        return [id for id, letter in self._letters.items() if not wanted or wanted in _text(letter).lower()]

    def line(self, id: str, width: int) -> Line:
        """A letter: number, module, error, message."""
        letter = self._letters[id]
        module = letter["flowModuleId"].partition("/")[2]
        return [(_cells(id.rpartition("/")[2], module, _text(letter), width), "")]

    def key(self, key: str, id: str | None) -> bool:
        """What the footer says."""
        if key == "slash":
            self.ask_filter("error, message")
            return True
        letter = self._letters.get(id or "")
        if letter is None:
            return False
        match key:
            case "enter":
                self.desk.open(TextView(letter["id"], lambda: letter_lines(letter), self.why))
            case "r":
                self._replay(letter)
            case "R":
                self._replay_all([one["id"] for one in self._letters.values() if _kind(one) == _kind(letter)])
            case "x":
                dropped = self._done(letter, "dropped")
                drop = lambda _: self.desk.call(self.picture(), "dropDeadLetter", letter["id"], then=dropped)  # noqa: E731
                self.desk.ask(f"drop {letter['id']}?", "", drop)
            case "e":
                self.desk.edit(f"{letter['id']}: edit", letter["message"], self._edited(letter))
            case "t":
                self._keep(letter)
            case _:
                return False
        return True

    def look(self, now: float) -> None:
        """Ask for what there is now."""
        self._asking.look(now)

    def _came(self, letters: list[dict[str, Any]]) -> None:
        of = None if self._module is None else f"{self.picture().flow}/{self._module}"
        self._letters = {one["id"]: one for one in letters if of in (None, one["flowModuleId"])}
        self._known = True

    def _keep(self, letter: dict[str, Any]) -> None:
        from actors.console.keep_as_test import of_letter  # runs flows

        module, error = letter["flowModuleId"].partition("/")[2], letter["error"]
        suggested = f"{module}: {error['type']}"
        ask_to_keep(self.desk, self.picture().flow, suggested, lambda name: ([of_letter(name, letter)], []))

    def _replay(self, letter: dict[str, Any]) -> None:
        self.desk.call(self.picture(), "replayDeadLetter", letter["id"], then=self._done(letter, "sent again"))

    def _replay_all(self, ids: list[str]) -> None:
        """One after the other; the first that is refused ends it."""

        def work(client: RunnerClient) -> Any:
            for number, id in enumerate(ids):
                if not (outcome := client.replay_dead_letter(id)):
                    raise RunnerError(f"{number} of {len(ids)} sent again; {refusal(outcome)}")
            return len(ids)

        def done(count: int) -> None:
            self._asking.soon()
            self.desk.say(f"{counted(count, 'dead letter')} sent again")

        self.desk.work(self.picture(), work, done)

    def _done(self, letter: dict[str, Any], word: str, gone: bool = True) -> Callable[[Any], None]:
        def done(_: Any) -> None:
            if gone:
                self._letters.pop(letter["id"], None)
            self._asking.soon()
            self.desk.say(f"{letter['id']}: {word}")

        return done

    def _edited(self, letter: dict[str, Any]) -> Callable[[Any], None]:
        def change(message: Any) -> None:
            then = self._done(letter, "edited; r sends it again", gone=False)
            self.desk.call(self.picture(), "editDeadLetter", letter["id"], message, then=then)

        return change


def _text(letter: dict[str, Any]) -> str:
    """Without the place of the error, which may be long."""
    error = letter["error"]
    return f"{error['type']}: {error['message']}  {value_text(letter['message'])}"


def _cells(id: str, module: str, text: str, width: int) -> str:
    return f"{fit(id, 6)} {fit(module, 16)} {fit(text, width - 24)}"


def _kind(letter: dict[str, Any]) -> tuple[Any, ...]:
    error = letter["error"]
    return letter["flowModuleId"], error["type"], error.get("file"), error.get("line")


def letter_lines(letter: dict[str, Any]) -> list[Line]:
    """A dead letter, whole."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter["time"]))
    facts = [("module", letter["flowModuleId"]), ("port", letter["port"]), ("time", when)]
    headers = [[], [("headers", "head")], *value_lines(letter["headers"])] if letter["headers"] else []
    return [
        *fields(facts), [], [("error", "head")], *error_lines(letter["error"]), [],
        [("message", "head")], *value_lines(letter["message"]), *headers,
    ]  # fmt: skip
