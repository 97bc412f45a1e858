"""The figures of a flow's modules, as flowState has them: the columns of `runner state` and of the live table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Cell = Callable[[str, dict[str, Any]], Any]  # module, its figures -> text, or a number; None: there is none yet

COLUMNS: dict[str, Cell] = {
    "module": lambda name, _: name,
    "runtime": lambda _, its: its["runtime"],
    "in/s": lambda _, its: round(its["inPerS"]),
    "out/s": lambda _, its: round(its["outPerS"]),
    "done": lambda _, its: its["completed"],
    "queued": lambda _, its: its["queued"],
    "errors": lambda _, its: its["errors"],
    "dead": lambda _, its: its["deadLettered"],
    "unwired": lambda _, its: its["unwired"],
    "p50": lambda _, its: its["latencyMs"]["p50"],
    "p99 ms": lambda _, its: its["latencyMs"]["p99"],
}


OF_SEVERAL: dict[str, Cell] = {
    "runner" if name == "runtime" else name: (lambda _, its: its["runner"]) if name == "runtime" else cell
    for name, cell in COLUMNS.items()
}  # so that it is no wider


def figures_of(state: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, tuple[Any, ...]]]:
    """The names of the columns, and by module the cells of its row. Of a flow on several runners: which has it."""
    cells = OF_SEVERAL if any("runner" in its for its in state["modules"].values()) else COLUMNS
    rows = {name: tuple(cell(name, its) for cell in cells.values()) for name, its in state["modules"].items()}
    return tuple(cells), rows
