"""The turns of a slot that may await: a task takes its input in order and runs them."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns as clock
from types import AsyncGeneratorType, GeneratorType

from . import link as wire
from .batch import Batch
from .bodies import Refused
from .call import Call, Produced
from .context import Context
from .fast import COMMIT_BYTES, drain_generator
from .hooks import HookCall
from .turn import Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .event_loop import EventLoop
    from .slot import Slot


class SlotTask:
    """One slot's turns; with `concurrency` several overlap and end in the order they began."""

    def __init__(self, event_loop: EventLoop, slot: Slot) -> None:
        self._event_loop, self._engine, self._slot = event_loop, event_loop.engine, slot
        self.lock = asyncio.Lock()
        self._behind: list[SlotTask] | None = None  # tasks fused behind this one, in the order of locking
        self._places: dict[int, int] = {}  # of all slots in that order
        self._wakeup: asyncio.Future[None] | None = None
        self._contexts: list[Context] = []
        self._last: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._generation = 0
        self._closed = False

    def start(self) -> None:
        """Serve the slot in a task of its own, from the loop's next turn on."""
        self._task = self._event_loop.loop.create_task(self._serve())
        self._task.add_done_callback(self.crashed)

    def crashed(self, task: asyncio.Task[None]) -> None:
        """An error here is the host's own: nothing after it can be trusted."""
        if not self._closed and not task.cancelled() and (error := task.exception()) is not None:
            import os
            import traceback

            os.write(2, "".join(traceback.format_exception(error)).encode())
            os._exit(1)

    def close(self) -> None:
        """The slot is unloaded."""
        self._closed = True
        for task in (self._task, *self._tasks):
            task.cancel()

    def regrouped(self, places: dict[int, int]) -> None:
        """Wires have changed: what is fused behind it is found anew."""
        self._behind, self._places = None, places

    def notify(self) -> None:
        """Something was queued, or a turn has ended."""
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    def is_idle(self) -> bool:
        """Whether no turn is under way here and none was produced."""
        return self._is_free() and not any(item.is_applied for item in self._slot.produced)

    def _is_free(self) -> bool:
        return not self._slot.active and not self.lock.locked()

    def put(self, item: Produced) -> None:
        """The slot's next turn, before messages that have not begun: at once, if it waits for nothing."""
        slot, engine = self._slot, self._engine
        slot.produced.append(item)
        if self._next() is not item or not self._is_free() or self._find_behind():
            self.notify()
            return
        slot.produced.popleft()
        turn = Turn(engine.slots, item.call)
        engine.arm()
        engine.absorb(item, turn, [])
        engine.keep(turn, False)
        engine.commit_if_due()
        self._event_loop.check_soon()

    def _next(self) -> Batch | HookCall | Produced | None:
        """What is to be done next; None when there is nothing, or when a message waits for what waits for credit."""
        slot = self._slot
        produced, queued = slot.produced[0] if slot.produced else None, slot.queue[0] if slot.queue else None
        if produced is None or type(queued) is HookCall:
            return queued
        owes = slot.may_owe and queued is not None
        return produced if produced.is_applied or produced.pulled <= slot.credit or owes else None

    async def _wait(self) -> None:
        self._wakeup = self._event_loop.loop.create_future()
        self._event_loop.check_soon()
        await self._wakeup
        self._wakeup = None

    async def _serve(self) -> None:
        slot, engine = self._slot, self._engine
        while True:
            item = self._next()
            if item is None:
                await self._wait()
                continue
            if type(item) is Batch and item.position >= item.end:
                slot.queue.popleft()
                continue
            announced = type(item) is not Batch or bool(item.flags & wire.TURN_FLAG)
            if slot.active and (announced or slot.active >= slot.concurrency):
                await self._wait()
                continue
            engine.arm()
            if type(item) is Batch and slot.concurrency > 1 and not announced:
                self._begin(Call.of(slot, item))
            else:
                await self._turn(item)
            await self._rest()

    async def run(self, item: Produced) -> bool:
        """What the slot's async source has yielded, in its task; False: something is before it, it comes later."""
        self._slot.produced.append(item)
        if self._next() is not item or not self._is_free():
            self.notify()
            return False
        self._engine.arm()
        await self._turn(item)
        self.notify()
        await self._rest()
        return True

    async def _turn(self, item: Batch | HookCall | Produced) -> None:
        """One turn that nothing of the slot overlaps, unless it is recalled meanwhile."""
        slot = self._slot
        async with self.lock:
            if self._next() is not item:
                return
            slot.active += 1
            await self._take(item)
            slot.active -= 1
        self._event_loop.running.set(None)
        self._event_loop.ended()

    async def _rest(self) -> None:
        """Commit when it is time."""
        if clock() >= self._engine.deadline or self._engine.transaction.size >= COMMIT_BYTES:
            self._event_loop.commit()
            await asyncio.sleep(0)
        else:
            self._event_loop.check_soon()

    async def _take(self, item: Batch | HookCall | Produced) -> None:
        """One turn, whatever began it."""
        slot, engine = self._slot, self._engine
        stack: list[Call] = []
        if isinstance(item, Batch):
            announced = item.flags & wire.TURN_FLAG
            if announced:
                engine.commit()
                engine.link.write(wire.frame(wire.TURN, slot.number, first=item.base + item.position))
            turn = Turn(engine.slots, Call.of(slot, item))
            await self._invoke(turn, turn.root, slot.context, stack)
            await self._run_fused(turn, stack)
            engine.end_turn(turn, True)
            if announced:
                engine.commit()
            return
        if isinstance(item, HookCall):
            slot.queue.popleft()
            await self._run_hook(item, stack)
            return
        slot.produced.popleft()
        turn = Turn(engine.slots, item.call)
        if engine.absorb(item, turn, stack):
            await self._run_fused(turn, stack)
        engine.keep(turn, False)

    def _begin(self, call: Call) -> None:
        """A turn that may overlap others of this slot."""
        self._slot.active += 1
        before, self._last = self._last, self._event_loop.loop.create_future()
        task = self._event_loop.loop.create_task(self._run_beside(call, before, self._last, self._generation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self.crashed)

    async def _run_beside(
        self, call: Call, before: asyncio.Future[None] | None, done: asyncio.Future[None], generation: int
    ) -> None:
        slot = self._slot
        context = self._contexts.pop() if self._contexts else Context(slot, None, self._event_loop.running)
        turn = Turn(self._engine.slots, call)
        stack: list[Call] = []
        await self._invoke(turn, call, context, stack)
        self._contexts.append(context)
        if before is not None:
            await before
        if generation == self._generation:  # else a turn before it is held, and this one was forgotten
            self._engine.arm()
            await self._run_fused(turn, stack)
            if turn.root_failed and slot.retry:
                self._generation += 1
            self._engine.end_turn(turn, True)
        done.set_result(None)
        slot.active -= 1
        self._event_loop.ended()
        self._event_loop.check_soon()
        self.notify()

    async def _run_fused(self, turn: Turn, stack: list[Call]) -> None:
        """What is fused behind the root, under the locks of all it can reach."""
        if not stack:
            return
        tasks = self._find_behind()
        for task in tasks:
            await task.lock.acquire()
        try:
            while stack:
                produced = stack[-1].slot.produced
                if produced:  # it goes before this message, and whatever becomes of one becomes of both
                    self._engine.absorb(produced.popleft(), turn, stack)
                    continue
                call = stack.pop()
                await self._invoke(turn, call, call.slot.context, stack)
        finally:
            for task in tasks:
                task.lock.release()

    def _find_behind(self) -> list[SlotTask]:
        if self._behind is not None:
            return self._behind
        slots, found, stack = self._engine.slots, dict[int, SlotTask](), [self._slot]
        while stack:
            for out in stack.pop().out.values():
                for target, _, _ in out.fused:
                    if target not in found:
                        found[target] = slots[target].task
                        stack.append(slots[target])
        self._behind = [found[number] for number in sorted(found, key=self._places.__getitem__)]
        return self._behind

    async def _invoke(self, turn: Turn, call: Call, context: Context, stack: list[Call]) -> None:
        """One handler, to its end."""
        if type(call.message) is Refused:
            turn.fail(call, call.message.error, 0)
            return
        self._engine.enter(context, call)
        self._engine.current = wire.ALL_SLOTS
        self._event_loop.running.set(call)
        start = clock()
        try:
            value = call.slot.handler(call.argument(), context)
            if value is not None:
                if type(value) is GeneratorType:
                    drain_generator(value, context)
                elif call.slot.is_async:
                    await _send_result(value, context)
                else:
                    context._output("out", value)
            turn.succeed(call, context.take(), clock() - start, stack)
        except BaseException as error:
            if self._closed:
                raise
            context.drop()
            turn.fail(call, error, clock() - start)
        context._live = False

    async def _run_hook(self, item: HookCall, stack: list[Call]) -> None:
        engine = self._engine
        hook = item.find()
        if hook is None:
            return
        turn, context = item.turn(), item.context()
        call = turn.root
        engine.enter(context, call)
        engine.current = wire.ALL_SLOTS
        self._event_loop.running.set(call)
        try:
            value: Any = hook(context, *item.arguments)
            if self._slot.is_async and hasattr(type(value), "__await__"):
                value = await value
            item.check(value)
            turn.succeed(call, context.take(), 0, stack, 0)
        except BaseException as error:
            if self._closed:
                raise
            item.fail(context, error)
            return
        context._live = False
        await self._run_fused(turn, stack)
        item.end(turn, value, context)


async def _send_result(value: Any, context: Context) -> None:
    """Send what an async module's handler returned, which may have to be awaited."""
    kind = type(value)
    if kind is AsyncGeneratorType:
        async for item in value:
            if item is not None:
                context._output("out", item)
    elif hasattr(kind, "__await__"):
        value = await value
        if value is not None:
            context._output("out", value)
    else:
        context._output("out", value)
