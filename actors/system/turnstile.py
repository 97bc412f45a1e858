"""How many strangers may come in a second, before anything is spent on them. Pure."""

from __future__ import annotations

MAX_FROM_ONE = 50  # new connections in a second from one address
MAX_FROM_ALL = 400  # from all others together; who is known has a connection already


class Turnstile:
    """Of one listening socket. Whoever is on this machine passes: `own` is the address that it listens on."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._second = 0
        self._came: dict[str, int] = {}  # by source, in this second

    @property
    def is_full(self) -> bool:
        """Whether nobody else is admitted in this second."""
        return sum(self._came.values()) >= MAX_FROM_ALL

    def admits(self, source: str, now: float) -> bool:
        """Whether a connection from there, now (s), may be looked at."""
        if source == self._own:
            return True
        if int(now) != self._second:
            self._second = int(now)
            self._came.clear()
        count = self._came.get(source, 0)
        if count >= MAX_FROM_ONE or self.is_full:
            return False
        self._came[source] = count + 1
        return True
