"""What modules say and print, for the log: so many lines a second of each, then how many were left out."""

from __future__ import annotations

import logging
import time
from collections import Counter

from actors.counted import counted
from actors.log_subject import about
from actors.system.port import Port

LINES_PER_S = 500  # of one module, or of what its host itself prints
log = logging.getLogger("runner.module.log")


class ModuleLog:
    """Of one start of a host."""

    def __init__(self, port: Port, flow: str) -> None:
        self._port, self._flow = port, flow
        self._since = 0.0  # a second ago at most, while somebody says something
        self._said: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def say(self, module: str, level: int, text: str) -> None:
        """A line of a module (or of a host, by its key)."""
        now = time.monotonic()
        if now - self._since >= 1:
            self.say_rest()
            self._since = now
            self._said.clear()
        self._said[module] += 1
        if self._said[module] <= LINES_PER_S:
            self._log(module, level, text)
            return
        if not self._left_out:
            self._port.wakeupAfter(self._since + 1 - now, self.say_rest)
        self._left_out[module] += 1

    def say_rest(self) -> None:
        """How many lines were left out; also at the end of the host."""
        for module, count in self._left_out.items():
            self._log(module, logging.WARNING, f"{counted(count, 'line')} left out: more than {LINES_PER_S} a second")
        self._left_out.clear()

    def _log(self, module: str, level: int, text: str) -> None:
        log.log(level, "%s/%s: %s", self._flow, module, text, extra=about(self._flow, module))
