"""The end of a runner: who has not stopped yet, and what could not be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Closing:
    """Answers once: when all have ended, or when it is given up."""

    def __init__(self, names: Iterable[str], answer: Callable[[list[str]], None]) -> None:
        self._left, self._answer = set(names), answer
        self._errors: list[str] = []
        self._answered = False

    def ended(self, name: str, error: str | None = None) -> None:
        """One has stopped; `error` says what could not be kept."""
        self._left.discard(name)
        if error is not None:
            self._errors.append(error)
        if not self._left:
            self._end()

    def give_up(self, limit_s: float) -> None:
        """Whoever has not stopped by now is left to die with the process."""
        self._errors += [f"{name} has not stopped within {limit_s:g} s: ended by force" for name in sorted(self._left)]
        self._end()

    def _end(self) -> None:
        if not self._answered:
            self._answered = True
            self._answer(self._errors)
