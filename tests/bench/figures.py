"""What a benchmark yields: a row with its runs, its limit's runs and its target. Knows not how it was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

Measure = Callable[[], float]


@dataclass(kw_only=True)
class Row:
    """One figure. `target` bounds the ratio to the limit, or the value itself if `absolute`."""

    name: str
    unit: str
    what: str
    values: list[float]
    limit: str = ""
    limits: list[float] = field(default_factory=list)
    target: float | None = None
    absolute: bool = False
    lower_is_better: bool = False
    peers: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """The median of the ratios of each run to the limit beside it: what slows the machine slows both."""
        return _ratio(self.values, self.limits) if self.limits else None

    @property
    def ok(self) -> bool | None:
        """Whether the target is met; None without one. A report, never a test."""
        if self.target is None:
            return None
        figure = median(self.values) if self.absolute else self.ratio
        assert figure is not None
        return figure <= self.target if self.lower_is_better else figure >= self.target

    def as_json(self) -> dict[str, Any]:
        """The entry in the JSON file."""
        peers = {
            name: {"value": median(values), "ratio": _ratio(self.values, values)} for name, values in self.peers.items()
        }
        return {
            "value": median(self.values), "unit": self.unit, "min": min(self.values), "max": max(self.values),
            "runs": len(self.values), "ratio": self.ratio,
            "limit": {"name": self.limit, "value": median(self.limits)} if self.limits else None,
            "target": self.target, "targetOf": "value" if self.absolute else "ratio",
            "ok": self.ok, "what": self.what, **({"peers": peers} if peers else {}),
        }  # fmt: skip


def _ratio(values: list[float], limits: list[float]) -> float | None:
    if not all(limits):  # a peer that has lost nothing, too
        return None
    return median(value / limit for value, limit in zip(values, limits, strict=True))


def interleaved(runs: int, *measures: Measure) -> list[list[float]]:
    """Each measure `runs` times, in turns."""
    rounds = [[measure() for measure in measures] for _ in range(runs)]
    return [list(column) for column in zip(*rounds, strict=True)]


HEAD = ("name", "median", "min", "max", "unit", "limit", "ratio", "target", "")


def table_line(row: Row | None = None) -> str:
    """A row of the table, or its head."""
    if row is None:
        cells = list(HEAD)
    else:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        sign = "<=" if row.lower_is_better else ">="
        target = "" if row.target is None else f"{sign} {row.target:,g}" + (" abs" if row.absolute else "")
        verdict = {None: "", True: "ok", False: "MISSED"}[row.ok]
        figures = [_short(figure) for figure in (median(row.values), min(row.values), max(row.values))]
        limit = _short(median(row.limits)) if row.limits else ""
        cells = [row.name, *figures, row.unit, limit, ratio, target, verdict]
    name, *rest = cells
    return f"{name:<30}" + "".join(
        f"{cell:>{width}}" for cell, width in zip(rest, (11, 11, 11, 10, 11, 8, 14, 8), strict=True)
    )


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.4g}"
