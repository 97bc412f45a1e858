"""The host's heart: frames in, turns, transactions out. Its own loop is for sync modules; overlap.py adds asyncio."""

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
from .codec import FAST, MIN_DEEP_BYTES, Refused, encode, encode_checked, encode_suspect, fast_dumps, is_wide, loads
from .context import weight
from .control import Control
from .flow import NULL, TurnTooLarge
from .slots import Batch, Call, Produced, Slot
from .turns import Transaction, Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .context import Context
    from .overlap import Overlap

COMMIT_BYTES = 64 << 10
WORK_NS = 10_000_000
NAP_S = 0.001


class Engine(Control):
    """All slots of this host and the loop that serves them."""

    def __init__(self, link: wire.Link) -> None:
        self.link = link
        self.slots: dict[int, Slot] = {}
        self.channels: dict[int, tuple[Slot, str, str]] = {}
        self.ready: deque[Slot] = deque()  # a slot once per item of its queue
        self.transaction = Transaction()
        self.deadline = 0  # when the transaction is to be committed and the input looked at
        self.lock = allocate_lock()  # of inbox and credit
        self.inbox: list[Produced | Callable[[], None]] = []
        self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.thread_slots: dict[int, int] = {}
        self.current = wire.ALL_SLOTS
        self.overlap: Overlap | None = None
        self._main = get_ident()
        self._drained_ns = 0
        self._now = 0  # after the latest turn of run_one
        self.input_poll = select.epoll()
        self.input_poll.register(link.input, select.EPOLLIN)
        link.wake = lambda: os.eventfd_write(self.wake, 1)

    def run(self) -> None:
        """Serve until an async module is loaded; then overlap.py takes over for good."""
        poller = select.epoll()
        poller.register(self.link.input, select.EPOLLIN)
        poller.register(self.wake, select.EPOLLIN)
        poll, ready, transaction, read, handle = poller.poll, self.ready, self.transaction, self.link.read, self.handle
        events: Any
        while self.overlap is None:
            if ready:
                self.work()
            events = poll(0) if ready or transaction.touched or self.inbox else ()
            if transaction.touched and (not events or clock() >= self.deadline or transaction.size >= COMMIT_BYTES):
                self.commit()
            if not events:
                if ready:
                    continue
                self.link.flush_logs()
                if thread_count() == 0:  # nobody can wake us: a plain read is much cheaper
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

    def _run_batch(self, slot: Slot, batch: Batch) -> None:
        if slot.kind == 0 and slot.plain and not batch.flags & (wire.HEADERS | wire.TURN_FLAG):
            if batch.messages is None:
                batch.decode()
            if batch.plain:
                self._run_plain(slot, batch)
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

    def _run_plain(self, slot: Slot, batch: Batch) -> None:  # noqa: PLR0915  (the hot loop, unrolled on purpose)
        """Turns of a plain function with nothing fused behind it: no object is made for each message."""
        messages: Any = batch.messages
        context, handler, transaction = slot.context, slot.handler, self.transaction
        out = slot.out.get("out")
        outputs: list[bytes] = [] if out is None else transaction.outputs.setdefault(out.channel, [])  # type: ignore[arg-type]
        position = begun = batch.position
        end, limit, deadline = batch.end, slot.max_turn_bytes, self.deadline
        size = sent = unwired = 0
        room = COMMIT_BYTES - transaction.size
        context.aim(batch)
        context._live = True
        self.current = slot.number
        transaction.touched[slot.number] = slot
        start = stop = clock()  # the time between two turns is so small that it counts as the handler's
        for message in messages[position:end]:
            if message is None:
                message = NULL
            context._number = position
            position += 1
            data, length = None, 0
            try:
                value = handler(message, context)
                stop = clock()
                if value is None:
                    pass
                elif out is None:
                    if type(value) is GeneratorType:
                        drain_generator(value, context)
                        value = None
                else:
                    try:  # codec.encode, without the call
                        data = fast_dumps(value, None, FAST)
                    except (TypeError, RecursionError):
                        if type(value) is GeneratorType:
                            drain_generator(value, context)
                            value = None
                        else:
                            data = encode_checked(value)
                            length = len(data)
                    else:
                        length = len(data)
                        if (
                            36 in data
                            or length >= MIN_DEEP_BYTES
                            or (45 in data and data.count(b"-") > 3)
                            or data.replace(b"null", b"") is not data
                        ):
                            data = encode_suspect(value, data)
                            length = len(data)
                if context._index or context._changes or length > limit:
                    size += self._keep(slot, length)
                    room = COMMIT_BYTES - transaction.size
            except BaseException as error:
                stop = clock()
                context.take()
                context._live = False
                slot.consumed += position - 1 - begun
                slot.handled += position - 1 - begun
                begun = position
                turn = Turn(self.slots, Call.at(slot, batch, position - 1, message))
                turn.fail(turn.root, error, stop - start)
                start = stop
                batch.position = position
                transaction.size += size
                size = 0
                slot.sent += sent
                slot.unwired += unwired
                sent = unwired = 0
                self.end_turn(turn, True)
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
            elif value is not None:
                unwired += 1
            if stop >= deadline or size >= room:
                break
        context._live = False
        batch.position = position
        transaction.size += size
        slot.consumed += position - begun
        slot.handled += position - begun
        slot.sent += sent
        slot.unwired += unwired
        slot.busy_ns += stop - start

    def run_one(self, slot: Slot, port: str, name: str, skip: int, first: int, body: bytes) -> bool:
        """A frame of one small message for a plain function, without any queue: this is the round trip that counts.

        False: not done, it has to take the long way.
        """
        transaction = self.transaction
        if len(body) >= MIN_DEEP_BYTES or 36 in body or (transaction.touched and self._now >= self.deadline):
            return False
        try:
            message = loads(body)[skip]
        except Exception:
            return False
        if is_wide(body):
            return False
        if message is None:
            message = NULL
        context = slot.context
        context._call = None
        context._wire, context._base, context._number = name, first, 0
        context.port, context.redelivered = port, False
        self.current = slot.number
        start = clock()
        if not transaction.touched:
            self.deadline = start + WORK_NS
        out, data, value = slot.out.get("out"), None, None
        context._live = True
        try:
            value = slot.handler(message, context)
            self._now = stop = clock()
            if type(value) is GeneratorType:
                value = drain_generator(value, context)  # type: ignore[func-returns-value]
            elif value is not None and out is not None:
                data = encode(value)
            if context._index or context._changes or (data is not None and len(data) > slot.max_turn_bytes):
                self._keep(slot, len(data) if data is not None else 0)
        except BaseException as error:
            context.take()
            context._live = False
            batch = Batch(port, name, 0, 0, 1, first, b"")
            turn = Turn(self.slots, Call.at(slot, batch, 0, message))
            turn.fail(turn.root, error, clock() - start)
            self.end_turn(turn, True)
            return True
        context._live = False
        transaction.touched[slot.number] = slot
        slot.consumed += 1
        slot.handled += 1
        slot.busy_ns += stop - start
        if data is not None:
            slot.sent += 1
            transaction.size += len(data)
            transaction.outputs.setdefault(out.channel, []).append(data)  # type: ignore[union-attr, arg-type]
        elif value is not None:
            slot.unwired += 1
        return True

    def _keep(self, slot: Slot, result_bytes: int) -> int:
        """Move a plain turn's sends and changes to the transaction; returns their bytes."""
        context, transaction, number = slot.context, self.transaction, slot.number
        if context._changes and not context._index:
            size = result_bytes
            for key, entry in context._changes.items():
                size += weight(key, entry)
            if size > slot.max_turn_bytes:
                raise TurnTooLarge(f"outputs exceed {slot.max_turn_bytes} bytes")
            for key, entry in context._changes.items():
                slot.store.put(key, entry)
                transaction.changes[number, key] = entry
            context._changes.clear()
            return size - result_bytes
        turn = Turn(self.slots, Call.at(slot, None, 0, None))
        outcome = context.take()
        turn.succeed(turn.root, (*outcome[:3], outcome[3] + result_bytes), 0, [], 0)
        turn.commit(transaction, False)
        return -result_bytes

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
                value = call.slot.handler(NULL if call.message is None else call.message, context)
                if value is not None:
                    if type(value) is GeneratorType:
                        drain_generator(value, context)
                    else:
                        context._output("out", value, False)
                busy = clock() - start
                turn.succeed(call, context.take(), busy, stack)
            except BaseException as error:
                context.take()
                turn.fail(call, error, clock() - start)
                if isinstance(error, TurnTooLarge):
                    stack.clear()
            context._live = False

    def enter(self, context: Context, call: Call) -> None:
        """A handler is about to run."""
        context._call = context._live = call
        context.port, context.redelivered = call.port, call.redelivered
        self.current = call.slot.number

    def end_turn(self, turn: Turn, from_data: bool) -> None:
        """A root turn has ended: to the transaction with it, or hold its message."""
        slot = turn.root.slot
        if from_data and turn.root_error is not None and slot.retry:
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
        if slot.overlap is not None:
            slot.queue.append(item)
            slot.overlap.notify()
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
            turn.adopt(item.undo)
            handled = 1 if item.pulled and item.call.port == "start" else 0
            turn.succeed(item.call, item.outcome, item.busy_ns, stack, handled, applied=True)
        except BaseException as error:
            turn.fail(item.call, error, item.busy_ns)
            return False
        return True

    def conclude(self, item: Produced, turn: Turn) -> None:
        """The turn of a source has ended; perhaps the source, too."""
        slot = item.call.slot
        turn.commit(self.transaction, False)
        slot.pulled += item.pulled
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
            if type(item) is Produced:
                self.hand_on(item)
                if clock() >= self.deadline or self.transaction.size >= COMMIT_BYTES:
                    self.commit()
            else:
                item()  # type: ignore[operator]
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


def drain_generator(values: Any, context: Context) -> None:
    """Send every value of a generator."""
    for value in values:
        if value is not None:
            context._output("out", value, True)
