"""Chains: sync handlers fused one behind the other, whose turns run in one loop. Written for speed.

A turn of a chain makes no object. One that does more than return values and change contexts (it sends, fails, returns
a generator) is handed to the general way (engine.py, turn.py) at the module where that happens.
"""

from __future__ import annotations

from time import perf_counter_ns as clock
from types import GeneratorType

from .batch import Batch
from .call import Call
from .codec import NO_LIMIT, copy_plain, encode, own_copy, restore
from .context import Context
from .fast import COMMIT_BYTES, drain_generator
from .flow import NULL, TurnTooLarge
from .store import weight
from .turn import Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from .fast import Engine
    from .slot import Slot
    from .source_batch import SourceBatch
    from .wires import OutPort


class Chain:
    """Modules in a row, each the only target of the one before it, and the pipe behind the last, if there is one.

    The first one's turns are messages, or (`is_source`) its source makes them and only those behind it are run.
    """

    def __init__(self, slots: list[Slot], ports: list[str], out: OutPort | None, is_source: bool) -> None:
        self.slots, self.ports, self.out, self.is_source = slots, ports, out, is_source
        self.start = int(is_source)
        self.run = [
            (at, slot is slots[-1], slot.max_turn_bytes, slot.number, slot.handler, slot.context, slot)
            for at, slot in enumerate(slots)
            if at >= self.start
        ]
        self.root = Context(slots[0]) if is_source else slots[0].context
        self.turns = 0
        self.ended = [0] * len(slots)  # of the turns, those that went no further than this module

    def aim(self, batch: Batch) -> None:
        """The next turns are messages of this batch; what is behind them is named after them."""
        self.root.aim(batch)
        trail = ""
        for before, slot, port in zip(self.slots, self.slots[1:], self.ports[1:], strict=False):
            trail += f"/{before.module_id}.0"
            slot.context.aim_behind(self.root, trail, port)

    def count(self, touched: dict[int, Slot]) -> None:
        """Give the modules what the turns since the last count were."""
        first, turns = self.slots[0], self.turns
        if self.is_source:
            first.pulled += turns
        else:
            first.consumed += turns
        for slot, ended in zip(self.slots, self.ended, strict=True):
            if not turns:
                break
            touched[slot.number] = slot
            slot.handled += turns
            if slot is not first:
                slot.fused += turns
            turns -= ended
            if slot is self.slots[-1] and self.out is None:
                slot.unwired += turns
            else:
                slot.sent += turns
        self.turns = 0
        self.ended = [0] * len(self.slots)

    def turn_at(self, slots: dict[int, Slot], batch: Batch, position: int, at: int, data: bytes) -> tuple[Turn, Call]:
        """The turn of one message as the general way has it, when all modules before `at` have returned a value."""
        call = Call.at(self.slots[0], batch, position, None)
        turn = Turn(slots, call)
        for slot, port in zip(self.slots[1 : at + 1], self.ports[1:], strict=False):
            turn.passed(call)
            call = Call.fused(slot, port, data, None, call, 0)
        return turn, call


class Chains:
    """The chains of a host's slots: those that were looked for since the wires have changed."""

    def __init__(self, slots: dict[int, Slot]) -> None:
        self._slots = slots
        self.found: dict[tuple[Slot, bool], Chain | None] = {}

    def of(self, slot: Slot, is_source: bool = False) -> Chain | None:
        """The chain that begins at a slot, or behind its source."""
        if (slot, is_source) not in self.found:
            self.found[slot, is_source] = self._find(slot, is_source)
        return self.found[slot, is_source]

    def _find(self, first: Slot, is_source: bool) -> Chain | None:
        slots, ports = [first], ["start"]
        while True:
            slot = slots[-1]
            if slot.task is not None or (slot.kind and not (is_source and slot is first)):
                return None
            out = slot.out.get("out")
            if out is None and slot.out_ports is not None and "out" not in slot.out_ports:
                return None
            if out is None or not out.fused:
                return None if len(slots) == 1 or (out and out.ids) else Chain(slots, ports, out, is_source)
            target = self._slots[out.fused[0][0]]
            if len(out.fused) > 1 or out.channel is not None or target in slots:
                return None
            slots.append(target)
            ports.append(out.fused[0][1])


def run_chain(engine: Engine, chain: Chain, batch: Batch) -> None:
    """Turns of a batch through a chain, until it is done or it is time to commit."""
    transaction, root, run, out = engine.transaction, chain.root, chain.run, chain.out
    first, reach = chain.slots[0], len(chain.slots)
    is_native = chain.is_source and first.out["out"].native
    outputs: list[bytes] = []
    if out is not None:
        outputs = transaction.outputs.setdefault(out.channel, [])  # type: ignore[arg-type]
    chain.aim(batch)
    start = stop = clock()
    for message in batch.messages[batch.position : batch.end]:  # type: ignore[index]
        root._number = position = batch.position
        batch.position = position + 1
        value, given, size, error, is_fast = None, message, 0, None, True
        kept, data = None, b""  # what the module has got, as it was sent: a copy that nobody has, or else its JSON
        changed: Sequence[tuple[Slot, dict[str, Any]]] = ()
        at = chain.start
        try:
            if at:  # of a source
                if is_native:
                    kept, data, given = message, b"null", own_copy(message)
                else:
                    data, given = message, restore(message)
                if position in batch.changes:
                    changed = [(first, batch.changes.pop(position))]
            for at, is_last, limit, number, handler, context, slot in run:  # noqa: B007
                engine.current = number
                context._live = True
                value = handler(NULL if given is None else given, context)
                context._live = False
                stop = clock()
                slot.busy_ns += stop - start
                start = stop
                if context._index:
                    is_fast = False
                    break
                room, changes = limit, context._changes
                if changes:
                    room -= sum([weight(key, entry) for key, entry in changes.items()])
                copy = None if is_last else copy_plain(value, room)
                if copy is not None:
                    kept = copy
                    given = copy_plain(copy, NO_LIMIT)
                elif value is not None:
                    if type(value) is GeneratorType:
                        is_fast = False
                        break
                    made = encode(value)
                    if len(made) > room:
                        raise TurnTooLarge(f"outputs exceed {limit} bytes")
                    kept, data = None, made
                    if not is_last:
                        given = restore(made)
                elif room < 0:
                    raise TurnTooLarge(f"outputs exceed {limit} bytes")
                if changes:
                    slot.apply(changes)
                    context._changes = {}
                    changed = [*changed, (slot, changes)]
                if value is None:
                    break
            else:
                at = reach
        except BaseException as raised:
            error = raised
        if error is not None or not is_fast:
            chain.count(transaction.touched)
            _leave_chain(
                engine, chain, batch, position, at, data if kept is None else encode(kept), value, error, changed
            )
            error = None  # it holds this frame
            if not chain.is_source and not first.queue:
                return  # held
            chain.aim(batch)
            start = stop = clock()
        else:
            chain.turns += 1
            if at < reach:
                chain.ended[at] += 1
            elif out is not None:
                outputs.append(data)
                size = len(data)
            for slot, changes in changed:
                for key, entry in changes.items():
                    transaction.changes[slot.number, key] = entry
                    size += weight(key, entry)
            transaction.size += size
        if stop >= engine.deadline or transaction.size >= COMMIT_BYTES:
            break
    chain.count(transaction.touched)


def run_source_batch(engine: Engine, chains: Chains, made: SourceBatch) -> None:
    """Turns that a source has ended: to the pipe, or through what is fused behind."""
    source, out = made.source, made.out
    slot: Slot = source.slot
    if engine.slots.get(slot.number) is not slot:
        return
    engine.arm()
    slot.busy_ns += made.ended_ns - made.begun_ns
    is_wired = slot.out.get("out") is out  # else the wires have changed since
    chain = chains.of(slot, is_source=True) if is_wired else None
    if chain is not None:
        batch = made.messages()
        while batch.position < batch.end:
            engine.arm()
            run_chain(engine, chain, batch)
            engine.commit_if_due()
    elif is_wired and out.channel is not None:
        made.hand_on(engine.transaction)
    else:
        for produced in made.produced():
            engine.hand_on(produced)
            engine.commit_if_due()
    source.concluded(len(made.outputs))


def _leave_chain(
    engine: Engine, chain: Chain, batch: Batch, position: int, at: int, data: bytes, value: Any,
    error: BaseException | None, changed: Iterable[tuple[Slot, dict[str, Any]]],
) -> None:  # fmt: skip
    """Finish a turn the general way: the module `at` got `data`; it returned `value`, or raised."""
    turn, call = chain.turn_at(engine.slots, batch, position, at, data)
    for slot, changes in changed:
        turn.keep(slot, changes)
    stack: list[Call] = []
    context = call.slot.context
    if error is None:
        try:
            if type(value) is GeneratorType:
                engine.enter(context, call)
                drain_generator(value, context)
            elif value is not None:
                context._output("out", value)
            turn.succeed(call, context.take(), 0, stack)
        except BaseException as raised:
            error = raised
    if error is not None:
        context.drop()
        turn.fail(call, error, 0)
        error = None  # it may hold this frame
    context._live = False
    engine.run_turn(turn, stack)
    if chain.is_source:
        chain.slots[0].pulled += 1
    engine.end_turn(turn, not chain.is_source)
