"""Recall: a module stops for a reason, and takes back what its host has not done. A part of the ModuleState.

The module's side of its slot in the host is here too. It does not know what the host has.
"""

from __future__ import annotations

from enum import Enum, auto

from actors.state.effects import Effect, Stopped


class Link(Enum):
    """The module's side of its slot in the host."""

    ABSENT = auto()
    LOADING = auto()
    OPEN = auto()
    RECALLING = auto()


_LINK_TABLE = {
    (Link.ABSENT, "host_up"): Link.LOADING,
    (Link.LOADING, "host_open"): Link.OPEN,
    (Link.OPEN, "recall"): Link.RECALLING,
    (Link.RECALLING, "paused"): Link.OPEN,
    (Link.OPEN, "retired"): Link.LOADING,
    (Link.LOADING, "retired"): Link.LOADING,
    **{(link, "host_down"): Link.ABSENT for link in Link},
}
_OF_ONE_HOST = {"retry", "restart"}  # reasons that end with it


class Recall:
    """Why a module sends nothing, and how far its host has got with giving back what it has."""

    def __init__(self, effects: list[Effect], link: Link) -> None:
        self._effects = effects
        self.slot = 0  # in the host
        self.link = link
        self.stops: set[str] = {"flow"}  # the reasons
        self._tell = ""  # the one of which Stopped is to be said

    def configure(self, slot: int) -> None:
        """Where it is in its host."""
        self.slot = slot

    def move(self, event: str) -> None:
        """Something has happened to the slot; an event that cannot is an error."""
        try:
            self.link = _LINK_TABLE[self.link, event]
        except KeyError:
            raise RuntimeError(f"module slot {self.slot}: {event} while {self.link.name}") from None

    def stop(self, reason: str, *, tell: bool = False) -> None:
        """Send nothing more for `reason`; with `tell` the effect Stopped says when the host has nothing either."""
        self.stops.add(reason)
        if tell:
            self._tell = reason

    def go_on(self, reason: str) -> None:
        """Withdraw one reason; the others still hold."""
        self.stops.discard(reason)

    def done(self) -> None:
        """The host has nothing of us any more."""
        if self._tell:
            self._effects.append(Stopped(self._tell))
            self._tell = ""

    def host_down(self) -> bool:
        """The host has ended; whether somebody waits for Stopped."""
        self.move("host_down")
        self.stops -= _OF_ONE_HOST
        return bool(self._tell)

    def take_over(self, other: Recall) -> None:
        """Be in the slot of another, stopped for its reasons as well."""
        self.link, self.stops = other.link, (self.stops | other.stops) - _OF_ONE_HOST
        self._tell = ""
