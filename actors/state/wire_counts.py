"""How many messages came on each wire of a module. A part of the Mailbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection


class WireCounts:
    """`came`: wire -> messages that the mailbox was given, from the beginning of this runner."""

    def __init__(self) -> None:
        self.came: defaultdict[str, int] = defaultdict(int)
        self._unknown: set[str] = set()  # were fused beside others: the host counts what comes to a module, not on what
        self._fused = 0  # of those that came inside the host, so many are counted

    def settle(self, fused: int, wires: Collection[str]) -> None:
        """So many have come inside the host by now, and since the last time on these wires."""
        if fused > self._fused:
            for wire in wires:
                self.came[wire] += fused - self._fused
            if len(wires) > 1:
                self._unknown.update(wires)
            self._fused = fused

    def of(self, wire: str) -> int | None:
        """Its messages; None if that is not known."""
        return None if wire in self._unknown else self.came[wire]
