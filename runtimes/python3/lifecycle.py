"""What the runner asks besides turns: load, wire, call hooks, give credit, recall, stop."""

from __future__ import annotations

import os

from . import children
from . import link as wire
from .codec import decode, decode_control
from .engine import Engine
from .failure import describe
from .hooks import HookCall, answer
from .link import frame
from .outside import Outside
from .slot import ConfigError, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .context import Context
    from .event_loop import EventLoop


class Lifecycle:
    """Answers every frame that is not DATA; has the engine, and an event loop once a module may await."""

    def __init__(self, engine: Engine, prints: Iterable[Any] = ()) -> None:
        self._engine, self._link, self._prints = engine, engine.link, prints
        self._event_loop: EventLoop | None = None
        engine.control = self.handle

    def run(self) -> None:
        """Serve until STOP ends the process; with an event loop from the first module on that may await."""
        self._engine.run()
        if self._event_loop is not None:
            self._event_loop.run()

    def handle(self, kind: int, number: int, count: int, first: int, body: bytes) -> None:
        """Do what one frame asks for, or queue it behind what its slot is to do before."""
        engine = self._engine
        if kind == wire.PULL:
            self._pull(engine.slots[number], count, first)
        elif kind == wire.PAUSE:
            self._pause(number, first)
        elif kind == wire.CALL:
            slot = engine.slots[number]
            engine.queue(slot, HookCall(engine, slot, first, decode_control(body), self._begin_source))
        elif kind == wire.LOAD:
            self._load(number, first, decode_control(body))
        elif kind == wire.WIRES:
            self._wire(engine.slots[number], decode(body))
        elif kind == wire.UNLOAD:
            self._unload(number)
            answer(self._link, number, first, {"ok": True})
        elif kind == wire.PING:
            self._link.write(frame(wire.PONG, first=first))
        elif kind == wire.STOP:
            self._stop()

    # -- slots

    def _load(self, number: int, request: int, load: Any) -> None:
        engine = self._engine
        slot = Slot(number, load)
        slot.outside = Outside(engine, slot)
        engine.current = number
        try:
            slot.load()
        except BaseException as error:
            engine.current = wire.ALL_SLOTS
            report = describe(error)
            if isinstance(error, ConfigError):
                report = {"type": report["type"], "message": report["message"], "config": error.field}
            slot.namespace.unload()
            answer(self._link, number, request, {"ok": False, "error": report})
            return
        engine.current = wire.ALL_SLOTS
        engine.slots[number] = slot
        children.loaded()
        if slot.is_async:
            self._need_event_loop()
        self._rewired()
        answer(self._link, number, request, {"ok": True, "hooks": list(slot.hooks)})

    def _wire(self, slot: Slot, wires: Any) -> None:
        self._cut_channels(slot)
        slot.wire(wires)
        for channel, (port, name) in slot.ins.items():
            self._engine.channels[channel] = (slot, port, name)
        self._rewired()

    def _rewired(self) -> None:
        self._engine.chains.found.clear()
        if self._event_loop is not None:
            self._event_loop.rewired = True

    def _cut_channels(self, slot: Slot) -> None:
        channels = self._engine.channels
        for channel in slot.ins:
            if channel in channels and channels[channel][0] is slot:
                del channels[channel]

    def _unload(self, number: int) -> None:
        engine = self._engine
        engine.commit()
        slot = engine.slots.pop(number, None)
        if slot is None:
            return
        slot.queue.clear()
        slot.produced.clear()
        engine.chains.found.clear()
        self._cut_channels(slot)
        slot.outside.end(self._successor(slot))
        if slot.source is not None:
            slot.source.stop(lambda: None)
        if slot.task is not None:
            slot.task.close()
        slot.namespace.unload()

    def _successor(self, slot: Slot) -> Any:
        """What the next version of a module that is unloaded does outside any turn, if it is here."""
        for other in self._engine.slots.values():
            if (other.flow_id, other.module_id) == (slot.flow_id, slot.module_id):
                return other.outside
        return None

    def _begin_source(self, slot: Slot, context: Context, generator: Any, number: int) -> Any:
        """The source that `start` has returned, whose next turn is this one."""
        if hasattr(type(generator), "__next__"):
            from .thread_source import ThreadSource

            return ThreadSource(self._engine, slot, context, generator, number)
        from .async_source import AsyncSource

        slot.is_async = True  # its turns have a task, too, before there is credit
        event_loop = self._need_event_loop()
        self._rewired()
        return AsyncSource(event_loop, slot, context, generator, number)

    def _need_event_loop(self) -> EventLoop:
        """It takes over when what is under way is over."""
        if self._event_loop is None:
            from .event_loop import EventLoop
            from .groups import regroup

            self._event_loop = EventLoop(self._engine, regroup)
        return self._event_loop

    # -- credit, recall, stop

    def _pull(self, slot: Slot, credit: int, kept: int) -> None:
        with self._engine.inbox.lock:
            slot.credit += credit
            slot.given += credit
        if credit:
            if slot.source is not None:
                slot.source.credited()
            slot.outside.credited()
        if kept:
            slot.outside.kept(kept)

    def _pause(self, number: int, request: int) -> None:
        engine = self._engine
        slots = [slot for slot in engine.slots.values() if number in (slot.number, wire.ALL_SLOTS)]

        def paused() -> None:
            engine.commit()
            self._link.write(frame(wire.PAUSED, number, first=request))

        for slot in slots:
            slot.is_held = False
        self._end_turns(slots, paused)

    def _stop(self) -> None:
        self._end_turns(list(self._engine.slots.values()), self._exit)

    def _end_turns(self, slots: list[Slot], then: Callable[[], None]) -> None:
        """Forget what has not begun, and call `then` when what has begun is over."""
        for slot in slots:
            self._engine.forget(slot)
        self._engine.drain()
        if self._event_loop is None or not self._event_loop.must_wait(slots, then):
            then()

    def _exit(self) -> None:
        """Commit and end the process: daemon threads and exit handlers of user code have no say."""
        self._engine.commit()
        for stream in self._prints:
            stream.flush_all()
        self._link.flush_logs()
        os._exit(0)
