"""`runner state` and the live table show the same of a flow."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from actors.console.api_verbs import _state_text
from actors.console.figures import COLUMNS
from actors.console.live import flow_table


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


def words(text: str) -> list[list[str]]:
    """What stands in the rows of a table, without its lines and its title."""
    rows = ["".join(c if c.isascii() else " " for c in line).split() for line in text.splitlines()]
    return [row for row in rows if row and row[0].lower() != "f:"]


def test_both_show_the_same() -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(flow_table(STATE))
    plain = words(_state_text(STATE))
    assert words(out.getvalue().upper()) == [[word.upper() for word in row] for row in plain]
    assert plain[0] == " ".join(COLUMNS).upper().split()
    assert plain[1] == ["a", "python3", "1,234", "0", "1,000,000", "3", "0", "0", "0", "0.25", "123"]
    assert plain[2] == ["b", "node", "1,234", "0", "1,000,000", "3", "7", "0", "0"]
