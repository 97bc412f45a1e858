"""The life of a host, as a table: what may happen to it in each state. Pure."""

from __future__ import annotations

from enum import Enum, auto


class Life(Enum):
    """What a host is doing. OPENING: its modules' `start` hooks run; WAITING: it is to be started again."""

    NONE = auto()
    STARTING = auto()
    LOADING = auto()
    LOADED = auto()
    OPENING = auto()
    OPEN = auto()
    STOPPING = auto()
    WAITING = auto()


# What is started, loaded or working: a module can be loaded.
RUNNING = (Life.LOADING, Life.LOADED, Life.OPENING, Life.OPEN)
_TABLE = {
    (Life.NONE, "start"): Life.STARTING,
    (Life.STARTING, "hello"): Life.LOADING,
    (Life.LOADING, "loaded"): Life.LOADED,
    (Life.LOADED, "serve"): Life.OPENING,
    (Life.OPENING, "open"): Life.OPEN,
    **{(life, "died"): Life.NONE for life in (Life.STARTING, *RUNNING, Life.STOPPING)},
    (Life.NONE, "wait"): Life.WAITING,
    (Life.WAITING, "start"): Life.STARTING,
    **{(life, "fail"): Life.STOPPING for life in (Life.NONE, *RUNNING)},
    **{(life, "stop"): Life.STOPPING for life in Life},
}


class HostLife:
    """Of one host, over all its starts."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.now = Life.NONE

    def move(self, event: str) -> None:
        """Something has happened to it; what cannot happen now raises."""
        try:
            self.now = _TABLE[self.now, event]
        except KeyError:
            raise RuntimeError(f"the host {self._name}: {event} while {self.now.name}") from None
