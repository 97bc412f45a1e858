"""What is asked again and again while it is seen: never twice at a time, and the seldomer the longer it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from actors.console.client import RunnerClient
from actors.console.view.desk import Desk
from actors.console.view.picture import Picture

AGAIN_S = 1.0
SHARE = 20  # of the time at most one part in so many is spent on answers


class Asking:
    """`ask` is given the client, in a thread of its own; `came` gets what it returns."""

    def __init__(
        self, desk: Desk, picture: Callable[[], Picture], ask: Callable[[RunnerClient], Any],
        came: Callable[[Any], None],
    ) -> None:  # fmt: skip
        self._desk, self._picture, self._ask, self._came = desk, picture, ask, came
        self._next = 0.0
        self._asked: float | None = None  # since when a call is under way

    def look(self, now: float) -> None:
        """Ask, if it is time."""
        if self._asked is None and now >= self._next:
            self._asked = now
            self._desk.work(self._picture(), self._ask, then=self._answered, otherwise=self._refused)

    def soon(self) -> None:
        """Something has changed: ask without waiting."""
        self._next = 0.0

    def _answered(self, answer: Any) -> None:
        self._done()
        self._came(answer)

    def _refused(self, why: str) -> None:
        self._done()
        self._desk.say(why, "bad")

    def _done(self) -> None:
        now = time.monotonic()
        took = now - (self._asked or now)
        self._asked, self._next = None, now + max(AGAIN_S, SHARE * took)
