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


def rows(state: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """By module the cells of its row."""
    return {name: tuple(cell(name, its) for cell in COLUMNS.values()) for name, its in state["modules"].items()}
