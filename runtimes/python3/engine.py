"""The host's heart: frames in, turns, transactions out. Its loop is for sync modules, event_loop.py for the rest."""

from __future__ import annotations

import contextlib
import os
import select
from _thread import _count as thread_count
from _thread import allocate_lock, get_ident
from collections import deque
from time import perf_counter_ns as clock
from types import GeneratorType

from . import link as wire
from .bodies import Refused
from .chain import Chain, Chains
from .fast import COMMIT_BYTES, WORK_NS, drain_generator
from .slot import Batch, Call, Produced, Slot
from .turn import SourceBatch, Transaction, Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .context import Context
    from .event_loop import EventLoop

NAP_S = 0.001


class Engine(Chains):
    """All slots of this host and the loop that serves them."""

    def __init__(self, link: wire.Link) -> None:
        self.link = link
        self.slots: dict[int, Slot] = {}
        self.channels: dict[int, tuple[Slot, str, str]] = {}
        self.ready: deque[Slot] = deque()  # a slot once per item of its queue
        self.transaction = Transaction()
        self.chains: dict[tuple[Slot, bool], Chain | None] = {}
        self.deadline = 0  # when the transaction is to be committed and the input looked at
        self.lock = allocate_lock()  # of inbox and credit
        self.inbox: list[Produced | SourceBatch | Callable[[], None]] = []
        self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.thread_slots: dict[int, int] = {}
        self.current = wire.ALL_SLOTS
        self.event_loop: EventLoop | None = None
        self._main = get_ident()
        self._drained_ns = 0
        self.input_poll = select.epoll()
        self.input_poll.register(link.input, select.EPOLLIN)
        link.wake = lambda: os.eventfd_write(self.wake, 1)

    def run(self) -> None:
        """Serve until an async module is loaded; then event_loop.py takes over for good."""
        poller = select.epoll()
        poller.register(self.link.input, select.EPOLLIN)
        poller.register(self.wake, select.EPOLLIN)
        poll, ready, transaction, read, handle = poller.poll, self.ready, self.transaction, self.link.read, self.handle
        events: Any
        while self.event_loop is None:
            if ready:
                self.work()
            # After a read that emptied the pipe there is nothing to ask: what is done is committed at once.
            ask = ready or self.inbox or (transaction.touched and not self.link.drained)
            events = poll(0) if ask else ()
            if transaction.touched and (not events or clock() >= self.deadline or transaction.size >= COMMIT_BYTES):
                self.commit()
            if not events:
                if ready:
                    continue
                alone = thread_count() == 0 and not self.inbox  # in this order: a thread's last words are in the inbox
                self.link.flush_logs()
                if alone:  # nobody can wake us: a plain read is much cheaper
                    for frame in read():
                        handle(*frame)
                    continue
                events = poll(-1)
            for fd, _ in events:
                if fd == self.wake:
                    self._nap()
                    self.drain()
                else:
                    for frame in read():
                        handle(*frame)

    def _nap(self) -> None:
        """Let a busy source fill the inbox instead of writing a frame for each of its turns."""
        if clock() - self._drained_ns < NAP_S * 1e9:
            self.input_poll.poll(NAP_S)

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
                self.run_hook(slot, item)
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

    def _run_batch(self, slot: Slot, batch: Batch) -> None:
        chain = None if slot.is_fast else self.chain_of(slot)
        if (slot.is_fast or chain) and not batch.flags & (wire.HEADERS | wire.TURN_FLAG):
            if batch.messages is None:
                batch.decode()
            if batch.is_whole:
                if chain is None:
                    self.run_fast(slot, batch)
                else:
                    self.run_chain(chain, batch)
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
            slot.held = True
            self.commit()
        else:
            turn.commit(self.transaction, from_data)

    def hand_on(self, item: Produced) -> None:
        """A turn of a source or a send outside any turn: finish it here."""
        slot = item.call.slot
        if self.slots.get(slot.number) is not slot:
            return
        if slot.task is not None:
            slot.queue.append(item)
            slot.task.notify()
            return
        turn = Turn(self.slots, item.call)
        stack: list[Call] = []
        self.arm()
        if self.absorb(item, turn, stack):
            self.run_turn(turn, stack)
        self.conclude(item, turn)

    def absorb(self, item: Produced, turn: Turn, stack: list[Call]) -> bool:
        """Put what was produced into its turn. False when that failed."""
        try:
            if item.error is not None:
                raise item.error
            handled = 1 if item.pulled and item.call.port == "start" else 0
            outcome = item.call.slot.by_todays_wires(item.outcome)
            turn.succeed(item.call, outcome, item.busy_ns, stack, handled, applied=True)
        except BaseException as error:
            turn.fail(item.call, error, item.busy_ns)
            return False
        return True

    def conclude(self, item: Produced, turn: Turn) -> None:
        """The turn of a source has ended; perhaps the source, too."""
        slot = item.call.slot
        turn.commit(self.transaction, False)
        slot.pulled += item.pulled
        if item.source is not None:
            item.source.concluded(1)
        if item.finished is not None:
            slot.source = None
            self.commit()
            self.link.write(
                wire.frame(wire.FINISHED, slot.number, b'{"ok":true}' if item.finished else b'{"ok":false}')
            )

    def drain(self) -> None:
        """Take what other threads left in the inbox."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.wake)  # before the inbox is taken: what comes later wakes again
        with self.lock:
            items, self.inbox = self.inbox, []
            for item in items:
                if type(item) is SourceBatch:
                    item.end()
        for item in items:
            kind = type(item)
            if kind is Produced:
                self.hand_on(item)  # type: ignore[arg-type]
            elif kind is SourceBatch:
                self.take_source_batch(item)  # type: ignore[arg-type]
            else:
                item()  # type: ignore[operator]
                continue
            self.commit_if_due()
        self._drained_ns = clock()

    def post(self, item: Produced | Callable[[], None]) -> None:
        """Leave something in the inbox; from any thread."""
        with self.lock:
            first = not self.inbox
            self.inbox.append(item)
            if type(item) is Produced and item.error is None:
                item.apply()
        if first:
            os.eventfd_write(self.wake, 1)
