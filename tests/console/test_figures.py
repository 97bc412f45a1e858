"""`runner state` and the live table show the same of a flow."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from actors.console.figures import COLUMNS
from actors.console.list_verbs import _state_text
from actors.console.live import flow_table, summary
from actors.console.text import columns


def figures(**fields: Any) -> dict[str, Any]:
    return {
        "runtime": "python3", "inPerS": 1234.4, "outPerS": 0.0, "completed": 1_000_000, "queued": 3, "errors": 0,
        "deadLettered": 0, "unwired": 0, "latencyMs": {"p50": 0.254, "p99": 123.4}, "source": None,
    } | fields  # fmt: skip


STATE = {
    "id": "f", "state": "running", "debug": {"pausedBy": None, "breakpoints": {}, "resumedByItself": None}, "hosts": {},
    "modules": {"a": figures(), "b": figures(runtime="node", errors=7, latencyMs={"p50": None, "p99": None})},
    "leftOut": {}, "errors": [],
}  # fmt: skip


def drawn(state: dict[str, Any], width: int, modules: int | None = None) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(flow_table(state, width, modules))
    return out.getvalue().rstrip("\n").split("\n")


def test_both_show_the_same() -> None:
    plain = _state_text(STATE).split("\n")
    assert drawn(STATE, 80) == plain
    assert plain[1].split() == " ".join(COLUMNS).upper().split()
    assert plain[2].split() == ["a", "python3", "1,234", "0", "1.00M", "3", "0", "0", "0", "0.25", "123"]
    assert plain[3].split() == ["b", "node", "1,234", "0", "1.00M", "3", "7", "0", "0"]


@pytest.mark.parametrize("completed", [10**6, 10**9, 10**12, 2**63])
@pytest.mark.parametrize("name", ["a", "smooth_hall", "temperature_smoother_of_the_hall_1", "x" * 64])
def test_it_fits_80_columns_whatever_has_been(name: str, completed: int) -> None:
    many = figures(
        completed=completed, queued=8192, inPerS=999_999.0, outPerS=123_456.0, errors=completed // 3,
        deadLettered=9_999, unwired=completed, latencyMs={"p50": 1234.5, "p99": 98765.4}, accepted=completed,
    )  # fmt: skip
    state = STATE | {"modules": {name: many, name[:-1] + "2": figures(runtime="a_long_runtime_name")}}
    for lines in (_state_text(state).split("\n"), drawn(state, 80)):
        assert max(map(len, lines)) <= 80, lines
        assert lines[1].split()[:6] == ["MODULE", "RUNTIME", "IN/S", "OUT/S", "DONE", "QUEUED"]
        first, second = (line.split()[0] for line in lines[2:4])
        assert first != second and first[0] == name[0] and first[-1] == name[-1]
        assert len(first) == len(name) or "…" in first


def test_figures_stand_whole_where_there_is_room() -> None:
    text = columns(("MODULE", "DONE"), [("a", 1_234_567)], width=17)
    assert text == "MODULE       DONE\na       1,234,567"
    assert columns(("MODULE", "DONE"), [("a", 1_234_567)], width=16).split()[3] == "1.23M"


def test_columns_that_say_nothing_go_before_names_are_cut() -> None:
    rows = [("a" * 12, 7, 0, None), ("b" * 12, 8, 0, None)]
    assert columns(("MODULE", "DONE", "ERRORS", "P50"), rows, width=20).split("\n")[1] == f"{'a' * 12}    7"


def test_of_many_modules_as_many_as_there_is_room_for() -> None:
    state = STATE | {"modules": {f"m{n}": figures() for n in range(100)}}
    lines = drawn(state, 80, 21)
    assert len(lines) == 24
    assert lines[-1] == "... and 79 modules more; `runner console` shows all"
    assert len(drawn(state, 80)) == 102


def test_the_summary_of_a_run() -> None:
    assert summary(STATE | {"deadLetters": 1}, 5.25) == "f: 2,000,000 messages handled, 7 errors, 1 dead letter, 5.2 s"
