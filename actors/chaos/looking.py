"""What shows that a promise was broken, in what runners write and in their accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

FAULTS = ("\nTraceback", "internal error", " failed on ", "a message to an actor that is gone")  # of the program itself
LOST = re.compile(r"(\S+->\S+): at most ([0-9,]+) messages? (?:was|were) lost in \w+, which has begun anew")


def faults_in(log: str) -> list[str]:
    """What no user's module can have caused: the first, with what stands around it."""
    at = min((found for fault in FAULTS if (found := log.find(fault)) >= 0), default=None)
    return [] if at is None else [f"in the log: {log[max(0, at - 300) : at + 1500]}"]


def reported_lost(log: str) -> dict[str, int]:
    """By wire: how many messages the deaths of runners have cost at most, as their neighbours have said."""
    found: dict[str, int] = {}
    for wire, count in LOST.findall(log):
        found[wire] = found.get(wire, 0) + int(count.replace(",", ""))
    return found


def unbalanced(accounts: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The modules whose accounts do not add up, counted here and not where they come from."""
    for name, row in accounts.items():
        if row["accepted"] != row["completed"] + row["queued"] + row["dropped"] + row["deadLettered"]:
            yield name, row
