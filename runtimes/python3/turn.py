"""A turn under way: what its calls have done so far. Nothing of it is seen outside before it is committed."""

from __future__ import annotations

import os

from .bodies import Refused
from .call import Call
from .codec import encode
from .failure import describe
from .link import HELD, MAX_BODY_BYTES, NO_INDEX
from .store import weight

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .call import Produced
    from .slot import Slot
    from .transaction import Transaction
    from .wires import Outcome

MAX_FUSED_BYTES = MAX_BODY_BYTES  # of a turn, all its calls together


def error_info(call: Call, error: BaseException) -> dict[str, Any]:
    """The info of an ERROR frame."""
    slot = call.slot
    handler = slot.hooks.get("start") if call.port == "start" else slot.handler
    if type(call.message) is Refused:  # it was not called
        handler = None
    return {"error": describe(error, handler), "port": call.port, "id": call.id, "headers": call.headers or None}


class Turn:
    """One root message and all that is fused behind it."""

    __slots__ = ("_changes", "_counts", "_errors", "_outputs", "_size", "_slots", "produced", "root", "root_failed")

    def __init__(self, slots: dict[int, Slot], root: Call) -> None:
        self._slots = slots
        self.root = root
        self.produced: list[Produced] = []  # what it began with, or what modules had before it came to them
        self._size = 0
        self._outputs: list[tuple[int, bytes, bytes | None]] = []
        self._changes: list[tuple[int, str, Any]] = []
        self._errors: list[tuple[Call, dict[str, Any]]] = []
        self._counts: list[tuple[Slot, int, int, int, int, int, int]] = []
        self.root_failed = (
            False  # the error itself would hold the frames that hold this turn: a cycle, and all they hold
        )

    def succeed(
        self, call: Call, outcome: Outcome, busy_ns: int, stack: list[Call], handled: int = 1, applied: bool = False
    ) -> None:
        """A handler ended: keep what it did, put the fused calls on the stack."""
        sent, changes, unwired, size = outcome
        slot = call.slot
        calls: list[Call] = []
        for out, data, own, index in sent:
            headers = call.headers if own is None else own
            if out.channel is not None:
                encoded = None
                if out.ids:
                    encoded = encode({**(headers or {}), "id": f"{call.id}/{slot.module_id}.{index}"})
                elif headers:
                    encoded = encode(headers)
                self._outputs.append((out.channel, data, encoded))
            for target, port, _ in out.fused:
                calls.append(
                    Call.fused(self._slots[target], port, data, dict(headers) if headers else None, call, index)
                )
        if not applied:
            slot.apply(changes)
        self._changes += [(slot.number, key, entry) for key, entry in changes.items()]
        self._counts.append((slot, handled, 0, len(sent), unwired, busy_ns, int(call.parent is not None)))
        self._size += size
        if self._size > MAX_FUSED_BYTES and call.parent is not None:
            end_unfinished(self._size)
        stack.extend(reversed(calls))

    def passed(self, call: Call) -> None:
        """A module of a chain has returned a value for the next."""
        self._counts.append((call.slot, 1, 0, 1, 0, 0, int(call.parent is not None)))

    def keep(self, slot: Slot, changes: dict[str, Any]) -> None:
        """What a module of a chain has changed; it is in the store already."""
        for key, entry in changes.items():
            self._changes.append((slot.number, key, entry))
            self._size += weight(key, entry)

    def fail(self, call: Call, error: BaseException, busy_ns: int) -> None:
        """A handler raised: only its ERROR stays."""
        self._counts.append((call.slot, 1, 1, 0, 0, busy_ns, int(call.parent is not None)))
        if call is self.root:
            self.root_failed = True
        self._errors.append((call, error_info(call, error)))

    def hold(self, transaction: Transaction) -> None:
        """The root failed and the runner will try again: its message stays unconsumed."""
        slot = self.root.slot
        self._count(transaction)
        for call, info in self._errors:
            transaction.add_error(slot.number, info, slot.consumed, call.number, b"", HELD)

    def commit(self, transaction: Transaction, from_data: bool) -> None:
        """Move it all to the transaction. `from_data`: the root is a message of DATA, now consumed."""
        for channel, data, headers in self._outputs:
            transaction.outputs.setdefault(channel, []).append(data)
            if headers is not None:
                transaction.add_headers(channel, headers)
        for number, key, entry in self._changes:
            transaction.changes[number, key] = entry
        transaction.size += self._size
        slot = self.root.slot
        for call, info in self._errors:
            index = slot.consumed if call is self.root and from_data else NO_INDEX
            transaction.add_error(call.slot.number, info, index, call.number, call.data)
        if from_data:
            slot.consumed += 1
        transaction.touched[slot.number] = slot
        self._count(transaction)

    def _count(self, transaction: Transaction) -> None:
        for slot, handled, failed, sent, unwired, busy_ns, fused in self._counts:
            transaction.touched[slot.number] = slot
            slot.handled += handled
            slot.failed += failed
            slot.sent += sent
            slot.unwired += unwired
            slot.busy_ns += busy_ns
            slot.fused += fused


def end_unfinished(size: int) -> None:
    """What one message has set off by way of fused wires is too much for one transaction.

    Each call is within its limit, so nothing may be refused: the process ends, and the runner has the message done
    again, one module at a time.
    """
    os.write(2, f"host: {size} bytes behind one message by way of fused wires: it is done again unfused\n".encode())
    os._exit(4)
