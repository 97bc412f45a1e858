"""What the thread of a source leaves for the main loop, many turns at a time."""

from __future__ import annotations

from time import perf_counter_ns as clock

from .batch import Batch
from .call import Call, Produced
from .codec import encode
from .store import weight

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .transaction import Transaction
    from .wires import OutPort, Output


class SourceBatch:
    """Finished turns of a source that have only yielded and changed the context: the main loop takes them as one.

    `outputs` are JSON or, if the port is `native`, copies that nobody else has; `changes` are those of the turn with
    this index.
    """

    __slots__ = ("begun_ns", "changes", "ended_ns", "number", "out", "outputs", "source")

    def __init__(self, source: Any, out: OutPort, number: int, begun_ns: int) -> None:
        self.source, self.out, self.number, self.begun_ns = source, out, number, begun_ns
        self.ended_ns = 0
        self.outputs: list[Any] = []
        self.changes: dict[int, dict[str, Any]] = {}

    def end(self) -> None:
        """Whatever comes now is another batch's."""
        self.source.batch = None
        self.source.begun_ns = self.ended_ns = clock()

    def hand_on(self, transaction: Transaction) -> None:
        """Move it all to the transaction, for the pipe."""
        slot, count = self.source.slot, len(self.outputs)
        transaction.outputs.setdefault(self.out.channel, []).extend(self.outputs)  # type: ignore[arg-type]
        transaction.size += sum(map(len, self.outputs))
        for changes in self.changes.values():
            for key, entry in changes.items():
                transaction.changes[slot.number, key] = entry
                transaction.size += weight(key, entry)
        transaction.touched[slot.number] = slot
        slot.handled += count
        slot.sent += count
        slot.pulled += count

    def messages(self) -> Batch:
        """As messages for a chain."""
        batch = Batch("start", f"{self.source.slot.module_id}.start", 0, 0, len(self.outputs), self.number, b"")
        batch.messages, batch.changes = self.outputs, self.changes
        return batch

    def produced(self) -> Iterator[Produced]:
        """As turns for the general way; what they have changed is in the store already."""
        slot = self.source.slot
        for index, output in enumerate(self.outputs):
            data = encode(output) if self.out.native else output
            changes = self.changes.get(index, {})
            size = len(data) + sum([weight(key, entry) for key, entry in changes.items()])
            sent: list[Output] = [(self.out, data, None, 0)]
            yield Produced(Call.named(slot, "start", "start", self.number + index), (sent, changes, 0, size), 1)
