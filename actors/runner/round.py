"""A question to many: who has not answered yet, and what those that have said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

log = logging.getLogger("runner.flow")


class Round:
    """Answers once: when all have said something, or when it is given up."""

    def __init__(self, names: Iterable[str], answer: Callable[[list[Any]], None]) -> None:
        self._left, self._answer = set(names), answer
        self._said: list[Any] = []
        self.over = False
        self._end_if_all()

    def ended(self, name: str, said: Iterable[Any] = ()) -> None:
        """One has answered: with all this."""
        self._left.discard(name)
        self._said += said
        self._end_if_all()

    def give_up(self, limit_s: float) -> None:
        """Whoever has not stopped by now is left to die with the process."""
        for name in sorted(self._left):
            error = f"{name} has not stopped within {limit_s:g} s: ended by force"
            log.error("%s", error)
            self.ended(name, (error,))

    def _end_if_all(self) -> None:
        if not self._left and not self.over:
            self.over = True
            self._answer(self._said)
