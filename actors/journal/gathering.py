"""What has happened in a flow since its last group, and who waits until it is durable. Pure: it writes nothing.

Inside the runner nobody waits: a group is handed out when somebody outside has to be told something, when it has
become large, or when its time is up, and only between two units (a commit of a host, say) and after the group before.
What a group brought and used up itself is not in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from actors.journal.group import EVERY_NUMBER, Body, Group, Recovered

MAX_GROUP_BYTES = 4 << 20  # of what is not used up; then it goes, whether anybody waits or not
MAX_GROUP_S = 0.05


class Gathering:
    """One flow's journal as the runner sees it. `hand_out(group)` is to have it written, and call `durable(number)`.

    `dirty(number)` is called when the first record of a group has come: after MAX_GROUP_S `hurry(number)` is to be
    called.
    `keeps`: wire -> whether its messages are written down at all; `found`: what was there at the start.
    """

    def __init__(self, found: Recovered, hand_out: Callable[[Group], None], dirty: Callable[[int], None]) -> None:
        self._hand_out, self._dirty = hand_out, dirty
        self.found = found
        self.keeps: Mapping[str, bool] = {}
        last = found.number
        self.durable_number = last
        self._writing = last  # the newest that has been handed out
        self._group = Group(last + 1)
        self._bodies: dict[str, deque[Body]] = {}  # those of the group, per wire, in order
        self._later: dict[str, Callable[[], bytes | None]] = {}
        self._bytes = 0
        self._empty = True
        self._open = 0
        self._urgent = False
        self._wanted = last  # the newest that somebody waits for
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    # records -------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A unit begins: until `end` no group is handed out. Units may overlap."""
        self._open += 1

    def end(self) -> None:
        """A unit is complete."""
        self._open -= 1
        self._go()

    def sent(self, wire: str, body: bytes, flags: int, skip: int, count: int, first: int) -> None:
        """Messages are in a mailbox, or on their way there."""
        if not self.keeps[wire]:
            return
        self._touch()
        bodies = self._bodies.get(wire)
        if bodies is None:
            bodies = self._bodies[wire] = deque()
        bodies.append(Body(wire, flags, skip, count, first, body))
        self._bytes += len(body)

    def consumed(self, wire: str, through: int) -> None:
        """The messages of a wire with numbers below `through` are in no mailbox any more."""
        if not self.keeps[wire]:
            return
        self._touch()
        self._group.consumed[wire] = through
        bodies = self._bodies.get(wire)
        while bodies and bodies[0].first + bodies[0].count <= through:
            self._bytes -= len(bodies.popleft().body)

    def clear(self, wire: str, below: int = EVERY_NUMBER) -> None:
        """What has been sent on a wire so far, with numbers below that, is void."""
        self._touch()
        self._group.cleared[wire] = max(below, self._group.cleared.get(wire, 0))
        if below == EVERY_NUMBER:
            self._group.consumed.pop(wire, None)
        bodies = self._bodies.pop(wire, ())
        if left := deque(body for body in bodies if body.first >= below):  # in no order, if it was cleared before
            self._bodies[wire] = left
        self._bytes -= sum(len(body.body) for body in bodies) - sum(len(body.body) for body in left)

    def context(self, module: str, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Keys of a module's context have these values now."""
        self._touch()
        for key, value in changes:
            self._group.contexts[module, key] = value

    def forget_context(self, module: str) -> None:
        """No key of a module's context has a value now."""
        self._touch()
        self._group.forgotten.add(module)
        for key in [key for key in self._group.contexts if key[0] == module]:
            del self._group.contexts[key]

    def fact(self, key: str, value: bytes | None) -> None:
        """Whatever else is to be known again."""
        self._touch()
        self._later.pop(key, None)
        self._group.facts[key] = value

    def fact_later(self, key: str, make: Callable[[], bytes | None]) -> None:
        """A fact that changes often: what it is is asked when the group goes."""
        self._touch()
        self._later[key] = make

    def needs(self, fd: int) -> None:
        """What has been written to a file has to be on the disk before this group is."""
        self._touch()
        self._group.synced.add(fd)

    @property
    def gathered_bytes(self) -> int:
        """Of messages that are in no group yet."""
        return self._bytes

    def _touch(self) -> None:
        if self._empty:
            self._empty = False
            self._dirty(self._group.number)

    # groups --------------------------------------------------------------------------------------------------------

    def when_durable(self, act: Callable[[], None], *, soon: bool = True) -> None:
        """Call `act` when all that has happened so far is durable; at once if it is. In the order of the calls.

        Not `soon`: a group does not go earlier for that.
        """
        number = self._group.number if not self._empty else self._writing
        if number <= self.durable_number:
            act()
            return
        self._waiting.append((number, act))
        if soon:
            self._wanted = number
            self._go()

    def hurry(self, number: int) -> None:
        """The time of that group is up, if it has not gone yet."""
        if number == self._group.number:
            self._urgent = True
            self._go()

    def durable(self, number: int) -> None:
        """A group is on the disk."""
        self.durable_number = number
        while self._waiting and self._waiting[0][0] <= number:
            self._waiting.popleft()[1]()
        self._go()

    def _go(self) -> None:
        if self._empty or self._open or self._writing > self.durable_number:
            return
        if not self._urgent and self._wanted < self._group.number and self._bytes < MAX_GROUP_BYTES:
            return
        group, self._group = self._group, Group(self._group.number + 1)
        # In one order of all wires that keeps each one's: a mailbox has no order between its wires.
        group.bodies = [body for bodies in self._bodies.values() for body in bodies]
        group.facts |= {key: make() for key, make in self._later.items()}
        self._bodies, self._later, self._bytes, self._empty, self._urgent = {}, {}, 0, True, False
        self._writing = group.number
        self._hand_out(group)
