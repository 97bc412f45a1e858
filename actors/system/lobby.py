"""Connections to an actor that have not sent a message yet. To Thespian they are one, however many they are.

It looks at each connection that it knows of at every turn, which is slow, and takes what comes at any speed.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from thespian.actors import ActorAddress

from actors.system.gate import Gate

MAX_STRANGERS = 32
STRANGER_S = 10.0
READ_AT_ONCE = 4  # connections
REST_S = 0.01  # after something came that was no message
_SOON, _LATER = timedelta(milliseconds=1), timedelta(days=1)


class Lobby:
    """Of one Thespian transport; stands among its incoming connections, whose methods these are."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.socket = select.epoll()  # whose fileno() Thespian waits for
        self.fromAddress = ActorAddress(("nobody", 0))
        self._strangers: dict[int, Any] = {}  # by descriptor; who said something last is last
        self._ends: dict[int, float] = {}  # when each is closed
        self._now = self._rests_until = 0.0

    def add(self, stranger: Any, ends: float) -> None:
        """It may say something until `ends` (monotonic, s)."""
        fd = stranger.socket.fileno()
        self._strangers[fd], self._ends[fd] = stranger, ends
        self.socket.register(fd, select.EPOLLIN)

    def _take(self, fd: int) -> tuple[Any, float]:
        self.socket.unregister(fd)
        return self._strangers.pop(fd), self._ends.pop(fd)

    @property
    def bytes(self) -> int:
        """Of messages that are not complete."""
        return sum(one._rData.bytes for one in self._strangers.values())

    @property
    def descriptors(self) -> list[int]:
        """Of those that are in it."""
        return list(self._strangers)

    def too_many(self) -> Iterator[Any]:
        """Those that have to go."""
        while len(self._strangers) > MAX_STRANGERS:
            yield self._take(next(iter(self._strangers)))[0]

    def too_late(self) -> Iterator[Any]:
        """Those that have to go."""
        now = time.monotonic()
        for fd in [fd for fd, ends in self._ends.items() if now >= ends]:
            yield self._take(fd)[0]

    def ready(self) -> Iterator[tuple[Any, float]]:
        """Those that have said something, which are no part of it any more, with their ends."""
        for fd, _ in self.socket.poll(0, READ_AT_ONCE):
            yield self._take(fd)

    def rest(self) -> None:
        """Nobody is listened to for a moment: who says a byte at a time cannot keep an actor from its work."""
        self._rests_until = time.monotonic() + REST_S

    # what Thespian asks a connection ---------------------------------------------------------------------------------

    def backoffPause(self) -> bool:
        """Whether it does not want to be read."""
        return time.monotonic() < self._rests_until

    def delay(self, current_time: float | None = None) -> timedelta:
        """How long it need not be looked at. Thespian asks once with the time, to know how long to wait (it passes over
        a 0 then), and twice without, whether that is over: if the answer changes in between it closes the connection.
        """
        if current_time is not None:
            self._now = time.monotonic()
        until = min(self.gate.until, *self._ends.values(), math.inf)
        if self._now < self._rests_until:
            until = min(until, self._rests_until)
        left = timedelta(seconds=max(0.0, until - self._now)) if until < math.inf else _LATER
        return left if current_time is None else max(left, _SOON)

    def close(self) -> None:
        """With everybody in it: the transport ends."""
        for stranger in self._strangers.values():
            stranger.close()
        self._strangers.clear()
        self.socket.close()
