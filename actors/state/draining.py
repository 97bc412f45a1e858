"""Draining: wires run dry before they are fused, or before a module behind them is replaced.

Part of the ModuleState.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from actors.state.effects import Drained, HoldsChanged
from actors.state.recall import Link, Recall


class Draining(Recall):
    """Takes messages of some wires only, and says when nothing of them is left."""

    def __init__(self) -> None:
        super().__init__()
        self.drain_reason = ""
        self.drain_asked = False  # somebody waits for Drained
        self.suspects = 0  # messages at the front of `ready` that were uncommitted when the host died

    def drain(self, wires: Collection[str], reason: str = "fuse") -> None:
        """Take messages only from `wires` until they are empty. Others wait in order.

        The effect Drained says so, at once for "fuse", else after ask_drained(): an answer that was given before the
        feeders had run dry would come too early.
        """
        self.draining, self.drain_reason, self.drain_asked = wires, reason, reason == "fuse"
        self._part_wires()
        self._recall()
        if self.over_high:
            self.effects.append(HoldsChanged())

    def _part_wires(self) -> None:
        assert self.draining is not None
        if self.suspects:
            return  # they have begun: probation ends them first
        inside = [segment for segment in self.ready if segment.wire in self.draining]
        if len(inside) != len(self.ready):
            # In front: what comes back from the host is older than what was held before.
            self.held.extendleft(s for s in reversed(self.ready) if s.wire not in self.draining)
            self.ready = deque(inside)

    def ask_drained(self) -> None:
        """Say Drained as soon as it is so."""
        self.drain_asked = True
        self._check_drained()

    def _check_drained(self) -> None:
        if self.over_high:
            self.effects.append(HoldsChanged())
        if self.drain_asked and not self.ready and not self.window and self.link is not Link.RECALLING:
            self.drain_asked = False
            self.effects.append(Drained(self.drain_reason))

    def end_drain(self) -> None:
        """Go on with every wire."""
        if self.draining is not None:
            self.ready.extend(self.held)  # behind: suspects of a held wire are older than what is held
            self.held.clear()
            self.draining, self.drain_reason = None, ""
            if self.over_high:
                self.effects.append(HoldsChanged())

    def _recalled(self) -> None:
        super()._recalled()
        if self.draining is not None:
            self._part_wires()
            self._check_drained()
