"""The process of a runner in a container: what OuterRunner is between processes, here between a pipe and the inner
system. Imports nothing of Thespian's processes, listens nowhere for control, has no parent but the container.
"""

from __future__ import annotations

import ctypes
import heapq
import itertools
import logging
import os
import select
import signal
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from thespian.actors import ActorExitRequest, WakeupMessage, WatchMessage

from actors import __version__
from actors.deployment.container.talk import Talk
from actors.deployment.outer_runner import OuterRunner
from actors.ends.log_lines import configure_logging
from actors.messages.container_to_stand_in import ContainerBegun

READ_BYTES = 1 << 18
_PR_SET_PDEATHSIG = 1
log = logging.getLogger("runner")


@dataclass(frozen=True, slots=True)
class Far:
    """An address that the other end knows; 0: our own."""

    number: int


SELF = Far(0)


class ContainedRunner(OuterRunner):
    """Its sends go out, its wake-ups are timers of this process."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self._out = out
        self.talk = Talk(lambda address: address.number if isinstance(address, Far) else None, Far)
        self.timers: list[tuple[float, int]] = []
        self._count = itertools.count()
        self.over = False

    @property
    def myAddress(self) -> Any:
        """What stands for this runner here; nobody outside knows it."""
        return SELF

    def send(self, target: Any, message: Any) -> None:
        """To the other end, or an end of our own."""
        if target == SELF:
            self.over |= isinstance(message, ActorExitRequest)
            return
        data = memoryview(self.talk.packed((target, message)))
        while data:
            data = data[os.write(self._out, data) :]

    def wakeupAfter(self, period: timedelta, _payload: Any = None) -> None:
        """A WakeupMessage comes in that time; its payload is of no use to a runner."""
        heapq.heappush(self.timers, (time.monotonic() + period.total_seconds(), next(self._count)))


def main(level: str = "info", format: str = "text") -> int:
    """Until the other end says so, or is gone. `level`, `format`: of what is logged."""
    out = os.dup(1)
    os.dup2(2, 1)  # what anybody prints is no message
    configure_logging(level, format)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the other end decides
    os.set_blocking(0, False)
    runner = ContainedRunner(out)
    runner.send(Far(1), ContainerBegun(version=__version__, pid=os.getpid()))
    while not runner.over:
        _turn(runner)
    return 0


def _turn(runner: ContainedRunner) -> None:
    poll = select.poll()
    for fd in {0, *runner.watched}:
        poll.register(fd, select.POLLIN)
    wait_s = max(0.0, runner.timers[0][0] - time.monotonic()) if runner.timers else None
    ready = [fd for fd, _ in poll.poll(None if wait_s is None else wait_s * 1000)]
    while runner.timers and runner.timers[0][0] <= time.monotonic():
        heapq.heappop(runner.timers)
        runner.handle(WakeupMessage(timedelta()), SELF)
    if 0 in ready:
        _hear(runner)
    if others := [fd for fd in ready if fd in runner.watched]:
        runner.handle(WatchMessage(others), SELF)


def _hear(runner: ContainedRunner) -> None:
    data = os.read(0, READ_BYTES)
    if not data:
        runner.handle(ActorExitRequest(), SELF)
        runner.over = True
        return
    for sender, message in runner.talk.feed(data):
        runner.handle(message, sender)
        runner.over |= isinstance(message, ActorExitRequest)
