"""Async modules: the engine driven by an asyncio loop. Imported when the first one is loaded.

A slot that may await, and every slot joined to it by fused wires, gets a task (slot_task.py), which takes its input in
order. A root turn holds its own slot's lock from the start, and takes those of all that is behind it in topological
order when its handler has ended; so no two turns deadlock, and none sees what another may still roll back.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from time import perf_counter_ns as clock

from . import link as wire
from .async_source import AsyncSource
from .engine import NAP_S
from .fast import COMMIT_BYTES
from .slot import Call
from .slot_task import SlotTask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from typing import Any

    from .context import Context
    from .engine import Engine
    from .slot import Slot

NAP_NS = int(NAP_S * 1e9)


class Sent:
    """What `context.send` returns on the event loop outside any turn; awaiting it waits until it is handed on."""

    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[None] | None) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, None, None]:
        if self._future is not None:
            yield from self._future.__await__()


class EventLoop:
    """The event loop and the tasks of the slots that need one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.running: ContextVar[Call | None] = ContextVar("running", default=None)
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.order: dict[int, int] = {}
        self.rewired = False  # since the last regroup
        self._waiting: list[tuple[list[Slot], Callable[[], None]]] = []
        self._checking = False
        self._committed_ns = self._drained_ns = 0

    def run(self) -> None:
        """Serve for ever."""
        self.loop.add_reader(self.engine.link.input, self._on_input)
        self.loop.add_reader(self.engine.wake, self._on_wake)
        self.regroup()
        self.check_soon()
        while True:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:  # of a task that user code made
                self.engine.link.log(wire.ALL_SLOTS, "error", f"a task raised {error!r}")

    def _on_input(self) -> None:
        for frame in self.engine.link.read():
            if self.rewired and frame[0] not in (wire.LOAD, wire.WIRES):  # once for as many as come together
                self.regroup()
            self.engine.handle(*frame)
        if self.rewired:
            self.regroup()
        self._check()

    def _on_wake(self) -> None:
        self.loop.remove_reader(self.engine.wake)
        nap = self._drained_ns + NAP_NS - clock()
        if nap > 0:
            self.loop.call_later(NAP_S, self._drain)
        else:
            self._drain()

    def _drain(self) -> None:
        self.engine.drain()
        self._drained_ns = clock()
        self.loop.add_reader(self.engine.wake, self._on_wake)
        self._check()

    def check_soon(self) -> None:
        """Look at the transaction, and at what waits for sync slots, in the next round of the loop."""
        if not self._checking:
            self._checking = True
            self.loop.call_soon(self._check_again)

    def _check_again(self) -> None:
        self._checking = False
        self._check()

    def _check(self) -> None:
        engine = self.engine
        if engine.ready:
            engine.work()
            engine.current = wire.ALL_SLOTS
        transaction = engine.transaction
        if transaction.touched:
            now = clock()
            due = now >= engine.deadline or transaction.size >= COMMIT_BYTES
            if due or not (engine.ready or engine.input_poll.poll(0)):
                if not due and now - self._committed_ns < NAP_NS and self._is_busy():
                    self.loop.call_later(NAP_S, self.check_soon)
                    return
                self.commit()
        engine.link.flush_logs()
        if engine.ready or transaction.touched:
            self.check_soon()

    def _is_busy(self) -> bool:
        return any(slot.queue for slot in self.engine.slots.values() if slot.task is not None)

    def commit(self) -> None:
        """Write the transaction now."""
        self.engine.commit()
        self._committed_ns = clock()

    def running_slot(self) -> int | None:
        """The slot of the running task's turn."""
        call = self.running.get()
        return call.slot.number if call is not None else None

    def sent(self, future: asyncio.Future[None] | None) -> Sent:
        """The awaitable of a send outside any turn."""
        return Sent(future)

    def regroup(self) -> None:
        """Give tasks to the slots that need one; find the order in which locks are taken."""
        self.rewired = False
        slots = self.engine.slots
        group = {number: number for number in slots}

        def find(number: int) -> int:
            while group[number] != number:
                group[number] = number = group[group[number]]
            return number

        order: list[int] = []
        seen: set[int] = set()
        for root in sorted(slots):
            stack = [(root, False)]
            while stack:
                number, done = stack.pop()
                if done:
                    order.append(number)
                elif number not in seen:
                    seen.add(number)
                    stack.append((number, True))
                    for target in targets(slots[number]):
                        if target in slots:
                            group[find(number)] = find(target)
                            stack.append((target, False))
        self.order = {number: -index for index, number in enumerate(order)}
        needed = {find(number) for number, slot in slots.items() if slot.is_async}
        for number, slot in slots.items():
            if slot.task is None and find(number) in needed:
                slot.task = SlotTask(self, slot)
                slot.find_fast()
                slot.context._token = self.running
                slot.task.start()
            if slot.task is not None:
                slot.task.behind = None

    def must_wait(self, slots: list[Slot], answer: Callable[[], None]) -> bool:
        """Whether some of these slots have turns under way; if so `answer` is called when they are over."""
        if self._is_idle(slots):
            return False
        self._waiting.append((slots, answer))
        return True

    def _is_idle(self, slots: list[Slot]) -> bool:
        return all(slot.task is None or slot.task.is_idle() for slot in slots)

    def ended(self) -> None:
        """A turn has ended: answer who waited for it."""
        for entry in self._waiting[:]:
            if self._is_idle(entry[0]):
                self._waiting.remove(entry)
                entry[1]()

    def stop(self) -> None:
        """STOP: exit when the turns begun are over."""
        engine = self.engine
        slots = list(engine.slots.values())
        for slot in slots:
            engine.forget(slot)
        engine.drain()
        if not self.must_wait(slots, engine.exit):
            engine.exit()

    def begin_source(self, context: Context, generator: AsyncGenerator[Any, Any], number: int) -> AsyncSource:
        """Run the async generator that `start` returned."""
        return AsyncSource(self, context, generator, number)


def targets(slot: Slot) -> list[int]:
    """The slots fused directly behind one."""
    return [target for out in slot.out.values() for target, _, _ in out.fused]
