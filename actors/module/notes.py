"""What a module of a durable flow writes down of itself; what it sends is written where it is sent (wires.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from actors.state.mailbox import Mailbox
from actors.state.module import ModuleState
from actors.state.segment import Segment

if TYPE_CHECKING:
    from actors.journal.gathering import Gathering


class HasState(Protocol):
    """The record of a module, whose state changes its actor."""

    state: ModuleState


class Notes:
    """Of one module, in the journal of its flow; `numbers`: the next ones of its out-ports."""

    def __init__(self, name: str, record: HasState, numbers: Callable[[], dict[str, int]], journal: Gathering) -> None:
        self._name, self._record, self._numbers, self.journal = name, record, numbers, journal
        self._key = fact_key(name)

    def _accounts(self) -> bytes:
        return accounts(self._record.state, self._numbers())

    # turns ---------------------------------------------------------------------------------------------------------

    def committed(self, consumed: int, context: Mapping[bytes, bytes | None]) -> None:
        """Before it is so: so many messages at the front of the window are done, these keys of the context change."""
        journal = self.journal
        for segment in self._record.state.mailbox.window if consumed else ():
            journal.consumed(segment.wire, segment.first + min(consumed, segment.count))
            consumed -= segment.count
            if consumed <= 0:
                break
        if context:
            journal.context(self._name, context.items())
        journal.fact_later(self._key, self._accounts)

    def given_up(self, wire: str, number: int) -> None:
        """The message at the head of the mailbox is no more."""
        self.journal.consumed(wire, number + 1)
        self.journal.fact_later(self._key, self._accounts)

    # what others do to the mailbox ----------------------------------------------------------------------------------

    def submitted(self, wire: str, body: bytes, flags: int, count: int, number: int) -> None:
        """Messages from the API."""
        self.journal.sent(wire, body, flags, 0, count, number)

    def changed(self, wire: str, below: int) -> None:
        """Of what waits of a wire, that with numbers below that is not what it was."""
        self.journal.clear(wire, below)
        self._send(segment for segment in everything(self._record.state.mailbox) if segment.wire == wire)
        self.journal.fact_later(self._key, self._accounts)

    def dropped(self, wires: Iterable[str]) -> None:
        """Nothing waits of these any more, and nothing is on its way."""
        for wire in wires:
            self.journal.clear(wire)
        self.journal.fact_later(self._key, self._accounts)

    def _send(self, segments: Iterable[Segment]) -> None:
        for s in segments:
            self.journal.sent(s.wire, s.body, s.flags, s.skip, s.count, s.first)

    # updates -------------------------------------------------------------------------------------------------------

    def changed_classes(self, kept_before: Mapping[str, bool]) -> None:
        """Other wires are kept than before; nothing is on its way."""
        for wire in self._record.state.mailbox.wires:
            if kept_before[wire] != self.journal.keeps[wire]:
                self.changed(wire, next_number(self._record.state.mailbox, wire))

    def stands(self) -> None:
        """Its context is that of the version that stands now."""
        note_context(self.journal, self._name, self._record.state)
        self.journal.fact_later(self._key, self._accounts)


def fact_key(module: str) -> str:
    """Where its accounts are."""
    return f"module/{module}"


def note_module(journal: Gathering, name: str, state: ModuleState, numbers: dict[str, int]) -> None:
    """Everything, in place of what was written of it before. Nothing is on its way to the module."""
    for wire in state.mailbox.wires:
        journal.clear(wire)
    note_context(journal, name, state)
    journal.fact(fact_key(name), accounts(state, numbers))
    for s in everything(state.mailbox):
        journal.sent(s.wire, s.body, s.flags, s.skip, s.count, s.first)


def note_context(journal: Gathering, name: str, state: ModuleState) -> None:
    """All of its context, in place of what was written of it before."""
    journal.forget_context(name)
    journal.context(name, state.context.items())


def accounts(state: ModuleState, numbers: dict[str, int]) -> bytes:
    """The numbers of its wires and its accounts, as they are now."""
    import msgpack

    packed: bytes = msgpack.packb((numbers, state.accounts()))
    return packed


def everything(mailbox: Mailbox) -> list[Segment]:
    """What is in the mailbox and at the host, the oldest first."""
    return [*mailbox.window, *mailbox.waiting()]


def next_number(mailbox: Mailbox, wire: str) -> int:
    """Messages of a wire with this number or a higher one are still on their way to the mailbox."""
    return max((s.first + s.count for s in everything(mailbox) if s.wire == wire), default=0)
