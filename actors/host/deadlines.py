"""How long a host may take for what it is asked, phase by phase, and which of it is overdue. Pure.

Only what the host itself owes has a limit. While one of its modules may be in a turn, which takes as long as it takes
(`timeout_s` is for that), the clock of everything that has to wait for its end stands still.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

LOOK_S = 1.0  # between two looks, while something is owed


class Limit(NamedTuple):
    """`what` it takes so long for: said after `told_s`, over after `seconds`, or a module's `timeout_s` if `longer`."""

    what: str
    seconds: float
    told_s: float | None = None
    longer: bool = False
    waits: bool = False  # for the end of turns
    each: bool = True  # of several that are done one after the other; else all of them together


LIMITS = {
    "hello": Limit("its HELLO", 60.0),
    "load": Limit("loading {}", 120.0, told_s=10.0, longer=True, waits=True),
    "wires": Limit("taking its wires", 60.0),
    "start": Limit("`start` of {}", 300.0, told_s=10.0, longer=True, waits=True),
    "restart": Limit("`start` of {}", 300.0, told_s=10.0, longer=True, waits=True),
    "migrate": Limit("migrating the context of {}", 120.0, longer=True),
    "pause": Limit("PAUSED of {}", 60.0, waits=True),
    "retire": Limit("`stop` of {}", 60.0, told_s=10.0, longer=True, waits=True),
    "unload": Limit("unloading {}", 60.0, waits=True),
    "stop": Limit("its end, at `stop` of {},", 5.0, each=False),
    "exit": Limit("its last commit and its exit", 5.0),
}


def seconds(phase: str, timeout_s: float | None) -> float:
    """The limit for a module with that `timeout_s`."""
    limit = LIMITS[phase]
    return max(limit.seconds, timeout_s or 0.0) if limit.longer else limit.seconds


@dataclass(slots=True)
class Owed:
    """One thing that a host owes; `name` is the module's."""

    phase: str
    name: str
    seconds: float
    spent_s: float = 0.0
    told: bool = False

    @property
    def what(self) -> str:
        """What is owed, as a part of a sentence that names the module."""
        return LIMITS[self.phase].what.format(self.name)


class Deadlines:
    """What one host owes."""

    def __init__(self) -> None:
        self._owed: dict[Hashable, Owed] = {}
        self._looked = 0.0

    def expect(self, key: Hashable, phase: str, name: str, timeout_s: float | None, now: float) -> bool:
        """The host has been asked. True if nothing was owed before: somebody has to look after LOOK_S."""
        first = not self._owed
        if first:
            self._looked = now
        self._owed[key] = Owed(phase, name, seconds(phase, timeout_s))
        return first

    def met(self, key: Hashable) -> None:
        """It has answered; what else was asked it does one after the other, so that begins now."""
        met = self._owed.pop(key, None)
        if met is not None and LIMITS[met.phase].each:
            for owed in self._owed.values():
                if owed.phase == met.phase:
                    owed.spent_s = 0.0

    def look(self, now: float, busy: bool) -> tuple[list[str], Owed | None]:
        """What is to be said, and what is overdue. `busy`: a turn may be under way. Call it every LOOK_S.

        A look that comes late counts as two at most: the runner was stopped, or had no processor, and an answer may be
        waiting for it.
        """
        passed, self._looked = min(now - self._looked, 2 * LOOK_S), now
        said: list[str] = []
        for owed in self._owed.values():
            limit = LIMITS[owed.phase]
            owed.spent_s = 0.0 if busy and limit.waits else owed.spent_s + passed
            if owed.spent_s >= owed.seconds:
                return said, owed
            if limit.told_s is not None and owed.spent_s >= limit.told_s and not owed.told:
                owed.told = True
                said.append(f"{owed.what} has taken {owed.spent_s:.0f} s; after {owed.seconds:g} s its host is killed")
        return said, None

    @property
    def any(self) -> bool:
        """Whether anything is owed."""
        return bool(self._owed)
