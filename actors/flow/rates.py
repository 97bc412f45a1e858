"""Messages a second, the same for everybody who looks: from counts of up to some seconds ago. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

WINDOW_S = 2.0
LEAST_S = 0.2  # between two counts that make a rate
FRESH_S = 5.0  # what was counted earlier says nothing of now
_RATES = {"inPerS": "accepted", "outPerS": "sent", "busyPerS": "busyMs", "cpuPerS": "cpuS", "perS": "messages"}
_MS = {"busyPerS"}  # counted in ms, given in seconds: a share of time

Figures = Mapping[str, dict[str, Any]]  # by module, host or wire
_Counts = dict[str, dict[str, float]]


class Rates:
    """Of the modules, the hosts or the wires of one flow."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, _Counts]] = deque()

    def is_cold(self, now: float) -> bool:
        """Whether there is nothing to compare with yet: count, and come again in LEAST_S."""
        return not any(LEAST_S <= now - then <= FRESH_S for then, _ in self._counts)

    def rate(self, now: float, figures: Figures) -> None:
        """Remember the figures of now, and put the rates into them; 0 for what nothing is known of."""
        while self._counts and now - self._counts[0][0] > FRESH_S:
            self._counts.popleft()
        if not self._counts or now - self._counts[-1][0] >= LEAST_S:
            keys = _RATES.values()
            known = {
                name: {key: its[key] for key in keys & its.keys() if its[key] is not None}
                for name, its in figures.items()
            }
            self._counts.append((now, known))
        then, before = self._base(now)
        for name, its in figures.items():
            for rate, key in _RATES.items():
                if its.get(key) is not None:
                    more = its[key] - before.get(name, its).get(key, its[key])
                    its[rate] = max(0.0, more / (1000 if rate in _MS else 1) / (now - then))

    def _base(self, now: float) -> tuple[float, _Counts]:
        """The youngest count that is a window ago; else the oldest."""
        old_enough = [entry for entry in self._counts if now - entry[0] >= LEAST_S]
        whole = [entry for entry in old_enough if now - entry[0] >= WINDOW_S]
        if whole:
            return whole[-1]
        return old_enough[0] if old_enough else (now - LEAST_S, {})
