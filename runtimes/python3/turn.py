"""A turn under way, and the transaction that finished turns go to. Neither knows when to commit."""

from __future__ import annotations

import os
from time import perf_counter_ns as clock

from .bodies import Refused
from .codec import encode
from .context import ABSENT, weight
from .failure import describe
from .link import COMMIT, CONTEXT, DATA, DELETED, ERROR, HEADERS, HELD, MAX_BODY_BYTES, NO_INDEX, PACK, frame
from .slot import Batch, Call, Produced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .context import Outcome, Output
    from .slot import Out, Slot

MAX_FUSED_BYTES = MAX_BODY_BYTES  # of a turn, all its calls together


class Transaction:
    """Everything since the last COMMIT, ready to be written."""

    def __init__(self) -> None:
        self.touched: dict[int, Slot] = {}
        self.size = 0
        self.outputs: dict[int, list[bytes]] = {}
        self.headers: dict[int, list[bytes]] = {}
        self.changes: dict[tuple[int, str], Any] = {}
        self.errors: list[bytes] = []

    def add_headers(self, channel: int, headers: bytes) -> None:
        """Give the output just added to a channel its headers; those before it without any get `null`."""
        column = self.headers.setdefault(channel, [])
        column.extend([b"null"] * (len(self.outputs[channel]) - 1 - len(column)))
        column.append(headers)

    def add_error(
        self, slot: int, info: dict[str, Any], index: int, number: int, message: bytes = b"", flags: int = 0
    ) -> None:
        """An ERROR frame."""
        encoded = encode(info)
        self.errors.append(frame(ERROR, slot, encoded + message, flags, len(encoded), index, number))
        self.size += len(encoded) + len(message)

    def take(self) -> bytes:
        """The frames, COMMIT last; then it is empty."""
        parts: list[bytes] = []
        for channel, messages in self.outputs.items():
            if self.size > MAX_BODY_BYTES // 2 or channel in self.headers:
                _data(parts, channel, messages, self.headers.get(channel))
            elif messages:
                body = b",\n".join(messages)
                parts += (PACK(len(body) + 2, DATA, 0, channel, 0, len(messages), 0), b"[", body, b"]")
        for (slot, key), entry in self.changes.items():
            name = key.encode()
            if entry is ABSENT:
                parts.append(frame(CONTEXT, slot, name, DELETED, len(name)))
            else:
                parts.append(
                    frame(CONTEXT, slot, name + (entry if type(entry) is bytes else encode(entry)), 0, len(name))
                )
        parts += self.errors
        rows = b",".join([slot.counts() for slot in self.touched.values()])
        parts += (PACK(len(rows) + 2, COMMIT, 0, 0, 0, 0, 0), b"[", rows, b"]")
        self.touched.clear()
        self.outputs.clear()
        self.size = 0
        if self.headers or self.changes or self.errors:
            self.headers.clear()
            self.changes.clear()
            self.errors.clear()
        return b"".join(parts)


class SourceBatch:
    """Finished turns of a source that have only yielded and changed the context: the main loop takes them as one.

    `outputs` are JSON or, if the port is `native`, copies that nobody else has; `changes` are those of the turn with
    this index.
    """

    __slots__ = ("begun_ns", "changes", "ended_ns", "number", "out", "outputs", "source")

    def __init__(self, source: Any, out: Out, number: int, begun_ns: int) -> None:
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


def _data(parts: list[bytes], channel: int, messages: list[bytes], headers: list[bytes] | None) -> None:
    """DATA frames of one channel; more than one only when a body would be too large."""
    if headers is not None:
        headers.extend([b"null"] * (len(messages) - len(headers)))
    body = b"[" + b",\n".join(messages) + b"]"
    if headers is not None:
        body = b"[[" + b",\n".join(headers) + b"],\n\n" + body + b"]"
    if not messages:
        return
    if len(body) > MAX_BODY_BYTES and len(messages) > 1:
        middle = len(messages) // 2
        _data(parts, channel, messages[:middle], headers and headers[:middle])
        _data(parts, channel, messages[middle:], headers and headers[middle:])
        return
    parts.append(frame(DATA, channel, body, 0 if headers is None else HEADERS, 0, len(messages)))


def error_info(call: Call, error: BaseException) -> dict[str, Any]:
    """The info of an ERROR frame."""
    slot = call.slot
    handler = slot.hooks.get("start") if call.port == "start" else slot.handler
    if type(call.message) is Refused:  # it was not called
        handler = None
    return {"error": describe(error, handler), "port": call.port, "id": call.id, "headers": call.headers or None}


class Turn:
    """One root message and all that is fused behind it."""

    __slots__ = ("_changes", "_counts", "_errors", "_outputs", "_size", "_slots", "root", "root_failed")

    def __init__(self, slots: dict[int, Slot], root: Call) -> None:
        self._slots = slots
        self.root = root
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
