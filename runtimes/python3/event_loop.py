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
from .engine import NAP_S
from .fast import COMMIT_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .call import Call
    from .engine import Engine
    from .slot import Slot

NAP_NS = int(NAP_S * 1e9)


class EventLoop:
    """The asyncio loop, what it reads and commits, and who waits for turns to end."""

    def __init__(self, engine: Engine, regroup: Callable[[EventLoop], None]) -> None:
        self.engine, self._regroup = engine, regroup
        self.running: ContextVar[Call | None] = ContextVar("running", default=None)
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        engine.loop, engine.running = self.loop, self.running
        self.rewired = False  # since the slots were put into groups (groups.py)
        self._waiting: list[tuple[list[Slot], Callable[[], None]]] = []
        self._checking = False
        self._committed_ns = self._drained_ns = 0

    def run(self) -> None:
        """Serve until STOP ends the process."""
        self.loop.add_reader(self.engine.link.input, self._on_input)
        self.loop.add_reader(self.engine.inbox.wake, self._on_wake)
        self._rewire()
        self.check_soon()
        while True:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:  # of a task that user code made
                self.engine.link.log(wire.ALL_SLOTS, "error", f"a task raised {error!r}")

    def _rewire(self) -> None:
        self.rewired = False
        self._regroup(self)

    def _on_input(self) -> None:
        for frame in self.engine.link.read():
            if self.rewired and frame[0] not in (wire.LOAD, wire.WIRES):  # once for as many as come together
                self._rewire()
            self.engine.handle(*frame)
        if self.rewired:
            self._rewire()
        self._check()

    def _on_wake(self) -> None:
        self.loop.remove_reader(self.engine.inbox.wake)
        nap = self._drained_ns + NAP_NS - clock()
        if nap > 0:
            self.loop.call_later(NAP_S, self._drain)
        else:
            self._drain()

    def _drain(self) -> None:
        self.engine.drain()
        self._drained_ns = clock()
        self.loop.add_reader(self.engine.inbox.wake, self._on_wake)
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
