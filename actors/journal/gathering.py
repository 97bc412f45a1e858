"""What has happened in a flow since its last group, and who waits until it is durable. Pure: it writes nothing.

Inside the runner nobody waits: a group is handed out when somebody outside has to be told something, when it has
become large, or when its time is up, and only between two units (a commit of a host, say) and after the group before.
What a group brought and used up itself is not in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from actors.journal.group import Body, Group

MAX_GROUP_BYTES = 1 << 20  # then it goes, whether anybody waits or not
MAX_GROUP_S = 0.05


class Gathering:
    """One flow's journal as the runner sees it. `hand_out(group)` is to have it written, and call `durable(number)`.

    `dirty()` is called when the first record of a group has come: within MAX_GROUP_S `hurry()` is to be called.
    """

    def __init__(self, last: int, hand_out: Callable[[Group], None], dirty: Callable[[], None]) -> None:
        """`last` is the number of the last group that is durable."""
        self._hand_out, self._dirty = hand_out, dirty
        self.durable_number = last
        self._writing = last  # the newest that has been handed out
        self._group = Group(last + 1)
        self._bodies: dict[str, deque[Body]] = {}  # those of the group, per wire, in order
        self._bytes = 0
        self._empty = True
        self._open = 0
        self._urgent = False
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    # records -------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A unit begins: until `end` no group is handed out. Units may overlap."""
        self._open += 1

    def end(self) -> None:
        """A unit is complete."""
        self._open -= 1
        self._go()

    def sent(self, body: Body) -> None:
        """Messages are in a mailbox."""
        self._touch()
        self._bodies.setdefault(body.wire, deque()).append(body)
        self._bytes += len(body.body)

    def consumed(self, wire: str, through: int) -> None:
        """The messages of a wire with numbers below `through` are in no mailbox any more."""
        self._touch()
        self._group.consumed[wire] = through
        bodies = self._bodies.get(wire)
        while bodies and bodies[0].first + bodies[0].count <= through:
            self._bytes -= len(bodies.popleft().body)

    def clear(self, wire: str) -> None:
        """What has been sent on a wire so far is void; what follows is all that its mailbox has of it."""
        self._touch()
        self._group.cleared.add(wire)
        self._group.consumed.pop(wire, None)
        self._bytes -= sum(len(body.body) for body in self._bodies.pop(wire, ()))

    def context(self, module: str, changes: list[tuple[bytes, bytes | None]]) -> None:
        """Keys of a module's context have these values now."""
        self._touch()
        for key, value in changes:
            self._group.contexts[module, key] = value

    def fact(self, key: str, value: bytes | None) -> None:
        """Whatever else is to be known again."""
        self._touch()
        self._group.facts[key] = value

    def _touch(self) -> None:
        if self._empty:
            self._empty = False
            self._dirty()

    # groups --------------------------------------------------------------------------------------------------------

    def when_durable(self, act: Callable[[], None]) -> None:
        """Call `act` when all that has happened so far is durable; at once if it is. In the order of the calls."""
        number = self._group.number if not self._empty else self._writing
        if number <= self.durable_number:
            act()
            return
        self._waiting.append((number, act))
        self._go()

    def hurry(self) -> None:
        """The time of the group is up."""
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
        if not self._urgent and not self._waiting and self._bytes < MAX_GROUP_BYTES:
            return
        group, self._group = self._group, Group(self._group.number + 1)
        # In one order of all wires that keeps each one's: a mailbox has no order between its wires.
        group.bodies = [body for bodies in self._bodies.values() for body in bodies]
        self._bodies, self._bytes, self._empty, self._urgent = {}, 0, True, False
        self._writing = group.number
        self._hand_out(group)
