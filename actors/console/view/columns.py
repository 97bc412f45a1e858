"""The columns of the table of modules: what each says, how wide it is, which go first where there is no room. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from actors.console.text import short
from actors.console.view.drawing import Line, Span, bar, fit, mebibytes, milliseconds, share, sparkline
from actors.console.view.picture import Picture, State
from actors.state.mailbox import MAILBOX_HIGH_BYTES, MAILBOX_HIGH_MESSAGES, WINDOW_MESSAGES

LEAST_NAME = 16
WIDER_NAMES = ((7, 24), (11, 40))  # names get so much room before the columns of a higher rank have any
MORE_HISTORY = 20


class Row:
    """A module of a picture; `mark`: what the tree puts in front of its name.

    `its`: its figures, of one that is left out or away none; `host`: those of its host. Each cell asks for them.
    """

    __slots__ = ("host", "its", "mark", "name", "picture", "state")

    def __init__(self, picture: Picture, name: str, mark: str) -> None:
        assert picture.state is not None
        self.picture, self.name, self.mark = picture, name, mark
        self.state: State = picture.state
        self.its: State = self.state["modules"].get(name, {})
        self.host: State = self.state["hosts"].get(self.its.get("host"), {})


Key = Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """`rank`: the higher, the sooner it goes. `key`: what it is sorted by, the greatest first but for texts."""

    title: str
    width: int
    rank: int
    cell: Callable[[Row, int], Span]
    key: Key
    left: bool = False


def _number(title: str, rank: int, get: Key, style: str = "", width: int = 5) -> Column:
    def cell(row: Row, width: int) -> Span:
        value = get(row)
        return short(value, width), style if value else "dim"

    return Column(title, width, rank, cell, lambda row: get(row) or 0)


def _text(title: str, width: int, rank: int, get: Key) -> Column:
    return Column(title, width, rank, lambda row, _: (get(row) or "", ""), lambda row: get(row) or "", left=True)


def _figure(name: str) -> Key:
    return lambda row: row.its.get(name)


def ms_a_message(row: Row) -> float | None:
    """What a turn takes on the average."""
    its = row.its
    return its["busyMs"] / its["handled"] if its.get("handled") else None


def condition(row: Row) -> Span:
    """What a module is about, in a word of at most 8 letters; what it waits for comes first."""
    state, its = row.state, row.its
    debug = state["debug"]
    if not its:
        return ("left out", "dim") if row.name in state["leftOut"] else ("away", "bad")
    source = its.get("source") or {}
    life = row.host.get("life")
    word, style = "idle", "dim"
    if row.name in debug["hits"]:
        word, style = "● hit", "warn"
    elif row.name in debug["pausedModules"]:
        word, style = "paused", "warn"
    elif source.get("state") == "failed":
        word, style = "failed", "bad"
    elif state["state"] == "stopped":
        word = "stopped"
    elif state["state"] == "running" and life not in (None, "open"):
        word, style = str(life), "bad"
    elif "retry" in its["stops"] or source.get("state") == "restarting":
        word, style = "retries", "warn"
    elif its["heldBy"]:
        word, style = "held", "warn"
    elif source.get("state") == "finished" and not its["queued"]:
        word = "finished"
    elif its["inPerS"] or its["outPerS"] or its["inFlight"]:
        word, style = "runs", "good"
    if row.name in debug["breakpoints"] and "●" not in word:
        word = f"● {word}"[:8]
    return word, style


def _latency(percentile: str) -> Key:
    return lambda row: (row.its.get("latencyMs") or {}).get(percentile)


def _duration(title: str, rank: int, get: Key) -> Column:
    return Column(title, 5, rank, lambda row, _: (milliseconds(get(row)), ""), lambda row: get(row) or 0.0)


def _history(row: Row, width: int) -> Span:
    return sparkline(row.picture.history.get(row.name, ()), width), "note"


def mailbox_fill(row: Row) -> float:
    """Of a mailbox: 1 is where it holds its feeders."""
    its = row.its
    messages, octets = its.get("mailbox") or 0, its.get("mailboxBytes") or 0
    return max(messages / MAILBOX_HIGH_MESSAGES, octets / MAILBOX_HIGH_BYTES if messages else 0.0)


def window_fill(row: Row) -> float:
    """Of what may be at the host."""
    return (row.its.get("inFlight") or 0) / WINDOW_MESSAGES


def _bar(part: Callable[[Row], float]) -> Callable[[Row, int], Span]:
    def cell(row: Row, width: int) -> Span:
        filled = part(row)
        return bar(filled, width), "warn" if filled >= 0.5 else "note"

    return cell


def _of_host(title: str, rank: int, text: Callable[[float | None], str], figure: str) -> Column:
    """Modules of one host show the same."""
    return Column(
        title, 5, rank, lambda row, _: (text(row.host.get(figure)), ""), lambda row: row.host.get(figure) or 0.0
    )


NAME = "MODULE"
COLUMNS = (
    Column("STATE", 8, 0, lambda row, _: condition(row), lambda row: condition(row)[0], left=True),
    _number("IN/S", 1, _figure("inPerS")),
    Column("TREND", 5, 6, _history, _figure("inPerS"), left=True),
    _number("OUT/S", 3, _figure("outPerS")),
    _number("WAIT", 2, _figure("queued")),
    Column("FULL", 4, 7, _bar(mailbox_fill), mailbox_fill, left=True),
    Column("WIN", 3, 10, _bar(window_fill), window_fill, left=True),
    _duration("MS", 8, ms_a_message),
    _duration("P99", 9, _latency("p99")),
    _number("ERR", 4, _figure("errors"), "bad", 4),
    _number("DEAD", 5, _figure("deadLettered"), "bad", 4),
    _number("UNWIR", 11, _figure("unwired"), "warn"),
    _of_host("CPU", 12, share, "cpuPerS"),
    _of_host("MEM", 13, mebibytes, "memoryMb"),
    _duration("P50", 14, _latency("p50")),
    Column("BUSY", 5, 15, lambda row, _: (share(row.its.get("busyPerS")), ""), _figure("busyPerS")),
    _number("DONE", 16, _figure("completed")),
    _text("RUNTIME", 8, 17, _figure("runtime")),
    _text("RUNNER", 10, 18, _figure("runner")),
    _text("VERSION", 8, 19, lambda row: str(row.its.get("version") or "").rpartition("@")[2]),
)  # fmt: skip
SORTABLE: dict[str, Key] = {NAME: lambda row: row.name, **{column.title: column.key for column in COLUMNS}}


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns and their widths, for a width of the screen."""

    name: int
    columns: tuple[tuple[Column, int], ...]

    def head(self, sorted_by: str | None) -> Line:
        """The titles; the one that is sorted by is marked."""
        line: Line = [(fit(NAME, self.name), "cursor" if sorted_by == NAME else "head")]
        for column, width in self.columns:
            title = " " + fit(column.title, width, right=not column.left)
            line.append((title, "cursor" if column.title == sorted_by else "head"))
        return line

    def line(self, row: Row) -> Line:
        """The cells of a module."""
        line: Line = [(fit(row.mark + row.name, self.name), "" if row.its else "dim")]
        for column, width in self.columns:
            text, style = column.cell(row, width)
            line.append((" " + fit(text, width, right=not column.left), style))
        return line


def layout(width: int, names: Iterable[str], several_runners: bool) -> Layout:
    """As many columns as there is room for, the most telling first; what is left goes to names, then to sparklines."""
    longest = max((len(name) for name in names), default=0)
    name, left, chosen = LEAST_NAME, width - LEAST_NAME, set[str]()
    for column in sorted(COLUMNS, key=lambda column: column.rank):
        if column.title == "RUNNER" and not several_runners:
            continue
        for rank, most in WIDER_NAMES:
            if column.rank > rank:
                more = max(0, min(left, min(longest, most) - name))
                name, left = name + more, left - more
        if column.width + 1 > left:
            break
        chosen.add(column.title)
        left -= column.width + 1
    more = max(0, min(left, longest - name))
    name, left = name + more, left - more
    return Layout(
        name,
        tuple(
            (column, column.width + (min(left, MORE_HISTORY) if column.title == "TREND" else 0))
            for column in COLUMNS if column.title in chosen
        ),
    )  # fmt: skip
