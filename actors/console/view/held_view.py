"""The messages that wait in a paused flow: look, edit, drop, release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.console.debug_text import value_text
from actors.console.text import short
from actors.console.view.asking import Asking
from actors.console.view.desk import Desk, Keys
from actors.console.view.drawing import Line, fit
from actors.console.view.flow_view import FlowView
from actors.console.view.picture import Picture
from actors.console.view.text_view import TextView, fields, value_lines
from actors.counted import counted

KEYS: Keys = (
    ("Enter", "whole"), ("Esc", "back"), ("/", "filter"), ("e", "edit"), ("x", "drop"), ("r", "release"),
    ("Space", "freeze"), ("q", "quit"),
)  # fmt: skip


class HeldView(FlowView):
    """`module`: only those of one."""

    keys = KEYS

    def __init__(self, desk: Desk, picture: Callable[[], Picture], module: str | None = None) -> None:
        super().__init__(desk, picture)
        self._module = module
        self._held: dict[str, dict[str, Any]] = {}
        self._asking = Asking(desk, picture, lambda client: client.list_held(picture().flow), self._came)
        self._place = 27  # cells

    def head(self, width: int) -> list[Line]:
        """How many are listed, and how many more there are."""
        listed = list(self._held.values())
        more = sum(one.get("more", 0) for one in listed)
        state = self.picture().state
        paused = state is not None and state["debug"]["pausedModules"]
        what = f"{counted(len(listed), 'message')} held" if paused else "the flow is not paused: nothing is held"
        line: Line = [(f"{self.picture().flow}: {what}", "head")]
        if more:
            line.append((f" and {short(more)} more that are not listed", "warn"))
        self._place = min(44, max(27, width // 3))
        return [line, [("  " + fit("MODULE.PORT, NUMBER", self._place) + " MESSAGE", "head")]]

    def ids(self) -> list[str]:
        """The oldest of each module first."""
        wanted = self.filter.lower()
        return [
            id for id, one in self._held.items() if not wanted or wanted in f"{id} {value_text(one['message'])}".lower()
        ]

    def line(self, id: str, width: int) -> Line:
        """A message; * waits at a breakpoint."""
        one = self._held[id]
        number = id.rpartition("#")[2]
        module = one["flowModuleId"].partition("/")[2]
        name = fit(f"{module}.{one['port']}", self._place - len(number) - 2).rstrip()
        mark = "* " if one["atBreakpoint"] else "  "
        place = f"{name} #{number}".ljust(self._place)
        return [(mark, "warn"), (f"{place} ", ""), (fit(value_text(one["message"]), width - self._place - 3), "")]

    def key(self, key: str, id: str | None) -> bool:
        """What the footer says."""
        if key == "slash":
            self.ask_filter("id, message")
            return True
        one = self._held.get(id or "")
        if one is None:
            return False
        match key:
            case "enter":
                self.desk.open(TextView(one["id"], lambda: held_lines(one), self.why))
            case "e":
                self.desk.edit(f"{one['id']}: edit", one["message"], self._edited(one))
            case "x":
                dropped = self._done(one, "dropped")
                drop = lambda _: self.desk.call(self.picture(), "dropHeld", one["id"], then=dropped)  # noqa: E731
                self.desk.ask(f"drop {one['id']}?", "", drop)
            case "r":
                self.desk.call(self.picture(), "releaseHeld", one["id"], then=self._done(one, "released"))
            case _:
                return False
        return True

    def look(self, now: float) -> None:
        """Ask for what there is now."""
        self._asking.look(now)

    def _came(self, held: list[dict[str, Any]]) -> None:
        of = None if self._module is None else f"{self.picture().flow}/{self._module}"
        self._held = {one["id"]: one for one in held if of in (None, one["flowModuleId"])}

    def _done(self, one: dict[str, Any], word: str) -> Callable[[Any], None]:
        def done(_: Any) -> None:
            self._asking.soon()
            self.desk.say(f"{one['id']}: {word}")

        return done

    def _edited(self, one: dict[str, Any]) -> Callable[[Any], None]:
        def change(message: Any) -> None:
            self.desk.call(self.picture(), "editHeld", one["id"], message, then=self._done(one, "edited"))

        return change


def held_lines(one: dict[str, Any]) -> list[Line]:
    """A held message, whole."""
    facts = [("module", one["flowModuleId"]), ("port", one["port"])]
    if one["atBreakpoint"]:
        facts.append(("waits", "at a breakpoint" + (f": {one['error']}" if "error" in one else "")))
    headers = [[], [("headers", "head")], *value_lines(one["headers"])] if one["headers"] else []
    return [*fields(facts), [], [("message", "head")], *value_lines(one["message"]), *headers]
