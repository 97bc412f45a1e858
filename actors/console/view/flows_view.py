"""All that is live: runners and deployments, and the flows they have."""

from __future__ import annotations

import time

from rich.cells import cell_len

from actors.console.text import short
from actors.console.view.desk import Desk, Keys
from actors.console.view.drawing import Line, fit, mebibytes, milliseconds, share
from actors.console.view.flow_head import flow_word, sentence, totals
from actors.console.view.modules_view import ModulesView
from actors.console.view.pausing import FLOW_KEYS
from actors.console.view.picture import Picture
from actors.console.view.watching import DoorWatch
from actors.counted import counted

KEYS: Keys = (
    ("Enter", "in"), ("/", "filter"), ("p", "pause"), ("S", "stop, start"), ("Space", "freeze"), ("q", "quit"),
)  # fmt: skip
_HEAD = (("STATE", -14), ("MODULES", 7), ("IN/S", 5), ("WAIT", 5), ("ERR", 5), ("DEAD", 5), ("CPU", 5), ("MEM", 5))
NAME_CELLS = 20  # of a name, at least; as many columns stand there as there is room for beside it


class FlowsView:
    """The first one; a door is a line, its runners and flows are below it."""

    chosen = True
    keys = KEYS

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.filter = ""
        self._lines: dict[str, tuple[Line, Picture | None]] = {}

    def why(self) -> str:
        """Of the first flow that is in trouble; or of the only one."""
        pictures = self._desk.pictures()
        if not pictures:
            return "no flow is here yet"
        sentences = [sentence(picture) for picture in pictures]
        well = (": nothing holds it back", ": nothing is wrong")
        return next((text for text in sentences if not any(word in text for word in well)), sentences[0])

    def head(self, width: int) -> list[Line]:
        """The titles; and here the lines are made."""
        self._lines = {}
        columns, name = _room(width, self._desk.pictures())
        frozen = " FROZEN" if self._desk.is_frozen() else ""
        pictures = self._desk.pictures()
        for door in list(self._desk.live.doors.values()):
            self._add_door(door)
            for picture in pictures:
                if picture.door == str(door.live.socket):
                    self._lines[f"{picture.door} {picture.flow}"] = _flow_cells(picture, columns, name), picture
        flows = counted(sum(picture is not None for _, picture in self._lines.values()), "flow")
        where = counted(sum(len(door.runners) or 1 for door in self._desk.live.doors.values()), "runner")
        titles = "".join(" " + fit(title, abs(wide), right=wide > 0) for title, wide in columns)
        return [
            [(f"{flows}, {where}", ""), (frozen, "warn")],
            [(fit("RUNNER, FLOW", name) + titles, "head")],
        ]  # fmt: skip

    def _add_door(self, door: DoorWatch) -> None:
        live, said = door.live, door.ended or door.silent
        line: Line = [(live.path, "bold"), (f"  pid {live.pid}", "dim")]
        if said is not None:
            line.append((f"  {said}", "bad"))
        self._lines[str(live.socket)] = line, None
        if len(door.runners) < 2:
            return
        for runner in door.runners:
            word = (runner["state"], "good" if runner["state"] == "up" else "bad")
            line = [(fit(f"  {runner['name']}", 20) + " ", ""), word, (f"  pid {runner['pid'] or '-'}", "dim")]
            line.append((f"  started {counted(runner['incarnation'] or 0, 'time')}", "dim"))
            for link in runner["links"]:
                up = f"{milliseconds(link['roundTripMs']) or '-'} ms, {short(link['unacknowledged'])} unacked"
                line.append((f"  to {link['peer']}: {up if link['up'] else 'down'}", "" if link["up"] else "bad"))
            self._lines[f"{live.socket} runner {runner['name']}"] = line, None

    def ids(self) -> list[str]:
        """Flows that pass the filter; of the other lines all. The first flow is chosen, once."""
        wanted = self.filter.lower()
        return [
            id for id, (_, picture) in self._lines.items()
            if not wanted or picture is None or wanted in picture.flow.lower()
        ]  # fmt: skip

    def line(self, id: str, _width: int) -> Line:
        """As it was made last."""
        return self._lines[id][0]

    def key(self, key: str, id: str | None) -> bool:
        """What the footer says."""
        picture = self._lines[id][1] if id in self._lines else None
        if key == "slash":
            self._desk.ask("filter (flow)", self.filter, self._filter_by, self._filter_by)
        elif key == "enter" and (first := picture or self._first_below(id)) is not None:
            self._desk.open(ModulesView(self._desk, first))
        elif key in ("p", "S") and picture is not None:
            FLOW_KEYS[key](self._desk, picture)
        else:
            return False
        return True

    def _first_below(self, id: str | None) -> Picture | None:
        """The first flow of a runner whose line is chosen."""
        lines = list(self._lines.items())
        at = next((number for number, (its, _) in enumerate(lines) if its == id), len(lines))
        return next((picture for _, (_, picture) in lines[at:] if picture is not None), None)

    def above(self, _top: int) -> str:
        """They have no order in time."""
        return ""

    def look(self, _now: float) -> None:
        """It is told all it shows."""

    def leave(self) -> None:
        """There is nothing to end."""

    def _filter_by(self, text: str) -> None:
        self.filter = text


def _room(width: int, pictures: list[Picture]) -> tuple[list[tuple[str, int]], int]:
    """The columns that there is room for, and the cells of the names in front of them."""
    columns = list(_HEAD)
    while len(columns) > 1 and width - _cells(columns) < NAME_CELLS:
        columns.pop()
    longest = max((cell_len(picture.flow) + 2 for picture in pictures), default=0)
    return columns, min(width - _cells(columns), max(NAME_CELLS, longest))


def _cells(columns: list[tuple[str, int]]) -> int:
    return sum(abs(wide) + 1 for _, wide in columns)


def _flow_cells(picture: Picture, columns: list[tuple[str, int]], width: int) -> Line:
    state = picture.state
    assert state is not None
    sums, word = totals(state), flow_word(picture, time.monotonic())
    dead = state["deadLetters"]
    cells = [
        (fit(word[0], 14), word[1]), (fit(str(len(state["modules"])), 7, right=True), ""),
        *((fit(short(sums[name]), 5, right=True), "bad" if name == "errors" and sums[name] else "")
          for name in ("inPerS", "queued", "errors")),
        (fit(short(dead), 5, right=True), "bad" if dead else ""),
        (fit(share(sums["cpu"]), 5, right=True), ""), (fit(mebibytes(sums["memory"]), 5, right=True), ""),
    ]  # fmt: skip
    shown = cells[: len(columns)]
    return [(fit(f"  {picture.flow}", width), ""), *(span for cell in shown for span in ((" ", ""), cell))]
