"""Sources that are async generators: each is advanced by a task of the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter_ns as clock

from .call import Call, Produced
from .fast import WORK_NS
from .flow import TurnTooLarge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from typing import Any

    from .context import Context
    from .event_loop import EventLoop
    from .slot import Slot

CLOSE_TIMEOUT_S = 1.0


class AsyncSource:
    """Advances an async generator while its slot has credit."""

    reserved = 1

    def __init__(
        self, event_loop: EventLoop, slot: Slot, context: Context, generator: AsyncGenerator[Any, Any], number: int
    ) -> None:
        self._slot = slot
        self._event_loop, self._context, self._generator, self._number = event_loop, context, generator, number
        context._token = event_loop.running
        self._credit, self._over = asyncio.Event(), asyncio.Event()
        self._task = event_loop.loop.create_task(self._run())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._slot.task.crashed(task)  # only now it is sure that the slot has one

    def credited(self) -> None:
        """It may yield more values."""
        self._credit.set()
        self._slot.task.notify()

    def concluded(self, _turns: int) -> None:
        """Its turn is over."""
        self._over.set()

    def stop(self, closed: Callable[[], None]) -> None:
        """Yield no more; `closed` is called when the generator is closed, or does not end in time."""
        self._task.cancel()
        self._slot.produced = deque(item for item in self._slot.produced if item.is_applied)

        async def wait() -> None:
            await asyncio.wait([self._task], timeout=CLOSE_TIMEOUT_S)
            closed()

        self._closing = self._event_loop.loop.create_task(wait())

    async def _wait(self) -> None:
        while self._slot.credit <= 0:
            self._credit.clear()
            await self._credit.wait()

    async def _hand_on(self, turn: Produced) -> None:
        """It is the slot's next turn: what it changes is seen when that comes, so the generator waits for its end."""
        turn.source, turn.is_applied = self, False
        self._over.clear()
        if not await self._slot.task.run(turn):
            await self._over.wait()

    async def _run(self) -> None:
        try:
            await self._advance()
        except asyncio.CancelledError:
            pass  # stopped
        finally:
            try:
                if hasattr(self._generator, "aclose"):
                    await self._generator.aclose()
            except BaseException as error:
                self._event_loop.engine.link.log(self._slot.number, "error", f"closing the source: {error!r}")

    async def _advance(self) -> None:
        slot, generator, context = self._slot, self._generator, self._context
        rest_at = clock() + WORK_NS
        while True:
            await self._wait()
            call = Call.named(slot, "start", "start", self._number)
            context._call = context._live = call
            self._event_loop.running.set(call)
            start, error = clock(), None
            try:
                value = await generator.__anext__()
                if value is not None:
                    context._output("out", value)
                turn = Produced(call, context.take(), 1, clock() - start)
            except asyncio.CancelledError:
                raise
            except BaseException as raised:
                error = raised
            if error is not None:
                await self._end(call, error, clock() - start)
                return
            self._number += 1
            await self._hand_on(turn)
            if clock() >= rest_at:
                await asyncio.sleep(0)
                rest_at = clock() + WORK_NS

    async def _end(self, call: Call, error: BaseException, busy_ns: int) -> None:
        """The generator has ended: well, or with an error."""
        context, ended = self._context, isinstance(error, StopAsyncIteration)
        if not ended:
            context.drop()
        try:
            last = Produced(call, context.take(), 0, busy_ns)
        except TurnTooLarge as raised:
            ended, error = False, raised
            last = Produced(call, context.take(), 0, busy_ns)
        last.finished, last.error = ended, None if ended else error
        await self._hand_on(last)
