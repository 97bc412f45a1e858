"""The end of a runner: who has not stopped yet, and what could not be kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

log = logging.getLogger("runner.flow")


class Closing:
    """Answers once: when all have ended, or when it is given up."""

    def __init__(self, names: Iterable[str], answer: Callable[[list[str]], None]) -> None:
        self._left, self._answer = set(names), answer
        self._errors: list[str] = []
        self._answered = False

    def ended(self, name: str, errors: Iterable[str] = ()) -> None:
        """One has stopped; `errors` say what could not be kept, or went wrong."""
        self._left.discard(name)
        self._errors += errors
        if not self._left:
            self._end()

    def failed(self, name: str, error: str) -> None:
        """The job that was to stop one has failed."""
        log.error("%s", error)
        self.ended(name, (error,))

    def give_up(self, limit_s: float) -> None:
        """Whoever has not stopped by now is left to die with the process."""
        for name in sorted(self._left):
            self.failed(name, f"{name} has not stopped within {limit_s:g} s: ended by force")

    def _end(self) -> None:
        if not self._answered:
            self._answered = True
            self._answer(self._errors)
