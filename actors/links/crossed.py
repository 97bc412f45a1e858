"""What the ends of a flow's wires between runners know, as facts and back: what a file, a journal or another runner can
have of it. Pure.

A fact is a tuple with its kind in front: ("sending", wire, epoch, next, finished, known), ("sent", wire, flags, skip,
count, first, body) for each body that has not been acknowledged, ("receiving", wire, epoch, wanted, shift, runner).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from actors.state.segment import Segment


@dataclass(slots=True)
class Outgoing:
    """Of a sending end. `next`: the number of the next message; `waiting`: what has not been acknowledged, in order.
    `epoch`: 0 as long as nothing has been sent; `finished`: what came of messages with lower numbers is done; `known`:
    what `next` was when it started, until the other end has answered: that end can have no more. None: it is `next`.
    """

    epoch: int = 0
    next: int = 0
    finished: int = 0
    waiting: list[Segment] = field(default_factory=list)
    known: int | None = None

    @property
    def fact(self) -> tuple[Any, ...]:
        """What a journal has of it, beside its messages."""
        return self.epoch, self.known

    @property
    def messages(self) -> int:
        """That have not been acknowledged."""
        return sum(segment.count for segment in self.waiting)


@dataclass(frozen=True, slots=True)
class Incoming:
    """Of a receiving end: the epoch of the sender, the number that is wanted next, what is added to the sender's
    numbers here, and the runner that sends.
    """

    epoch: int
    wanted: int
    shift: int = 0
    runner: str | None = None

    @property
    def fact(self) -> tuple[Any, ...]:
        """What a journal has of it."""
        return astuple(self)

    @property
    def next(self) -> int:
        """The number that the next message has here."""
        return self.wanted + self.shift

    def of(self, runner: str) -> Incoming:
        """When it is to come from that runner: the epochs of two runners have nothing to do with each other."""
        same = self.runner in (None, runner)
        return replace(self, runner=runner) if same else Incoming(0, self.next, runner=runner)


@dataclass(slots=True)
class Crossed:
    """Of one flow, by wire."""

    sending: dict[str, Outgoing] = field(default_factory=dict)
    receiving: dict[str, Incoming] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        """That have left the modules here, and that nobody has acknowledged."""
        return sum(outgoing.messages for outgoing in self.sending.values())

    def facts(self) -> Iterator[tuple[Any, ...]]:
        """In an order in which each can be understood at once."""
        for wire, out in self.sending.items():
            yield "sending", wire, out.epoch, out.next, out.finished, out.known
            for s in out.waiting:
                yield "sent", wire, s.flags, s.skip, s.count, s.first, s.body
        for wire, come in self.receiving.items():
            yield "receiving", wire, *come.fact

    def take_sending(
        self, wire: str, epoch: int, following: int, finished: int = 0, known: int | None = None
    ) -> None:  # fmt: skip
        """The first fact of a sending end."""
        self.sending[wire] = Outgoing(epoch, following, finished, known=known)

    def take_sent(self, wire: str, flags: int, skip: int, count: int, first: int, body: bytes) -> None:
        """What has not been acknowledged."""
        out = self.sending[wire]
        out.waiting.append(Segment("", body, flags, skip, count, first, 0.0))
        out.next = max(out.next, first + count)

    def take_receiving(self, wire: str, epoch: int, wanted: int, shift: int, runner: str | None = None) -> None:
        """All of a receiving end; what earlier versions have written has no runner."""
        self.receiving[wire] = Incoming(epoch, wanted, shift, runner)


def sending_key(wire: str) -> str:
    """The fact of a journal that has what a sending end knows; earlier versions have written its epoch only."""
    return f"sending/{wire}"


def receiving_key(wire: str) -> str:
    """The fact of a journal that has what a receiving end knows."""
    return f"receiving/{wire}"


READ: dict[str, Callable[..., None]] = {
    "sending": Crossed.take_sending, "sent": Crossed.take_sent, "receiving": Crossed.take_receiving,
}  # fmt: skip
