"""A flow: its modules as a tree, or sorted by a column."""

from __future__ import annotations

import time

from actors.console.debug_text import debug_lines
from actors.console.view.columns import NAME, SORTABLE, Layout, Row, layout
from actors.console.view.desk import Desk, Keys
from actors.console.view.drawing import Line
from actors.console.view.flow_head import flow_line
from actors.console.view.flow_view import FlowView
from actors.console.view.held_view import HeldView
from actors.console.view.letters_view import LettersView
from actors.console.view.log_view import LogView
from actors.console.view.module_view import ModuleView
from actors.console.view.pausing import FLOW_KEYS, toggle_breakpoint
from actors.console.view.picture import Picture
from actors.console.view.text_view import TextView, paragraph
from actors.console.view.tree import tree
from actors.console.view.wave_view import WaveView
from actors.state.explain import explain

KEYS: Keys = (
    ("Enter", "in"), ("Esc", "back"), ("/", "filter"), (":", "jump"), ("<>", "sort"), ("b", "break"), ("p", "pause"),
    ("s", "step"), ("h", "held"), ("d", "dead"), ("l", "log"), ("w", "why"), ("S", "stop, start"),
    ("U", "roll back"), ("Space", "freeze"), ("q", "quit"),
)  # fmt: skip


class ModulesView(FlowView):
    """`picture`: which flow it is."""

    keys = KEYS

    def __init__(self, desk: Desk, picture: Picture) -> None:
        super().__init__(desk, self._now)
        self._last = picture
        self._sort: str | None = None
        self._layout: Layout = layout(80, (), False)
        self._rows: dict[str, Row] = {}
        self._tree: tuple[object, dict[str, str]] = (None, {})

    def _now(self) -> Picture:
        """As it is, or was when the screen was frozen; if it is no more, as it was last."""
        last = self._last
        for one in self.desk.pictures():
            its_own = one.door == last.door or (last.ended is not None and one.runner == last.runner)
            if one.flow == last.flow and its_own:
                self._last = one
        return self._last

    def head(self, width: int) -> list[Line]:
        """The totals, and the titles of the columns."""
        picture = self.picture()
        state = picture.state
        assert state is not None
        names = [*state["modules"], *state["leftOut"], *state.get("away", {})]
        key = (picture.document, tuple(names))
        if self._tree[0] != key:
            self._tree = key, tree(names, picture.document)
        marks = self._tree[1]
        self._rows = {name: Row(picture, name, mark) for name, mark in marks.items()}
        several = any("runner" in its for its in state["modules"].values())
        self._layout = layout(width, (mark + name for name, mark in marks.items()), several)
        line = flow_line(picture, self.desk.is_frozen(), time.monotonic(), width)
        return [line, self._layout.head(self._sort)]

    def ids(self) -> list[str]:
        """The modules that pass the filter, in their order."""
        wanted = self.filter.lower()
        rows = [row for name, row in self._rows.items() if _passes(row, wanted)]
        if self._sort is not None:
            key = SORTABLE[self._sort]
            rows.sort(key=lambda row: row.name)
            rows.sort(key=key, reverse=not isinstance(key(rows[0]) if rows else "", str))
        return [row.name for row in rows]

    def line(self, id: str, _width: int) -> Line:
        """A module with its figures."""
        row = self._rows[id]
        return self._layout.line(row if self._sort is None else Row(row.picture, row.name, ""))

    def key(self, key: str, id: str | None) -> bool:
        """What the footer says."""
        picture = self.picture()
        match key:
            case "enter" if id is not None:
                self.desk.open(ModuleView(self.desk, self.picture, id))
            case "slash":
                self.ask_filter("name, runtime, runner")
            case "colon":
                jump = lambda text: self._jump(text, id)  # noqa: E731
                self.desk.ask("jump to module", "", lambda _: None, jump)
            case "less_than_sign" | "greater_than_sign":
                self._sort_by(1 if key == "greater_than_sign" else -1)
            case "b" if id is not None:
                toggle_breakpoint(self.desk, picture, id)
            case "p" | "S" | "U":
                FLOW_KEYS[key](self.desk, picture)
            case "s":
                self.desk.open(WaveView(self.desk, self.picture))
            case "h":
                self.desk.open(HeldView(self.desk, self.picture))
            case "d":
                self.desk.open(LettersView(self.desk, self.picture))
            case "l":
                self.desk.open(LogView(self.desk, self.picture))
            case "w":
                self.desk.open(TextView("why", self._all_sentences, self.why))
            case _:
                return False
        return True

    def _jump(self, text: str, before: str | None) -> None:
        """To the first whose name begins so, or has it; without a text back to where it was."""
        names = self.ids() if text else [before or ""]
        wanted = text.lower()
        for name in [*(n for n in names if n.lower().startswith(wanted)), *(n for n in names if wanted in n.lower())]:
            self.desk.choose(name)
            return

    def _sort_by(self, step: int) -> None:
        titles = [None, NAME, *(column.title for column, _ in self._layout.columns)]
        at = titles.index(self._sort) if self._sort in titles else 0
        self._sort = titles[(at + step) % len(titles)]
        self.desk.say("in the order of the flow" if self._sort is None else f"sorted by {self._sort}")

    def _all_sentences(self) -> list[Line]:
        state = self.picture().state
        assert state is not None
        lines = [line for text in explain(state) for line in [*paragraph(text), []]]
        debug = [line for text in debug_lines(state["debug"], len(state["modules"])) for line in paragraph(text)]
        happened = [
            (f"{time.strftime('%H:%M:%S', time.localtime(it.time))}  {it.text}", "")
            for it in list(self.desk.live.events) if it.flow in ("", self.picture().flow)
        ]  # fmt: skip
        lost = paragraph(state["lost"], "warn") if state.get("lost") else []
        return [*lines, *lost, *debug, [], [("what has happened", "head")], *([one] for one in reversed(happened))]


def _passes(row: Row, wanted: str) -> bool:
    its = row.its
    texts = (row.name, its.get("runtime") or "", its.get("runner") or "", *(its.get("stops") or ()))
    return not wanted or any(wanted in text.lower() for text in texts)
