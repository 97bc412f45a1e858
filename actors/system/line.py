"""A line to an actor of another machine: each message arrives once, in order, whatever is lost on the way.

Thespian does not say what it has not delivered, and stops everything that an actor sends while 20 of its messages are
on their way to somebody who does not take them. So messages have numbers and are said again until they are
acknowledged, all that wait together go in one parcel, and few parcels are on their way to somebody who is silent. A
parcel a second, with or without messages, is the sign of life.
"""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from actors.messages.line_to_line import LineId, Parcel

BEAT_S = 1.0
REPEAT_S = 2.0
LEASE_S = 5.0  # who is silent for so long is away
MAX_BYTES = 1 << 20  # of the messages in a parcel, unless it is one
MAX_MESSAGES = 64
UNHEARD = 8  # parcels that may be on their way to somebody of whom nothing is heard
ALL_UNHEARD = 15  # the same, of all lines of an actor
TRIED_S = 20.0  # Thespian tries so long to deliver a message (system/convention.py)


class Traffic:
    """Parcels of an actor that may still be on their way, by whom they are for; who is heard of has them."""

    def __init__(self) -> None:
        self._posted: list[tuple[float, str]] = []

    def may_post(self, to: str) -> bool:
        """Whether one more is not too much."""
        since = time.monotonic() - TRIED_S
        self._posted = [entry for entry in self._posted if entry[0] > since]
        return len(self._posted) < ALL_UNHEARD and sum(other == to for _, other in self._posted) < UNHEARD

    def posted(self, to: str) -> None:
        """One more is on its way."""
        self._posted.append((time.monotonic(), to))

    def heard(self, of: str) -> None:
        """What was on its way to it has arrived."""
        self._posted = [entry for entry in self._posted if entry[1] != of]


class Line:
    """One end; `to` is whoever has the other. `post` sends a Parcel, `deliver` gets what the other side has said.
    `state` goes with every parcel.
    """

    def __init__(
        self, id: LineId, to: str, traffic: Traffic, post: Callable[[Parcel], None], deliver: Callable[[Any], None]
    ) -> None:
        self.id, self.to = id, to
        self.state: Any = None
        self._traffic, self._send, self._deliver = traffic, post, deliver
        self._said: deque[bytes] = deque()  # and not acknowledged
        self._first = 0  # the number of the first of them
        self._under_way = 0  # of them
        self._wanted = 0  # the next number of the other side
        self._said_at = 0.0
        self._heard_at = time.monotonic()

    @property
    def silence_s(self) -> float:
        """For so long nothing has been heard."""
        return time.monotonic() - self._heard_at

    def say(self, message: Any) -> None:
        """It arrives, as long as there is this line."""
        self._said.append(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
        if not self._under_way:
            self.post()

    def post(self) -> None:
        """A parcel, with what is to be said for the first time, or again."""
        if not self._traffic.may_post(self.to):
            return
        some = []
        if not self._under_way or time.monotonic() - self._said_at >= REPEAT_S:
            some = self._next()
            self._under_way, self._said_at = max(self._under_way, len(some)), time.monotonic()
        self._traffic.posted(self.to)
        self._send(Parcel(line=self.id, first=self._first, messages=tuple(some), wanted=self._wanted, state=self.state))

    def _next(self) -> list[bytes]:
        some: list[bytes] = []
        size = 0
        for message in self._said:
            size += len(message)
            if some and (size > MAX_BYTES or len(some) == MAX_MESSAGES):
                break
            some.append(message)
        return some

    def take(self, parcel: Parcel) -> None:
        """The other side has posted this: parcels may come twice, and in another order."""
        self._heard_at = time.monotonic()
        self._traffic.heard(self.to)
        for _ in range(min(parcel.wanted - self._first, len(self._said))):
            self._said.popleft()
            self._first += 1
            self._under_way = max(0, self._under_way - 1)
        for number, message in enumerate(parcel.messages, parcel.first):
            if number == self._wanted:
                self._wanted += 1
                self._deliver(pickle.loads(message))
        if parcel.messages or (self._said and not self._under_way):
            self.post()
