"""The corpus of the data contract, the *.jsonl files beside this one: JSON texts and what must become of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runtimes.conformance.values import parse


@dataclass(frozen=True)
class Entry:
    """A JSON text; `wanted` is the value it must arrive as, `is_refused` says that no host may accept it."""

    name: str
    text: bytes
    is_refused: bool
    may_refuse: bool
    wanted: Any


@cache
def corpus() -> tuple[Entry, ...]:
    """Every entry of every file."""
    entries = []
    for path in sorted(Path(__file__).parent.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            is_refused = row["expect"] == "refused"
            wanted = None if is_refused else parse(row["json"] if row["expect"] == "same" else row["expect"])
            name = f"{path.stem}: {row['name']}"
            entries.append(Entry(name, row["json"].encode(), is_refused, row.get("may_refuse", False), wanted))
    return tuple(entries)


def accepted() -> list[Entry]:
    """The entries that every host must carry unchanged."""
    return [entry for entry in corpus() if not entry.is_refused and not entry.may_refuse]


def refused() -> list[Entry]:
    """The entries that no host may accept."""
    return [entry for entry in corpus() if entry.is_refused]
