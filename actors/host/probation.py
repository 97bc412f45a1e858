"""Probation: what was uncommitted when a host died is tried again, one message at a time."""

from __future__ import annotations

from collections.abc import Callable

from thespian.actors import ActorAddress

from actors.host.life import HostLife, Life
from actors.host.members import Members
from actors.messages import bridge_to_module as to_module
from actors.messages import module_to_bridge as from_module


class Probation:
    """Of one start of a host: the successor of one that has died."""

    def __init__(self, life: HostLife, members: Members, over: Callable[[], None]) -> None:
        """`over` is called at its end."""
        self._life = life
        self._members = members
        self._over = over
        self._suspects: dict[int, int] = {}  # slot -> messages
        self.probing: int | None = None  # the slot whose suspect is alone at the host
        self.under_way = False
        self.turn_seen = False  # it was begun

    def suspect(self, slot: int, count: int) -> None:
        """So many messages of a module were uncommitted."""
        self._suspects[slot] = count

    @property
    def count(self) -> int:
        """Of all messages that are tried again."""
        return sum(self._suspects.values())

    def begin(self) -> None:
        """All are loaded: whether there is anything to be tried again."""
        self.under_way = any(self._suspects[slot] for slot in self._members.serving)

    def go_on(self) -> None:
        """The next suspect, or the end of probation."""
        self.turn_seen = False
        self.probing = next((slot for slot, count in self._suspects.items() if count), None)
        if self.probing is not None:
            self._members.tell(self.probing, to_module.ProbeNext())
            return
        self.under_way = False
        for slot in self._members.serving:
            self._members.tell(slot, to_module.ProbationOver())
        self._over()

    def receiveMsg_ProbeDone(self, message: from_module.ProbeDone, _sender: ActorAddress) -> None:
        """One suspect is innocent."""
        if self._life.now is Life.OPEN and message.slot == self.probing:
            self.suspect(message.slot, message.left)
            self.go_on()

    def turn_begun(self) -> None:
        """The host has announced the turn of a message."""
        self.turn_seen = True

    def acquit(self, slots: frozenset[int]) -> None:
        """These work no more."""
        self._suspects.update(dict.fromkeys(slots, 0))
        if self.probing in slots:
            self.go_on()

    def forget(self, slot: int) -> None:
        """The slot has gone: it is no suspect any more."""
        self._suspects.pop(slot, None)

    @property
    def blames(self) -> bool:
        """The host has died: whether a message was alone with it, and will be counted by its module."""
        return self.turn_seen and (self.probing is not None or len(self._members.serving) == 1)
