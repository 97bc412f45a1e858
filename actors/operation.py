"""A long-running job of an actor, written as a generator that yields what it waits for.

    def stop(self):
        for ...: self.send(...)
        answers = yield Expect({("stopped", "a"), ("stopped", "b")}, timeout_s=10)

The actor hands every event to `resolve(key, value)`; when all expected keys have come (or the time is up) the generator
goes on with the dictionary of what came.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable
from typing import Any


class Expect:
    """What a step waits for: keys, and seconds at most (None: for ever). Keys of `also` are taken if they come."""

    def __init__(self, keys: Iterable[Hashable], timeout_s: float | None = None, also: Iterable[Hashable] = ()) -> None:
        self.keys = set(keys)
        self.timeout_s = timeout_s
        self.also = set(also)


Steps = Generator[Expect, dict[Any, Any], Any]


class Operation:
    """Runs a generator of Expects; `done(result)` is called at its end."""

    def __init__(self, steps: Steps, done: Callable[[Any], None], set_timer: Callable[[float, object], None]) -> None:
        self._steps, self._done, self._set_timer = steps, done, set_timer
        self._expected: set[Hashable] = set()
        self._also: set[Hashable] = set()
        self._came: dict[Hashable, Any] = {}
        self._step = 0

    def begin(self) -> None:
        """Run to the first wait."""
        self._advance(None)

    def resolve(self, key: Hashable, value: Any) -> None:
        """An event; ignored if not expected."""
        if key in self._also:
            self._came[key] = value
        elif key in self._expected:
            self._expected.discard(key)
            self._came[key] = value
            if not self._expected:
                self._advance(self._came)

    def time_up(self, step: int) -> None:
        """The timer of a step; late ones are ignored."""
        if step == self._step and self._expected:
            self._expected = set()
            self._advance(self._came)

    def _advance(self, came: dict[Hashable, Any] | None) -> None:
        while True:
            self._step += 1
            try:
                expect = self._steps.send(came) if came is not None else next(self._steps)
            except StopIteration as stop:
                self._done(stop.value)
                return
            self._expected, self._also, self._came = set(expect.keys), expect.also, {}
            if self._expected:
                if expect.timeout_s is not None:
                    self._set_timer(expect.timeout_s, (self, self._step))
                return
            came = self._came
