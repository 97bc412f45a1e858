"""What a flow, or one of its modules, has in the log: the newest first, as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from actors.console.view.asking import Asking
from actors.console.view.desk import Desk, Keys
from actors.console.view.drawing import Line
from actors.console.view.flow_view import FlowView
from actors.console.view.newest import Newest
from actors.console.view.picture import Picture
from actors.console.view.text_view import NumberedLines, Wrapped, paragraph

MOST = 1_000
KEYS: Keys = (("Esc", "back"), ("/", "filter"), ("↑↓", "scroll"), ("Space", "freeze"), ("q", "quit"))
_STYLES = {"error": "bad", "critical": "bad", "warning": "warn", "debug": "dim"}


class LogSeen:
    """The lines that have been read; `newest` is another object whenever there is one more."""

    def __init__(self, desk: Desk, picture: Callable[[], Picture], module: str | None = None) -> None:
        flow = picture().flow
        self._lines: Newest[dict[str, Any]] = Newest(MOST)
        self.above = self._lines.above
        self._after: str | None = None
        self._asking = Asking(
            desk, picture, lambda client: client.read_log(flow_id=flow, module_id=module, after=self._after), self._came
        )
        self.newest: object = self

    def look(self, now: float) -> None:
        """Ask for what has come."""
        self._asking.look(now)

    def _came(self, read: dict[str, Any]) -> None:
        if read["lines"] or self._after is None:
            self.newest = read
        self._lines.take(read["lines"])
        self._after = read["after"]

    def lines(self, wanted: str = "") -> NumberedLines:
        """Those that have this text in them."""
        if self._after is None:
            return [(0, [("it is asked for", "dim")])]
        shown = self._lines.lines(lambda one: _lines(one) if wanted in one["message"].lower() else [])
        return [*shown] or [(0, [("nothing is in the log", "dim")])]


def _lines(one: dict[str, Any]) -> list[Line]:
    when = time.strftime("%H:%M:%S", time.localtime(one["time"]))
    runner = f"{one['runner']}: " if "runner" in one else ""
    return paragraph(f"{when} {one['level'].upper():7} {runner}{one['message']}", _STYLES.get(one["level"], ""))


class LogView(FlowView):
    """The log of a flow."""

    chosen = False
    keys = KEYS

    def __init__(self, desk: Desk, picture: Callable[[], Picture]) -> None:
        super().__init__(desk, picture)
        self._seen = LogSeen(desk, picture)
        self._wrapped, self._shown = Wrapped(), ""

    def head(self, width: int) -> list[Line]:
        """The title; and here the lines are put into the width."""
        wanted = self.filter.lower()
        if wanted != self._shown:
            self._shown, self._wrapped = wanted, Wrapped()
        self._wrapped.take(self._seen.newest, width, lambda: self._seen.lines(wanted))
        return [[(f"{self.picture().flow}: log, the newest first", "head")]]

    def ids(self) -> list[str]:
        """Of the wrapped lines."""
        return list(self._wrapped.lines)

    def line(self, id: str, _width: int) -> Line:
        """One of the wrapped ones."""
        return self._wrapped.lines[id]

    def above(self, top: int) -> str:
        """What has come since they were read."""
        return self._seen.above(self.ids(), top)

    def key(self, key: str, _id: str | None) -> bool:
        """What the footer says."""
        if key == "slash":
            self.ask_filter("text")
            return True
        return False

    def look(self, now: float) -> None:
        """Ask for what has come."""
        self._seen.look(now)
