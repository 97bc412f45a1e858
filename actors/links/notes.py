"""What the sending end of a `disk` wire writes down; what is sent has been written by the module that sent it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from actors.links.crossed import Outgoing, sending_key
from actors.links.outbox import Outbox

if TYPE_CHECKING:
    from actors.journal.gathering import Gathering  # MessagePack: a flow that is not durable does without


class SendingNotes:
    """Of one wire, in the journal of its flow."""

    def __init__(self, journal: Gathering, wire: str) -> None:
        self._journal, self._wire = journal, wire
        self.when_durable = journal.when_durable
        self.confirming = False

    def end(self, state: Outgoing) -> None:
        """What it knows, beside its messages."""
        self._journal.fact(sending_key(self._wire), msgspec.msgpack.encode(state.fact))

    def confirm(self, state: Outgoing, written: Callable[[], None]) -> None:
        """The other end has nothing that is not known here. That is written before it sees more than was known at the
        start: else, after a crash, it would look as if this end had lost its numbers.
        """
        self.end(state)
        self.confirming = True

        def durable() -> None:
            self.confirming = False
            written()

        self.when_durable(durable)

    def acknowledged(self, wanted: int) -> None:
        """Messages with lower numbers need not be kept."""
        self._journal.consumed(self._wire, wanted)

    def rewrite(self, outbox: Outbox) -> None:
        """Everything that is kept, in place of what was written before."""
        self._journal.clear(self._wire, outbox.next)  # what the module sends now, is written already
        self.acknowledged(outbox.oldest)
        for s in outbox.everything():
            self._journal.sent(self._wire, s.body, s.flags, s.skip, s.count, s.first)
        outbox.limit = 0  # until it is durable

    def forget(self) -> None:
        """The wire is no more, or is not `disk` any more."""
        self._journal.clear(self._wire)
        self._journal.fact(sending_key(self._wire), None)
