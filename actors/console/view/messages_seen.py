"""What leaves the ports of a module, while somebody looks: taps, and the newest messages of each."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from actors.console.debug_text import value_text
from actors.console.view.desk import Desk
from actors.console.view.drawing import Line
from actors.console.view.newest import Newest
from actors.console.view.picture import Picture
from actors.console.view.text_view import NumberedLines, paragraph
from actors.console.view.tree import wires_of

MOST = 200


class MessagesSeen:
    """Of one module. A tap that is read waits for its next message, so there is one call under way for each."""

    def __init__(self, desk: Desk, picture: Callable[[], Picture], module: str) -> None:
        self._desk, self._picture, self._module = desk, picture, module
        self._seen: Newest[tuple[str, str, Any]] = Newest(MOST)  # time, port, message
        self.above = self._seen.above
        self._taps: dict[str, str] = {}  # the ports, by the id of their tap
        self._round = 0  # what was begun in another one is of no use
        self._on = False
        self._dropped = 0
        self.newest: object = self  # another one whenever there is something new

    def ports(self) -> list[str]:
        """Those that wires lead from, and `out`."""
        own = [start.partition(".") for start, _, _ in wires_of(self._picture().document)]
        return list(dict.fromkeys([*(port for module, _, port in own if module == self._module), "out"]))

    def begin(self) -> None:
        """Look on, if that has not begun."""
        if self._on or self._desk.is_frozen():
            return
        self._on = True
        self._round += 1
        picture, this = self._picture(), self._round
        for port in self.ports():
            opened = lambda tap, port=port: self._opened(tap, port, this)  # noqa: E731
            self._desk.call(picture, "tapPort", f"{picture.flow}/{self._module}", port, then=opened)

    def end(self) -> None:
        """Look on no more."""
        self._on = False
        self._round += 1
        for tap in self._taps:
            self._end_tap(tap)
        self._taps.clear()

    def _end_tap(self, tap: str) -> None:
        self._desk.work(self._picture(), lambda client: client.end_tap(tap), _ignore, _ignore)

    def _opened(self, tap: str, port: str, this: int) -> None:
        if this != self._round:
            self._end_tap(tap)
            return
        self._taps[tap] = port
        self._read(tap)

    def _read(self, tap: str) -> None:
        came = lambda read: self._came(tap, read)  # noqa: E731
        self._desk.work(self._picture(), lambda client: client.read_tap(tap, timeout=None), came, self._ended)

    def _ended(self, why: str) -> None:
        if self._on:
            self._desk.say(why, "bad")

    def _came(self, tap: str, read: dict[str, Any]) -> None:
        if (port := self._taps.get(tap)) is None:
            return
        self._dropped += read["dropped"]
        now = time.strftime("%H:%M:%S")
        if not self._desk.is_frozen():
            self.newest = read
            self._seen.take((now, port, view["message"]) for view in read["messages"][-MOST:])
        self._read(tap)

    def last(self) -> tuple[str, list[Any]]:
        """The port that the newest message has left, and what was seen of it, the oldest first."""
        seen = [one for _, one in self._seen.newest_first()]
        port = seen[0][1] if seen else "out"
        return port, [message for _, its_port, message in reversed(seen) if its_port == port]

    def lines(self) -> NumberedLines:
        """What was seen, the newest first."""
        shown = self._seen.lines(_lines)
        dropped = f"; {self._dropped:,} came too fast to be shown" if self._dropped else ""
        return [(0, [(f"what leaves {', '.join(self.ports())}, the newest first{dropped}", "dim")]), *shown]


def _lines(seen: tuple[str, str, Any]) -> list[Line]:
    when, port, message = seen
    return paragraph(f"{when} {port}: {value_text(message)}")


def _ignore(_: Any) -> None:
    """It is over either way."""
