"""Recall: a module takes back what its host has not done. Its side of the slot in the host is here too.

Part of the ModuleState.
"""

from __future__ import annotations

from enum import Enum, auto

from actors.state.effects import Stopped
from actors.state.mailbox import Mailbox
from runtimes.frames import Frame, Kind


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


class Recall(Mailbox):
    """Stops for a reason and goes on; what the host holds comes back on PAUSE, and when the host dies."""

    slot: int

    def __init__(self) -> None:
        super().__init__()
        self.link = Link.ABSENT
        self.stops: set[str] = {"flow"}
        self.credit = 0
        self._outbox: list[Frame] = []
        self._tell: str | None = None
        self._held_info: bytes | None = None  # of the ERROR that holds the head

    def stop(self, reason: str, *, tell: bool = False) -> None:
        """Send nothing more for `reason`, recall what the host holds; with `tell` the effect Stopped says when."""
        self.stops.add(reason)
        if tell:
            self._tell = reason
        self._recall()

    def _recall(self) -> None:
        if self.link is Link.OPEN and (self.window or self.credit or self._held_info is not None):
            self._move("recall")
            self._outbox.append(Frame(Kind.PAUSE, self.slot, first=1))
        elif self.link is not Link.RECALLING:
            self._recalled()

    def go_on(self, reason: str) -> None:
        """Withdraw one reason for stopping."""
        self.stops.discard(reason)

    def _recalled(self) -> None:
        if self._tell:
            self.effects.append(Stopped(self._tell))
            self._tell = None

    def _take_back(self, flag: int) -> None:
        for segment in self.window:
            segment.flags |= flag
        self.ready.extendleft(reversed(self.window))
        self.window.clear()
        self.window_messages = self.window_bytes = self.credit = 0

    def host_up(self) -> None:
        """A host wants this module loaded."""
        self._move("host_up")

    def retired(self) -> None:
        """The host has nothing of us any more and will get nothing until it is open for us again."""
        self._move("retired")

    def _move(self, event: str) -> None:
        try:
            self.link = _LINK_TABLE[self.link, event]
        except KeyError:
            raise RuntimeError(f"module slot {self.slot}: {event} while {self.link.name}") from None
