"""How often a host is started again before it is given up, and after how long. Pure."""

from __future__ import annotations

from collections import deque

MAX_DEATHS = 5
DEATHS_PERIOD_S = 10.0
MAX_RESTARTS = 15  # without a commit: five messages in a row that kill their host
MAX_SILENCES = 3  # without a commit: deaths of a host that did not answer in time


class Restarts:
    """Of one host. `count` and the silences are those since its last commit of a turn."""

    def __init__(self) -> None:
        self.count = 0
        self._silences = 0
        self._deaths: deque[float] = deque()

    def worked(self) -> None:
        """It has committed a turn: what was wrong is over."""
        self.count = self._silences = 0
        self._deaths.clear()

    def silent(self) -> None:
        """It has not answered in time, and will be killed for that."""
        self._silences += 1

    def died(self, now: float, *, blamed: bool, idle: bool) -> float | None:
        """After how many seconds it is to be started again; None: never.

        Only deaths that cost progress count: not those of an idle host, and blame has limits of its own.
        """
        if not blamed and not idle:
            self._deaths.append(now)
            while self._deaths[0] < now - DEATHS_PERIOD_S:
                self._deaths.popleft()
        self.count += 1
        too_many = len(self._deaths) >= MAX_DEATHS or (not idle and self.count >= MAX_RESTARTS)
        if too_many or self._silences >= MAX_SILENCES:
            return None
        return 0.0 if self.count < 2 else min(5.0, 0.1 * 2 ** min(self.count - 2, 6))
