"""Nothing on the screen is wider than its place, whatever the figures; nothing there moves the cursor."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from actors.console.text import short
from actors.console.view.columns import SORTABLE, Row, layout
from actors.console.view.drawing import bar, fill, fit, mebibytes, milliseconds, share, sparkline, wrap
from actors.console.view.flow_head import flow_line
from actors.console.view.picture import Picture, merged
from actors.console.view.tree import tree
from actors.flow.viewers import _changes
from tests.console.view.states import flow, host, module

COUNTS = st.integers(0, 2**63)
RATES = st.floats(0, 1e15)


@given(COUNTS | RATES)
def test_numbers_are_short(number: float) -> None:
    for text in (short(number), milliseconds(number), mebibytes(min(number, 9e6)), share(number)):
        assert 1 <= len(text) <= 5, text
    assert 1 <= len(short(number, 4)) <= 4


@pytest.mark.parametrize(("number", "text"), [
    (0, "0"), (7, "7"), (999, "999"), (999.6, "1.00k"), (1000, "1.00k"), (9999, "10.0k"), (99_960, "100k"),
    (0.04, "0.0"), (0.55, "0.6"), (9.96, "10"), (1_234_567, "1.23M"), (2**63, "9.22E"), (None, ""),
])  # fmt: skip
def test_short(number: float | None, text: str) -> None:
    assert short(number) == text


@pytest.mark.parametrize(("number", "text"), [
    (999, "999"), (1_300, "1.3k"), (9_960, "10k"), (99_960, "100k"), (999_600, "1.0M"), (2**63, "9.2E"),
])  # fmt: skip
def test_short_in_four_characters(number: int, text: str) -> None:
    assert short(number, 4) == text


@pytest.mark.parametrize(("ms", "text"), [
    (0.004, "0.00"), (9.996, "10.0"), (99.96, "100"), (999.6, "1.0s"), (9_960, "10s"), (119_600, "2m"), (7.2e6, "2h"),
])  # fmt: skip
def test_durations(ms: float, text: str) -> None:
    assert milliseconds(ms) == text


@settings(max_examples=60)
@given(st.text(max_size=40), st.integers(0, 30))
def test_texts_have_their_place(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width
    assert not set(fit(text, width)) & set(map(chr, (*range(32), *range(127, 160))))
    assert sum(cell_len(part) for part, _ in fill([(fit(text, 7), ""), (fit(text, 9), "")], width)) == width
    if width > 1:
        assert all(cell_len(line) <= width for line in wrap(text, width, 2))


@given(st.lists(RATES, max_size=40), st.integers(0, 30), st.floats(0, 2))
def test_graphs_have_their_place(values: list[float], width: int, part: float) -> None:
    assert len(sparkline(values, width)) == len(bar(part, width)) == width


def test_what_is_little_is_seen() -> None:
    assert bar(0.0, 4) == "    "
    assert bar(0.001, 4) == "▏   "
    assert bar(1.0, 4) == "████"
    assert sparkline([0, 1, 2, 4], 5) == " ▁▂▄█"
    assert sparkline([3], 0) == ""


figures = st.builds(
    module, inPerS=RATES, outPerS=RATES, queued=COUNTS, completed=COUNTS, errors=COUNTS, deadLettered=COUNTS,
    mailbox=COUNTS, mailboxBytes=COUNTS, inFlight=COUNTS, handled=COUNTS, busyMs=RATES, unwired=COUNTS, busyPerS=RATES,
)  # fmt: skip


@settings(max_examples=25)
@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", fullmatch=True), figures, max_size=6), st.data())
def test_the_table_fits(modules: dict[str, Any], data: st.DataObject) -> None:
    """Each line, at each width; the titles stand above their columns."""
    width = data.draw(st.integers(60, 220))
    picture = Picture(door="d", runner="r", flow="f")
    picture.take(5.0, flow(modules, hosts={"python3": host(*modules, memoryMb=8e6, cpuPerS=64.0)}), whole=True)
    marks = tree(modules, {"wires": data.draw(st.lists(wires(list(modules)), max_size=8)) if modules else []})
    assert sorted(marks) == sorted(modules)
    shape = layout(width, (mark + name for name, mark in marks.items()), several_runners=False)
    head = shape.head(None)
    assert sum(len(text) for text, _ in head) <= width
    for name, mark in marks.items():
        line = shape.line(Row(picture, name, mark))
        assert [len(text) for text, _ in line] == [len(text) for text, _ in head]
        assert not any("…" in text for text, _ in line[1:]), "no figure is cut"
    assert sum(len(text) for text, _ in flow_line(picture, False, 5.0, width)) <= width
    for key in SORTABLE.values():
        sorted([Row(picture, name, "") for name in modules], key=key)


def wires(names: list[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda a, b: f"{a}.out -> {b}", st.sampled_from(names), st.sampled_from(names))


def test_at_80_columns_stands_what_matters() -> None:
    titles = [column.title for column, _ in layout(80, ["a"], several_runners=False).columns]
    assert titles == ["STATE", "IN/S", "TREND", "OUT/S", "WAIT", "FULL", "WIN", "MS", "P99", "ERR", "DEAD"]


def test_a_flow_is_a_tree() -> None:
    document = {
        "wires": ["a -> b", {"from": "b.low", "to": "c.in"}, "b.high -> d", "c -> e", "e -> c", "d->f", "x -> f"]
    }
    assert tree("abcdefxy", document) == {
        "a": "", "b": "↓ ", "c": "├ ", "e": "│ ↓ ", "d": "└ ", "f": "  ↓ ", "x": "", "y": ""
    }  # fmt: skip


def test_a_chain_of_any_length_is_one_column() -> None:
    names = [f"m{n}" for n in range(5000)]
    marks = tree(names, {"wires": [f"{a} -> {b}" for a, b in itertools.pairwise(names)]})
    assert list(marks) == names
    assert set(marks.values()) == {"", "↓ "}


# what is told in pieces ---------------------------------------------------------------------------------------------

changing = st.fixed_dictionaries({
    "inPerS": RATES, "latencyMs": st.fixed_dictionaries({"p50": st.none() | RATES, "p99": st.none() | RATES}),
    "source": st.none() | st.fixed_dictionaries({"state": st.sampled_from(["running", "failed"])}),
})  # fmt: skip
pictures = st.builds(
    lambda modules, paused, away, hits: flow(
        {name: module(**its) for name, its in modules.items()}, away=away,
        debug={"pausedBy": paused, "pausedModules": [], "breakpoints": away, "resumedByItself": None, "hits": hits},
    ),
    st.dictionaries(st.sampled_from("abc"), changing), st.none() | st.just("pauseFlow"),
    st.dictionaries(st.sampled_from("abc"), st.text(max_size=2)), st.lists(st.sampled_from("abc")),
)  # fmt: skip


@settings(max_examples=40)
@given(pictures, pictures)
def test_changes_make_the_state_that_they_come_from(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Also where it has nulls, which a merge patch has no word for."""
    kept = str(before)
    assert merged(before, _changes(before, now)) == now
    assert str(before) == kept
