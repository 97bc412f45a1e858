"""What the log says of one link: how it is now, however often the other side makes that change."""

from __future__ import annotations

import logging
import time

from actors.links import log

SAY_S = 1.0  # between two lines


class Said:
    """Once a second, nothing twice in a row. `say_on` is to be called now and then: the last word is said as well."""

    def __init__(self, who: str, text: str) -> None:
        """`text` is so now, and nobody needs to be told."""
        self._who = who
        self._said = self._state = (logging.WARNING, text)
        self._at = -SAY_S

    @property
    def now(self) -> str:
        """How it is, said or not."""
        return self._state[1]

    def say(self, level: int, text: str) -> None:
        """It is so now."""
        self._state = (level, text)
        self.say_on()

    def say_on(self) -> None:
        """What has not been said yet."""
        if self._state != self._said and time.monotonic() - self._at >= SAY_S:
            self._said, self._at = self._state, time.monotonic()
            log.log(self._state[0], "%s: %s", self._who, self._state[1])
