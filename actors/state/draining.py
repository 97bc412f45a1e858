"""Draining: wires run dry before they are fused, or before a module behind them is replaced.

A part of the ModuleState.
"""

from __future__ import annotations

from collections.abc import Collection

from actors.state.blame import Blame
from actors.state.effects import Drained, Effect
from actors.state.mailbox import Mailbox
from actors.state.recall import Link, Recall


class Draining:
    """Which wires run dry is the mailbox's; here is why, and who waits for it."""

    def __init__(self, mailbox: Mailbox, recall: Recall, blame: Blame, effects: list[Effect]) -> None:
        self._mailbox, self._recall, self._blame, self._effects = mailbox, recall, blame, effects
        self.reason = ""  # "fuse", "update", or nothing runs dry
        self._asked = False  # somebody waits for Drained

    def begin(self, wires: Collection[str], reason: str) -> None:
        """Drained is said at once for "fuse", else after `ask`."""
        self.reason, self._asked = reason, reason == "fuse"
        self._mailbox.run_dry(wires)
        self._part()

    def _part(self) -> None:
        if not self._blame.suspects:  # they have begun: probation ends them first
            self._mailbox.part()

    def ask(self) -> None:
        """Say Drained as soon as it is so."""
        self._asked = True
        self.check()

    def check(self) -> None:
        """Something has left the mailbox."""
        mailbox = self._mailbox
        mailbox.review_holds()
        if self._asked and not mailbox.ready and not mailbox.window and self._recall.link is not Link.RECALLING:
            self._asked = False
            self._effects.append(Drained(self.reason))

    def review(self) -> None:
        """What is at the front of the mailbox may have changed."""
        if self._mailbox.dry is not None:
            self._part()
            self.check()

    def end(self) -> None:
        """Go on with every wire."""
        if self._mailbox.dry is not None:
            self._mailbox.run_dry(None)
            self.reason = ""
            self._mailbox.review_holds()
