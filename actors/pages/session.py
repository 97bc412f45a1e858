"""The session of one page: what it has still to be told, what it has said that waits, its contexts. It outlives its
sockets: the newest one has it. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import orjson

from actors.pages.parcel import ACK, WIRE, Entry, Parcel, Piece, Place
from actors.pages.said import Said, Work
from runtimes.frames import HEADER, REDELIVERED

MAX_MESSAGES, MAX_BYTES = 10_000, 1 << 20  # that wait for a page
MAX_SAID_BYTES = 1 << 20  # that wait for the flow; then the page is not listened to
MAX_CONTEXT_BYTES = 8 << 20
PORTION_BYTES = 256 << 10


class Session:
    """`key`: what its page shows to have it again, nobody else knows it; `name`: the client's."""

    def __init__(self, key: str, name: str, now: float) -> None:
        self.key, self.name = key, name
        self.agent = ""  # the browser, as it says
        self.socket = 0  # the number of the newest; 0: the page is absent
        self.sockets = 0  # so far
        self.since = now  # when it was last seen to do something
        self.idle = now  # since when it has done nothing of what waits for it
        self.dropped = 0  # messages that it had no room for
        self.contexts: dict[str, dict[bytes, bytes]] = {}
        self.taken = 0  # the number of the last transaction that the flow has
        self.heard = 0  # and of the last one that has come
        self.waiting: deque[Said] = deque()
        self.waiting_bytes = 0
        self._boxes: dict[str, deque[Parcel]] = {}  # by module, what the page has not done
        self._unsent: deque[Parcel] = deque()
        self._resent = 0  # parcels up to this number may have been handled before
        self._numbers = 0
        self._messages = self._bytes = 0
        self._wires: dict[Place, int] = {}  # that this socket has been told of
        self._asked: list[bytes] = []  # frames that are not repeated over another socket
        self._flow: bytes | None = None  # the picture that it is to get next

    def fact(self) -> tuple[Any, ...]:
        """All of it but what the page says again; no module waits for it."""
        parcels = [
            (parcel.number, *parcel.place, parcel.body, parcel.flags, parcel.count, parcel.first, parcel.done)
            for box in self._boxes.values() for parcel in box
        ]  # fmt: skip
        numbers = self.sockets, self.taken, self.dropped, self._numbers
        return self.key, self.name, self.agent, numbers, self.contexts, parcels

    @classmethod
    def of(cls, fact: tuple[Any, ...], now: float) -> Session:
        """Raises ValueError or TypeError if it is no fact."""
        key, name, agent, numbers, contexts, parcels = fact
        session = cls(key, name, now)
        session.agent, session.contexts = agent, contexts
        session.sockets, session.taken, session.dropped, session._numbers = numbers
        session.heard = session.taken
        for number, module, port, wire, body, flags, count, first, done in parcels:
            parcel = Parcel(number, Place(module, port, wire), body, flags, count, first, None, done)
            session._boxes.setdefault(module, deque()).append(parcel)
            session._messages += parcel.left
            session._bytes += len(body)
        return session

    # sockets -------------------------------------------------------------------------------------------------------

    @property
    def is_here(self) -> bool:
        """Whether a socket has it."""
        return self.socket > 0

    def join(self, received: int, now: float) -> int:
        """Another socket has it, whose page has got the parcels up to `received`. Returns the socket's number."""
        self.sockets += 1
        self.socket, self.since, self.idle = self.sockets, now, now
        self._wires = {}
        self._asked = []
        parcels = [parcel for box in self._boxes.values() for parcel in box if parcel.number > received]
        self._unsent = deque(sorted(parcels, key=lambda parcel: parcel.number))
        self._resent = self._numbers if not received else 0
        return self.socket

    def leave(self, now: float) -> None:
        """Its socket has gone. What is under way in the page holds nobody up."""
        self.socket, self.since = 0, now
        self.give_up()

    def give_up(self, *modules: str) -> None:
        """These modules of the runner do not wait for the page any more; without any named: no module does."""
        for module in modules or tuple(self._boxes):
            for parcel in self._boxes.get(module, ()):
                if parcel.entry is not None:
                    parcel.entry.give_up()
                    parcel.entry = None

    @property
    def is_waited_for(self) -> bool:
        """Whether a module of the runner waits for it."""
        return any(parcel.entry is not None for box in self._boxes.values() for parcel in box)

    # to the page ---------------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether it has no room for more messages."""
        return self._messages >= MAX_MESSAGES or self._bytes >= MAX_BYTES

    def put(self, place: Place, piece: Piece, entry: Entry | None, now: float) -> None:
        """Messages for the page."""
        self._numbers += 1
        if entry is not None and not self.is_waited_for:
            self.since = now
        if not self._messages:
            self.idle = now
        parcel = Parcel(self._numbers, place, piece.body, piece.flags, piece.count, piece.first, entry)
        self._boxes.setdefault(place.module, deque()).append(parcel)
        self._unsent.append(parcel)
        self._messages += piece.count
        self._bytes += len(piece.body)

    def ask(self, frame: bytes) -> None:
        """Something that only the page of this socket can do."""
        self._asked.append(frame)

    def show(self, picture: bytes) -> None:
        """What runs from now on; it comes before the messages that are put from now on."""
        self._flow = picture
        self._wires = {}

    def has_something(self, acked: int) -> bool:
        """Whether there is anything to tell, `acked` being the last transaction that it was told has been taken."""
        return self._flow is not None or bool(self._asked) or bool(self._unsent) or self.taken > acked

    def portion(self, acked: int) -> bytes:
        """The next of what it is to be told: whole frames."""
        parts: list[bytes] = []
        if self._flow is not None:
            parts.append(self._flow)
            self._flow = None
        parts += self._asked
        self._asked = []
        if self.taken > acked:
            parts.append(HEADER.pack(0, ACK, 0, 0, 0, 0, self.taken))
        size = 0
        while self._unsent and size < PORTION_BYTES:
            parcel = self._unsent.popleft()
            if not parcel.left:
                continue
            if (channel := self._wires.get(parcel.place)) is None:
                channel = self._wires[parcel.place] = len(self._wires)
                name = orjson.dumps(list(parcel.place))
                parts.append(HEADER.pack(len(name), WIRE, 0, channel, 0, 0, 0) + name)
            parts.append(HEADER.pack(0, ACK, 1, 0, 0, 0, parcel.number))
            parts.append(parcel.frame(channel, REDELIVERED if parcel.number <= self._resent else 0))
            size += len(parcel.body)
        return b"".join(parts)

    # from the page -------------------------------------------------------------------------------------------------

    def hear(self, said: Said, now: float) -> bool:
        """A transaction has come, in order; False if it is one that has come before. Raises ValueError at a gap."""
        self.since = self.idle = now
        if said.number <= self.heard:
            return False
        if said.number != self.heard + 1:
            raise ValueError(f"transaction {said.number} after {self.heard}")
        self.heard = said.number
        self.waiting.append(said)
        self.waiting_bytes += said.size
        return True

    def take(self) -> Said:
        """The oldest that waits is the flow's."""
        said = self.waiting.popleft()
        self.waiting_bytes -= said.size
        self.taken = said.number
        return said

    def is_waited_for_by(self, work: Work) -> bool:
        """Whether some of what a module has done in the page is what the module of the runner waits for."""
        box = self._boxes.get(work.row.module)
        return bool(work.row.consumed and box and box[0].entry is not None)

    def done(self, module: str, count: int) -> None:
        """The page has done so many messages of a module."""
        box = self._boxes.get(module)
        while count and box:
            parcel = box[0]
            finished = parcel.finish(count)
            count -= finished
            self._messages -= finished
            if not parcel.left:
                box.popleft()
                self._bytes -= len(parcel.body)

    def forget(self, module: str) -> None:
        """The module is no more."""
        self.contexts.pop(module, None)
        for parcel in self._boxes.pop(module, ()):
            self._messages -= parcel.left
            self._bytes -= len(parcel.body)
            parcel.finish(parcel.left)

    def keep(self, module: str, changes: dict[bytes, bytes | None]) -> None:
        """What its instance of a module has changed in its context."""
        context = self.contexts.setdefault(module, {})
        for key, value in changes.items():
            if value is None:
                context.pop(key, None)
            else:
                context[key] = value

    @property
    def context_bytes(self) -> int:
        """Of all its contexts."""
        return sum(len(key) + len(value) for context in self.contexts.values() for key, value in context.items())

    def undone(self) -> tuple[int, list[str]]:
        """How many messages wait for the page or are under way in it, and for which modules."""
        return self._messages, [module for module, box in self._boxes.items() if box]

    def modules(self) -> Iterator[str]:
        """Those that it has something of."""
        yield from {*self._boxes, *self.contexts}
