"""Sources that are sync generators: each runs in a daemon thread of its own, so that it may block."""

from __future__ import annotations

import threading
from _thread import get_ident
from time import perf_counter_ns as clock

from .call import Call, Produced
from .codec import copy_plain, encode, restore
from .fast import WORK_NS
from .source_batch import SourceBatch
from .store import weight

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from .context import Context
    from .engine import Engine
    from .slot import Slot

CLOSE_TIMEOUT_S = 1.0


class ThreadSource:
    """Advances a generator while its slot has credit, and hands its turns to the main loop."""

    reserved = 0

    def __init__(
        self, engine: Engine, slot: Slot, context: Context, generator: Generator[Any, Any, Any], number: int
    ) -> None:
        self._engine, self.slot, self._generator, self._number = engine, slot, generator, number
        self.batch: SourceBatch | None = None  # in the inbox, and still open
        self.begun_ns = clock()  # a turn, and what follows it in its batch
        self._ahead = self._most_ahead = 0  # turns in the inbox; about as many as may be there
        self._concluded_ns = 0
        self._context = context
        self._condition = threading.Condition(engine.inbox.lock)
        self._stopping = False
        self._closed: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name=f"{slot.module_id}.start", daemon=True)
        self._thread.start()

    def credited(self) -> None:
        """It may yield more values."""
        with self._condition:
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
            self._engine.inbox.post(once)
            return
        timer = threading.Timer(CLOSE_TIMEOUT_S, self._engine.inbox.post, (once,))
        timer.daemon = True
        timer.start()

    def concluded(self, turns: int) -> None:
        """So many turns are over. At most a recall's time of them is in the inbox: PAUSE waits for what was yielded."""
        now = clock()
        with self._condition:
            self._ahead -= turns
            self._most_ahead = turns * WORK_NS // (now - self._concluded_ns + 1)
            if self._ahead <= self._most_ahead // 2:
                self._condition.notify()
        self._concluded_ns = now

    def _run(self) -> None:
        self._engine.thread_slots[get_ident()] = self.slot.number
        self._context.aim_source(self._number)
        try:
            if self._wait() and self._advance():
                self._end(None)
            else:
                self._close()
                self._engine.inbox.post(self._closed)
        except BaseException as error:
            self._context.drop()
            self._end(error)
        self._context._live = False  # the next thread may get this one's number

    def _advance(self) -> bool:
        """Turn after turn; False when stopped. What only yields and changes the context goes into the open batch."""
        inbox, slot, context = self._engine.inbox, self.slot, self._context
        acquire, release = inbox.lock.acquire, inbox.lock.release  # `with` takes twice as long
        self.begun_ns = clock()
        for value in self._generator:
            out, batch = slot.short, None
            if out is not None and value is not None and not context._index:
                room, changes = slot.max_turn_bytes, context._changes
                if changes:
                    room -= sum([weight(key, entry) for key, entry in changes.items()])
                made = copy_plain(value, room) if out.native else None
                if made is None:
                    made = encode(value)
                    room -= len(made)
                    if out.native:
                        made = restore(made)
                wake = False
                acquire()
                try:
                    if room >= 0 and slot.credit > 0 and not self._stopping:
                        batch = self.batch
                        if batch is None or batch.out is not out:
                            batch = self.batch = SourceBatch(self, out, context._number, self.begun_ns)
                            wake = not inbox.items
                            inbox.items.append(batch)
                        if changes:
                            slot.apply(changes)
                            batch.changes[len(batch.outputs)] = changes
                            context._changes = {}
                        batch.outputs.append(made)
                        slot.credit -= 1
                        self._ahead += 1
                finally:
                    release()
                if wake:
                    inbox.ring()
            if batch is None and not self._hand_over(value):
                return False
            context._number += 1
            if (slot.credit <= 0 or self._ahead > self._most_ahead or self._stopping) and not self._wait():
                return False
            if self.batch is None:
                self.begun_ns = clock()
        return True

    def _hand_over(self, value: Any) -> bool:
        """The long way of a turn, when there is credit for it; False when the source was stopped before."""
        context, slot, inbox = self._context, self.slot, self._engine.inbox
        if value is not None:
            context._output("out", value)
        turn = self._produced(1)
        turn.source = self
        with self._condition:
            while slot.credit <= 0 and not self._stopping:  # a recall took it back meanwhile
                self._condition.wait()
            if self._stopping:
                return False
            slot.credit -= 1
            self._ahead += 1
            first = not inbox.items
            inbox.items.append(turn)
            self.batch = None
            turn.apply()
        if first:
            inbox.ring()
        return True

    def _produced(self, pulled: int) -> Produced:
        call = Call.named(self.slot, "start", "start", self._context._number)
        busy_ns = clock() - self.begun_ns if self.batch is None else 0  # an open batch counts it
        return Produced(call, self._context.take(), pulled, busy_ns)

    def _wait(self) -> bool:
        """Wait for credit; False when stopped."""
        with self._condition:
            while (self.slot.credit <= 0 or self._ahead > self._most_ahead) and not self._stopping:
                self._condition.wait()
        return not self._stopping

    def _end(self, error: BaseException | None) -> None:
        """The generator has ended: well, or with an error. Raises TurnTooLarge for what it changed at last."""
        last = self._produced(0)
        last.finished, last.error = error is None, error
        if error is not None:
            self._close()
        self._engine.inbox.post(self._closed if self._stopping else last)

    def _close(self) -> None:
        try:
            if hasattr(self._generator, "close"):  # an iterator of another kind need not have it
                self._generator.close()
        except BaseException as error:
            self._engine.link.log(self.slot.number, "error", f"closing the source: {error!r}")
        del self._generator  # one that has ignored that is closed once more, here, where what it changes is dropped
