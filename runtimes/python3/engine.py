"""The host's heart: DATA in, turns, transactions out. What else the runner asks is for lifecycle.py.

The five ways of a turn, the fastest first (more: docs/decisions/011-the-five-ways-of-a-turn.md):

1. `run_one` (fast.py): a frame of one small message for a fast slot while nothing else waits. It is never queued and
   never announced. It looks before it begins; what it cannot do is queued, for 2 or 4.
2. `run_fast` (fast.py): a batch for a fast slot, which never awaits and sends to pipes only, without headers or ids.
   It calls no other module. A message that fails is finished by 4.
3. `run_chain` (chain.py): a batch for slots fused one behind the other that never await, and what a source has yielded
   to them. It does nothing but return values and change contexts. A turn that does more goes on by 4, where it is.
4. `run_turn` (here): every turn of slots that never await: hooks, headers, fan-outs, sends outside any turn. The
   general way; it may do all but await, and has nothing to fall back to.
5. `SlotTask` (slot_task.py): every turn of a slot that may await, or that fused wires join to one which may. It never
   holds up the loop, and uses none of 1 to 4.
"""

from __future__ import annotations

import select
from _thread import _count as thread_count
from _thread import get_ident
from collections import deque
from time import perf_counter_ns as clock
from types import GeneratorType

from . import link as wire
from .batch import Batch
from .bodies import Refused
from .call import Call, Produced
from .chain import Chains, run_chain, run_source_batch
from .fast import COMMIT_BYTES, WORK_NS, drain_generator, run_fast, run_one
from .inbox import Inbox
from .source_batch import SourceBatch
from .transaction import Transaction
from .turn import Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from contextvars import ContextVar
    from typing import Any

    from .context import Context
    from .slot import Slot

NAP_S = 0.001


class Engine:
    """All slots of this host, the turns they have, and the loop that serves them."""

    control: Callable[[int, int, int, int, bytes], None]
    """A frame that is not DATA: its kind, number, count, first, body. Set by the Lifecycle."""

    def __init__(self, link: wire.Link) -> None:
        self.link = link
        self.slots: dict[int, Slot] = {}
        self.channels: dict[int, tuple[Slot, str, str]] = {}
        self.chains = Chains(self.slots)
        self.ready: deque[Slot] = deque()  # a slot once per item of its queue
        self.transaction = Transaction()
        self.deadline = 0  # when the transaction is to be committed and the input looked at
        self.now = 0  # after the latest turn of run_one
        self.inbox = Inbox()
        self.main_thread = get_ident()
        self.thread_slots: dict[int, int] = {}
        self.current = wire.ALL_SLOTS
        self.loop: AbstractEventLoop | None = None  # these two when a module may await (event_loop.py)
        self.running: ContextVar[Call | None]
        self._drained_ns = 0
        self.input_poll = select.epoll()
        self.input_poll.register(link.input, select.EPOLLIN)
        link.wake = self.inbox.ring

    # -- the loop

    def run(self) -> None:
        """Serve until there is an event loop, which takes over for good."""
        poller = select.epoll()
        poller.register(self.link.input, select.EPOLLIN)
        poller.register(self.inbox.wake, select.EPOLLIN)
        poll, ready, inbox, transaction = poller.poll, self.ready, self.inbox, self.transaction
        read, handle = self.link.read, self.handle
        events: Any
        while self.loop is None:
            if ready:
                self.work()
                if self.loop is not None:  # `start` has returned an async generator
                    break
            # After a read that emptied the pipe there is nothing to ask: what is done is committed at once.
            ask = ready or inbox.items or (transaction.touched and not self.link.drained)
            events = poll(0) if ask else ()
            if transaction.touched and (not events or clock() >= self.deadline or transaction.size >= COMMIT_BYTES):
                self.commit()
            if not events:
                if ready:
                    continue
                alone = thread_count() == 0 and not inbox.items  # in this order: a thread's last words are in the inbox
                self.link.flush_logs()
                if alone:  # nobody can wake us: a plain read is much cheaper
                    for frame in read():
                        handle(*frame)
                    continue
                events = poll(-1)
            for fd, _ in events:
                if fd == inbox.wake:
                    self._nap()
                    self.drain()
                else:
                    for frame in read():
                        handle(*frame)

    def _nap(self) -> None:
        """Let a busy source fill the inbox instead of writing a frame for each of its turns."""
        if clock() - self._drained_ns < NAP_S * 1e9:
            self.input_poll.poll(NAP_S)

    def handle(self, kind: int, flags: int, number: int, skip: int, count: int, first: int, body: bytes) -> None:
        """One frame of the runner."""
        if kind == wire.DATA:
            slot, port, name = self.channels[number]
            if slot.is_held:
                return
            short = count == 1 and not flags and slot.is_fast and self.link.only_data and not self.ready
            if not short or not run_one(self, slot, port, name, skip, first, body):
                self.queue(slot, Batch(port, name, flags, skip, count, first, body))
        else:
            self.control(kind, number, count, first, body)

    def queue(self, slot: Slot, item: Any) -> None:
        """A Batch, or something that has a `run` (hooks.py): its turns come when those before it are over."""
        slot.queue.append(item)
        if slot.task is not None:
            slot.task.notify()
        else:
            self.ready.append(slot)

    def work(self) -> None:
        """Run what waits, until the deadline or a transaction's worth of output."""
        transaction, ready = self.transaction, self.ready
        self.arm()
        while ready:
            slot = ready[0]
            if not slot.queue:
                ready.popleft()
                continue
            item = slot.queue[0]
            if type(item) is Batch:
                self._run_batch(slot, item)
                if item.position < item.end and slot.queue:
                    return  # out of time in the middle of it
                if slot.queue and slot.queue[0] is item:
                    slot.queue.popleft()
                    ready.popleft()
            else:
                slot.queue.popleft()
                ready.popleft()
                item.run()
            if transaction.size >= COMMIT_BYTES or clock() >= self.deadline:
                return

    def arm(self) -> None:
        """Set the deadline when a transaction begins."""
        if not self.transaction.touched:
            self.deadline = clock() + WORK_NS

    def commit(self) -> None:
        """Write the transaction, if there is one."""
        if self.link.logs:
            self.link.flush_logs()
        if self.transaction.touched:
            self.link.write(self.transaction.take())

    def commit_if_due(self) -> None:
        """Write the transaction if it is old or large enough."""
        if clock() >= self.deadline or self.transaction.size >= COMMIT_BYTES:
            self.commit()

    def forget(self, slot: Slot) -> None:
        """Drop the input and the credit of a slot; what it has produced and the hooks asked for stay."""
        with self.inbox.lock:
            slot.given -= slot.credit
            slot.credit = 0
        slot.may_owe = True
        kept = [item for item in slot.queue if type(item) is not Batch]
        slot.queue.clear()
        slot.queue.extend(kept)

    def running_slot(self) -> int:
        """The slot whose code runs in this thread or task; 65535 when none is known."""
        ident = get_ident()
        if ident != self.main_thread:
            return self.thread_slots.get(ident, wire.ALL_SLOTS)
        if self.loop is not None and (call := self.running.get()) is not None:
            return call.slot.number
        return self.current

    # -- turns

    def _run_batch(self, slot: Slot, batch: Batch) -> None:
        chain = None if slot.is_fast else self.chains.of(slot)
        if (slot.is_fast or chain) and not batch.flags & (wire.HEADERS | wire.TURN_FLAG):
            if batch.messages is None:
                batch.decode()
            if batch.is_whole:
                if chain is None:
                    run_fast(self, slot, batch)
                else:
                    run_chain(self, chain, batch)
                return
        announced = batch.flags & wire.TURN_FLAG
        while batch.position < batch.end:
            if announced:
                self.commit()
                number = batch.base + batch.position
                self.link.write(wire.frame(wire.TURN, slot.number, first=number))
            call = Call.of(slot, batch)
            turn = Turn(self.slots, call)
            self.run_turn(turn, [call])
            self.end_turn(turn, True)
            if announced:
                self.commit()
            if not slot.queue or clock() >= self.deadline or self.transaction.size >= COMMIT_BYTES:
                return

    def run_turn(self, turn: Turn, stack: list[Call]) -> None:
        """The calls on the stack and, depth-first, everything fused behind them. For slots that never await."""
        while stack:
            call = stack.pop()
            if type(call.message) is Refused:
                turn.fail(call, call.message.error, 0)
                continue
            context = call.slot.context
            self.enter(context, call)
            start = clock()
            try:
                value = call.slot.handler(call.argument(), context)
                if value is not None:
                    if type(value) is GeneratorType:
                        drain_generator(value, context)
                    else:
                        context._output("out", value)
                busy = clock() - start
                turn.succeed(call, context.take(), busy, stack)
            except BaseException as error:
                context.drop()
                turn.fail(call, error, clock() - start)
            context._live = False

    def enter(self, context: Context, call: Call) -> None:
        """A handler is about to run."""
        context._call = context._live = call
        context.port, context.redelivered = call.port, call.redelivered
        self.current = call.slot.number

    def end_turn(self, turn: Turn, from_data: bool) -> None:
        """A root turn has ended: to the transaction with it, or hold its message."""
        slot = turn.root.slot
        if from_data and turn.root_failed and slot.retry:
            turn.hold(self.transaction)
            self.forget(slot)
            slot.is_held = True
            self.commit()
        else:
            self.keep(turn, from_data)

    def keep(self, turn: Turn, from_data: bool) -> None:
        """To the transaction with it, and tell those whose turns are part of it."""
        turn.commit(self.transaction, from_data)
        for item in turn.produced:
            item.call.slot.pulled += item.pulled
        for item in turn.produced:
            self._conclude(item)

    # -- what has run elsewhere: sources, and sends outside any turn

    def drain(self) -> None:
        """Take what other threads left in the inbox."""
        for item in self.inbox.take():
            kind = type(item)
            if kind is Produced:
                self.hand_on(item)  # type: ignore[arg-type]
            elif kind is SourceBatch:
                run_source_batch(self, self.chains, item)  # type: ignore[arg-type]
            else:
                item()  # type: ignore[operator]
                continue
            self.commit_if_due()
        self._drained_ns = clock()

    def hand_on(self, item: Produced) -> None:
        """A turn of a source or a send outside any turn: finish it here."""
        slot = item.call.slot
        if self.slots.get(slot.number) is not slot:
            return
        if slot.task is not None:
            slot.task.put(item)
            return
        turn = Turn(self.slots, item.call)
        stack: list[Call] = []
        self.arm()
        if self.absorb(item, turn, stack):
            self.run_turn(turn, stack)
        self.keep(turn, False)

    def absorb(self, item: Produced, turn: Turn, stack: list[Call]) -> bool:
        """Make what was produced a part of a turn. False when that failed."""
        turn.produced.append(item)
        try:
            if item.error is not None:
                raise item.error
            handled = 1 if item.pulled and item.call.port == "start" else 0
            slot = item.call.slot
            if not item.is_applied:
                slot.credit -= item.pulled
                slot.may_owe = slot.may_owe and slot.credit >= 0
            outcome = slot.by_todays_wires(item.outcome)
            turn.succeed(item.call, outcome, item.busy_ns, stack, handled, applied=item.is_applied)
        except BaseException as error:
            turn.fail(item.call, error, item.busy_ns)
            return False
        return True

    def _conclude(self, item: Produced) -> None:
        """The turn of a source is kept; perhaps that was its last."""
        slot = item.call.slot
        if item.source is not None:
            item.source.concluded(1)
        if item.finished is not None:
            slot.source = None
            slot.outside.credited()  # what was reserved for it
            self.commit()
            self.link.write(
                wire.frame(wire.FINISHED, slot.number, b'{"ok":true}' if item.finished else b'{"ok":false}')
            )
