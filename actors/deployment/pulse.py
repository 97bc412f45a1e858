"""Who turns, and who hangs: of processes that say every second that they turn. Pure.

Only that silence counts in which whoever listens has had its own turns: a machine that was suspended, or that has no
time for anybody, proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BEAT_S = 1.0  # between two signs of life
LOOK_S = 0.5  # between two looks
SILENT_S = 3.0
HANGS_S = 10.0
Verdict = Literal["silent", "hangs"]


@dataclass(slots=True)
class _Pulse:
    """`silence`: seconds that count; `verdict`: what was said of it."""

    silence: float = 0.0
    verdict: Verdict | None = None


class Pulses:
    """Of those that have been heard of at least once, by name."""

    def __init__(self, now: float) -> None:
        self._looked = now
        self._all: dict[str, _Pulse] = {}

    def heard(self, name: str) -> bool:
        """It turns. Whether it was silent, and that had been said."""
        before = self._all.get(name)
        self._all[name] = _Pulse()
        return before is not None and before.verdict is not None

    def forget(self, name: str) -> None:
        """It ends, or has ended."""
        self._all.pop(name, None)

    def look(self, now: float) -> list[tuple[str, Verdict]]:
        """Twice a second; returns whom there is something new to say of."""
        passed, self._looked = now - self._looked, now
        if passed > 2 * LOOK_S:
            return []
        found: list[tuple[str, Verdict]] = []
        for name, pulse in self._all.items():
            pulse.silence += passed
            before, pulse.verdict = pulse.verdict, _verdict(pulse.silence)
            if pulse.verdict is not None and pulse.verdict != before:
                found.append((name, pulse.verdict))
        return found


def _verdict(silence: float) -> Verdict | None:
    if silence >= HANGS_S:
        return "hangs"
    return "silent" if silence >= SILENT_S else None
