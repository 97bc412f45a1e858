"""Turns of fast slots: sync handlers whose outputs go to pipes only. Written for speed, so two loops look alike.

No object is made for a message, and what the general way (engine.py, turn.py) does by objects is done by hand here.
"""

from __future__ import annotations

from time import perf_counter_ns as clock
from types import GeneratorType

from . import uuids
from .batch import Batch
from .call import Call
from .codec import FAST, MIN_DEEP_BYTES, encode, encode_checked, encode_suspect, fast_dumps, is_wide, loads
from .flow import NULL
from .turn import Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from .call import Produced
    from .context import Context
    from .slot import Slot
    from .transaction import Transaction

    class Engine(Protocol):
        """What the loops here and in chain.py need of the engine (engine.py)."""

        slots: dict[int, Slot]
        transaction: Transaction
        deadline: int
        current: int
        now: int

        def enter(self, context: Context, call: Call) -> None:
            """A handler is about to run."""

        def run_turn(self, turn: Turn, stack: list[Call]) -> None:
            """What is on the stack, the general way."""

        def end_turn(self, turn: Turn, from_data: bool) -> None:
            """To the transaction with it."""

        def arm(self) -> None:
            """A transaction may begin."""

        def commit_if_due(self) -> None:
            """Write it if it is old or large enough."""

        def hand_on(self, item: Produced) -> None:
            """A turn that was made outside of the loop."""


COMMIT_BYTES = 64 << 10
WORK_NS = 10_000_000


def run_fast(engine: Engine, slot: Slot, batch: Batch) -> None:
    """Turns of a fast slot: no object is made for each message."""
    messages: Any = batch.messages
    context, handler, transaction = slot.context, slot.handler, engine.transaction
    out = slot.out.get("out")
    outputs: list[bytes] = [] if out is None else transaction.outputs.setdefault(out.channel, [])  # type: ignore[arg-type]
    position = begun = batch.position
    end, limit, deadline = batch.end, slot.max_turn_bytes, engine.deadline
    size = sent = 0
    room = COMMIT_BYTES - transaction.size
    context.aim(batch)
    context._live = True
    engine.current = slot.number
    transaction.touched[slot.number] = slot
    start = stop = clock()  # the time between two turns is so small that it counts as the handler's
    for message in messages[position:end]:
        if message is None:
            message = NULL  # noqa: PLW2901
        context._number = position
        position += 1
        data, length = None, 0
        try:
            value = handler(message, context)
            stop = clock()
            if value is not None:
                try:  # codec.encode, without the call
                    data = fast_dumps(value, None, FAST)
                except (TypeError, RecursionError):
                    data = None
                if data is None:  # not in the except clause: it would be the context of what user code raises
                    if type(value) is GeneratorType:
                        drain_generator(value, context)
                    else:
                        data = encode_checked(value)
                        length = len(data)
                else:
                    length = len(data)
                    if (
                        36 in data
                        or length >= MIN_DEEP_BYTES
                        or (uuids.known and 45 in data and data.count(b"-") > 3)
                        or data.replace(b"null", b"") is not data
                    ):
                        data = encode_suspect(value, data)
                        length = len(data)
            if context._index or context._changes or length > limit:
                size += _keep(transaction, slot, length)
        except BaseException as error:
            stop = clock()
            context.drop()
            context._live = False
            slot.consumed += position - 1 - begun
            slot.handled += position - 1 - begun
            begun = position
            turn = Turn(engine.slots, Call.at(slot, batch, position - 1, message))
            turn.fail(turn.root, error, stop - start)
            start = stop
            batch.position = position
            transaction.size += size
            size = 0
            slot.count_sent(sent, out)
            sent = 0
            engine.end_turn(turn, True)
            if not slot.queue:
                return
            room = COMMIT_BYTES - transaction.size
            if stop >= deadline:
                break
            context._live = True
            context.aim(batch)
            continue
        if data is not None:
            outputs.append(data)
            size += length
            sent += 1
        if stop >= deadline or size >= room:
            break
    context._live = False
    batch.position = position
    transaction.size += size
    slot.consumed += position - begun
    slot.handled += position - begun
    slot.count_sent(sent, out)
    slot.busy_ns += stop - start


def run_one(engine: Engine, slot: Slot, port: str, name: str, skip: int, first: int, body: bytes) -> bool:
    """A frame of one small message for a fast slot, without any queue: this is the round trip that counts.

    False: not done, it has to take the long way.
    """
    transaction = engine.transaction
    if len(body) >= MIN_DEEP_BYTES or 36 in body or transaction.size >= COMMIT_BYTES:
        return False
    if transaction.touched and engine.now >= engine.deadline:
        return False  # it is time to look at the input
    try:
        message = loads(body)[skip]
    except Exception:
        return False
    if is_wide(body):
        return False
    if message is None:
        message = NULL
    context = slot.context
    context._call = context._root = None
    context._wire, context._base, context._number = name, first, 0
    context.port, context.redelivered = port, False
    engine.current = slot.number
    start = clock()
    if not transaction.touched:
        engine.deadline = start + WORK_NS
    out, data = slot.out.get("out"), None
    context._live = True
    try:
        value = slot.handler(message, context)
        engine.now = stop = clock()
        if type(value) is GeneratorType:
            drain_generator(value, context)
        elif value is not None:
            data = encode(value)
        if context._index or context._changes or (data is not None and len(data) > slot.max_turn_bytes):
            transaction.size += _keep(transaction, slot, len(data) if data is not None else 0)
    except BaseException as error:
        context.drop()
        context._live = False
        batch = Batch(port, name, 0, 0, 1, first, b"")
        turn = Turn(engine.slots, Call.at(slot, batch, 0, message))
        turn.fail(turn.root, error, clock() - start)
        engine.end_turn(turn, True)
        return True
    context._live = False
    transaction.touched[slot.number] = slot
    slot.consumed += 1
    slot.handled += 1
    slot.busy_ns += stop - start
    if data is not None:
        slot.count_sent(1, out)
        if out is not None:
            transaction.size += len(data)
            transaction.outputs.setdefault(out.channel, []).append(data)  # type: ignore[arg-type]
    return True


def _keep(transaction: Transaction, slot: Slot, result_bytes: int) -> int:
    """Move a fast turn's sends and changes to the transaction; returns their bytes."""
    number = slot.number
    slot.context._bytes += result_bytes
    sent, changes, unwired, size = slot.context.take()
    for key, entry in changes.items():
        slot.store.put(key, entry)
        transaction.changes[number, key] = entry
    for out, data, headers, _ in sent:
        transaction.outputs.setdefault(out.channel, []).append(data)  # type: ignore[arg-type]
        if headers:
            transaction.add_headers(out.channel, encode(headers))  # type: ignore[arg-type]
    slot.sent += len(sent)
    slot.unwired += unwired
    return size - result_bytes


def drain_generator(values: Any, context: Context) -> None:
    """Send every value of a generator."""
    for value in values:
        if value is not None:
            context._output("out", value)
