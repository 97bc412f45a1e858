"""Sources that are sync generators: each runs in a daemon thread of its own, so that it may block."""

from __future__ import annotations

import os
import threading
from time import perf_counter_ns as clock

from .codec import encode
from .context import weight
from .slots import Call, Produced
from .turns import Burst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from .context import Context
    from .engine import Engine

CLOSE_TIMEOUT_S = 1.0


class ThreadSource:
    """Advances a generator while its slot has credit, and hands its turns to the main loop."""

    def __init__(self, engine: Engine, context: Context, generator: Generator[Any, Any, Any], number: int) -> None:
        slot = context._slot
        self._engine, self.slot, self._generator, self._number = engine, slot, generator, number
        self.burst: Burst | None = None  # in the inbox, and still open
        self._context = context
        self._condition = threading.Condition(engine.lock)
        self._stopping = False
        self._closed: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name=f"{slot.module_id}.start", daemon=True)
        self._thread.start()

    def pull(self, credit: int) -> None:
        """More credit."""
        with self._condition:
            self.slot.credit += credit
            self._condition.notify()

    def stop(self, closed: Callable[[], None]) -> None:
        """Yield no more. `closed` is called once, on the main loop: the generator is closed, or does not come back."""
        pending = [closed]

        def once() -> None:
            while pending:
                pending.pop()()

        with self._condition:
            self._closed = once
            self._stopping = True
            self._condition.notify()
        if not self._thread.is_alive():
            self._engine.post(once)
            return
        timer = threading.Timer(CLOSE_TIMEOUT_S, self._engine.post, (once,))
        timer.daemon = True
        timer.start()

    def _run(self) -> None:
        engine, slot, generator = self._engine, self.slot, self._generator
        context = self._context
        context._thread = threading.get_ident()
        engine.thread_slots[threading.get_ident()] = slot.number
        inbox_wake, lock = engine.wake, engine.lock
        call: Call | None = None
        largest = slot.max_turn_bytes
        while True:
            if (slot.credit <= 0 or self._stopping) and not self._wait():
                break
            if call is None:
                call = Call.named(slot, "start", "start", self._number)
            else:  # nobody kept it
                call.number, call._id = self._number, ""
            context._call = context._live = call
            start = clock()
            try:
                value = next(generator)
                if (
                    value is not None
                    and slot.plain
                    and not context._index
                    and slot.overlap is None
                    and "out" in slot.out
                ):
                    data = encode(value)
                    size = len(data)
                    if context._changes:
                        size += sum(weight(key, entry) for key, entry in context._changes.items())
                    first = done = False
                    with lock:
                        if slot.credit > 0 and not self._stopping and size <= largest:
                            burst = self.burst
                            if burst is None:
                                burst = self.burst = Burst(self, start)
                                first = not engine.inbox
                                engine.inbox.append(burst)
                            burst.outputs.append(data)
                            if context._changes:
                                burst.change(slot, context._changes)
                                context._changes = {}
                            slot.credit -= 1
                            self._number += 1
                            done = True
                    if done:
                        if first:
                            os.eventfd_write(inbox_wake, 1)
                        continue
                if value is not None:
                    context._output("out", value, True)
            except BaseException as error:
                self._end(context, call, error, clock() - start)
                return
            turn = Produced(call, context.take(), 1, clock() - start)
            with self._condition:
                while slot.credit <= 0 and not self._stopping:  # a recall took it back meanwhile
                    self._condition.wait()
                if self._stopping:
                    break
                slot.credit -= 1
                first = not engine.inbox
                engine.inbox.append(turn)
                self.burst = None
                turn.apply()
            call = None
            self._number += 1
            if first:
                os.eventfd_write(inbox_wake, 1)
        self._close()
        engine.post(self._closed)

    def _wait(self) -> bool:
        """Wait for credit; False when stopped."""
        if self.slot.credit <= 0 or self._stopping:
            with self._condition:
                while self.slot.credit <= 0 and not self._stopping:
                    self._condition.wait()
        return not self._stopping

    def _end(self, context: Context, call: Call, error: BaseException, busy_ns: int) -> None:
        last = Produced(call, context.take(), 0, busy_ns)
        last.finished = isinstance(error, StopIteration)
        if not last.finished:
            last.error = error
            self._close()
        if self._stopping:
            self._engine.post(self._closed)
        else:
            self._engine.post(last)

    def _close(self) -> None:
        try:
            self._generator.close()
        except BaseException as error:
            self._engine.link.log(self.slot.number, "error", f"closing the source: {error!r}")
