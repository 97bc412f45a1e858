"""What the runner asks besides turns: load, wire, call hooks, give credit, recall, stop."""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident
from time import perf_counter_ns as clock
from types import AsyncGeneratorType, GeneratorType

from . import children
from . import link as wire
from .codec import decode, encode
from .context import Context, Store
from .failure import describe
from .flow import CreditError
from .link import frame
from .slot import Batch, Call, HookCall, Produced, Slot
from .turn import Transaction, Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections import deque
    from collections.abc import Callable
    from typing import Any

    from .context import Outcome
    from .event_loop import EventLoop

MAX_WAITING_SENDS = 1024
MAX_WAIT_S = 30.0  # of a thread for credit: it may have what a handler waits for


class Control:
    """The part of the engine that answers frames."""

    link: wire.Link
    slots: dict[int, Slot]
    channels: dict[int, tuple[Slot, str, str]]
    ready: deque[Slot]
    transaction: Transaction
    lock: LockType
    inbox: list[Any]
    prints: list[Any]  # set once by host.py
    current: int
    event_loop: EventLoop | None
    chains: dict[Any, Any]
    thread_slots: dict[int, int]
    _main: int
    commit: Callable[[], None]
    drain: Callable[[], None]
    arm: Callable[[], None]
    enter: Callable[[Context, Call], None]
    run_turn: Callable[[Turn, list[Call]], None]
    post: Callable[[Any], None]

    def run_one(self, slot: Slot, port: str, name: str, skip: int, first: int, body: bytes) -> bool:
        """Run a turn at once if that is possible (fast.py)."""
        raise NotImplementedError

    def handle(self, kind: int, flags: int, number: int, skip: int, count: int, first: int, body: bytes) -> None:
        """One frame of the runner."""
        if kind == wire.DATA:
            slot, port, name = self.channels[number]
            if slot.held:
                return
            short = count == 1 and not flags and slot.is_fast and not self.ready
            if not short or not self.run_one(slot, port, name, skip, first, body):
                self._queue(slot, Batch(port, name, flags, skip, count, first, body))
        elif kind == wire.PULL:
            self._pull(self.slots[number], count)
        elif kind == wire.PAUSE:
            self._pause(number, first)
        elif kind == wire.CALL:
            self._queue(self.slots[number], HookCall(first, decode(body)))
        elif kind == wire.LOAD:
            self._load(number, first, decode(body))
        elif kind == wire.WIRES:
            self._wire(self.slots[number], decode(body))
        elif kind == wire.UNLOAD:
            self._unload(number)
            self.result(number, first, {"ok": True})
        elif kind == wire.PING:
            self.link.write(frame(wire.PONG, first=first))
        elif kind == wire.STOP:
            if self.event_loop is not None:
                self.event_loop.stop()
            else:
                self.drain()
                self.exit()

    def exit(self) -> None:
        """Commit and end the process: daemon threads and exit handlers of user code have no say."""
        self.commit()
        for stream in self.prints:
            stream.flush_all()
        self.link.flush_logs()
        os._exit(0)

    def running_slot(self) -> int:
        """The slot whose code runs in this thread or task; 65535 when none is known."""
        ident = get_ident()
        if ident != self._main:
            return self.thread_slots.get(ident, wire.ALL_SLOTS)
        if self.event_loop is not None and (number := self.event_loop.running_slot()) is not None:
            return number
        return self.current

    def result(self, slot: int, request: int, answer: dict[str, Any]) -> None:
        """A RESULT frame."""
        self.link.write(frame(wire.RESULT, slot, encode(answer), first=request))

    def _queue(self, slot: Slot, item: Batch | HookCall) -> None:
        slot.queue.append(item)
        if self.event_loop is not None and slot.task is not None:
            slot.task.notify()
        else:
            self.ready.append(slot)

    def _load(self, number: int, request: int, load: Any) -> None:
        slot = Slot(self, number, load)  # type: ignore[arg-type]
        self.current = number
        try:
            slot.load()
        except BaseException as error:
            self.current = wire.ALL_SLOTS
            report = describe(error)
            slot.namespace.unload()
            self.result(number, request, {"ok": False, "error": report})
            return
        self.current = wire.ALL_SLOTS
        self.slots[number] = slot
        self.chains.clear()
        children.loaded()
        if slot.is_async and self.event_loop is None:
            from .event_loop import EventLoop

            self.event_loop = EventLoop(self)  # type: ignore[arg-type]
        if self.event_loop is not None:
            self.event_loop.rewired = True
        self.result(number, request, {"ok": True, "hooks": list(slot.hooks)})

    def _wire(self, slot: Slot, wires: Any) -> None:
        self._cut_channels(slot)
        slot.wire(wires)
        self.chains.clear()
        for channel, (port, name) in slot.ins.items():
            self.channels[channel] = (slot, port, name)
        if self.event_loop is not None:
            self.event_loop.rewired = True

    def _cut_channels(self, slot: Slot) -> None:
        for channel in slot.ins:
            if channel in self.channels and self.channels[channel][0] is slot:
                del self.channels[channel]

    def _unload(self, number: int) -> None:
        self.commit()
        slot = self.slots.pop(number, None)
        if slot is None:
            return
        slot.queue.clear()
        self.chains.clear()
        self._cut_channels(slot)
        self._open_gates(slot)
        if slot.source is not None:
            slot.source.stop(lambda: None)
        if slot.task is not None:
            slot.task.close()
        slot.namespace.unload()

    def _pull(self, slot: Slot, credit: int) -> None:
        if slot.source is not None:
            slot.source.pull(credit)
        else:
            with self.lock:
                slot.credit += credit
        self._open_gates(slot)
        while slot.waiting and slot.credit > 0:
            outcome, future = slot.waiting.popleft()
            self._send_alone(slot, outcome)
            if not future.done():
                future.set_result(None)

    def _open_gates(self, slot: Slot) -> None:
        """Threads that wait for credit look again."""
        with self.lock:
            gates, slot.gates = slot.gates, []
        for gate in gates:
            gate.release()

    def _pause(self, number: int, request: int) -> None:
        slots = list(self.slots.values()) if number == wire.ALL_SLOTS else [s for s in (self.slots.get(number),) if s]
        for slot in slots:
            slot.held = False
            self.forget(slot)
        self.drain()
        self.answer_pause(slots, number, request)

    def answer_pause(self, slots: list[Slot], number: int, request: int) -> None:
        """Write PAUSED, when the turns that these slots have begun are over."""

        def answer() -> None:
            self.commit()
            self.link.write(frame(wire.PAUSED, number, first=request))

        if self.event_loop is None or not self.event_loop.must_wait(slots, answer):
            answer()

    def forget(self, slot: Slot) -> None:
        """Drop the input and the credit of a slot; what it has produced and the hooks asked for stay."""
        with self.lock:
            slot.credit = 0
        kept = [item for item in slot.queue if type(item) is not Batch]
        slot.queue.clear()
        slot.queue.extend(kept)

    # -- hooks

    def run_hook(self, slot: Slot, item: HookCall) -> None:
        """Run a hook of a slot that never awaits, and answer."""
        hook = self.find_hook(slot, item)
        if hook is None:
            return
        turn = self.hook_turn(slot, item)
        call = turn.root
        context = self.hook_context(slot, item)
        self.enter(context, call)
        try:
            value = hook(context, *hook_arguments(item))
            stack: list[Call] = []
            turn.succeed(call, context.take(), 0, stack, 0)
        except BaseException as error:
            context.drop()
            context._live = False
            self.result(slot.number, item.request, {"ok": False, "error": describe(error)})
            return
        context._live = False
        self.run_turn(turn, stack)
        self.end_hook(item, turn, value, context)

    def find_hook(self, slot: Slot, item: HookCall) -> Any:
        """The hook to run now; None when it has been answered, or waits for the slot's source to close."""
        name = item.arguments["hook"]
        if name != "migrate" and slot.source is not None:
            source, slot.source = slot.source, None
            source.stop(lambda: self._queue(slot, item))
            return None
        if "context" in item.arguments:
            slot.store = Store(item.arguments.pop("context"))
        hook = slot.hooks.get(name)
        if hook is None:
            self.result(slot.number, item.request, {"ok": True, "source": False} if name == "start" else {"ok": True})
        return hook

    def hook_turn(self, slot: Slot, item: HookCall) -> Turn:
        """The turn that a hook's sends and changes make."""
        self.arm()
        name = item.arguments["hook"]
        return Turn(self.slots, Call.named(slot, name, name, item.arguments.get("turns", 0)))

    def hook_context(self, slot: Slot, item: HookCall) -> Context:
        """`start` gets a context of its own: a generator goes on using it beside the turns of `run`."""
        return Context(slot, None, slot.context._token) if item.arguments["hook"] == "start" else slot.context

    def end_hook(self, item: HookCall, turn: Turn, value: Any, context: Context) -> None:
        """Commit, answer, and begin the source that `start` returned."""
        slot = turn.root.slot
        turn.commit(self.transaction, False)
        self.commit()
        answer: dict[str, Any] = {"ok": True}
        if item.arguments["hook"] == "start":
            answer["source"] = isinstance(value, (GeneratorType, AsyncGeneratorType))
        self.result(slot.number, item.request, answer)
        if not answer.get("source"):
            return
        number = item.arguments.get("turns", 0)
        if isinstance(value, GeneratorType):
            from .thread_source import ThreadSource

            slot.source = ThreadSource(self, context, value, number)  # type: ignore[arg-type]
        elif self.event_loop is not None:
            slot.source = self.event_loop.begin_source(context, value, number)

    # -- outside any turn

    def send_alone(self, slot: Slot, outcome: Outcome) -> Any:
        """A send outside any turn, from any thread: a turn of its own that uses one credit."""
        if self.event_loop is not None and get_ident() == self._main:
            if slot.credit > 0 and not slot.waiting:
                self._send_alone(slot, outcome)
                return self.event_loop.sent(None)
            if len(slot.waiting) >= MAX_WAITING_SENDS:
                raise CreditError(f"{MAX_WAITING_SENDS} sends of {slot.module_id} wait for credit")
            future = self.event_loop.loop.create_future()
            slot.waiting.append((outcome, future))
            return self.event_loop.sent(future)
        self._send_alone(slot, outcome, 0 if get_ident() == self._main else MAX_WAIT_S)
        return None

    def _send_alone(self, slot: Slot, outcome: Outcome, wait_s: float = 0) -> None:
        """Send when there is credit. Raises CreditError if there is none in time."""
        limit = clock() + wait_s * 1e9
        while True:
            gate = allocate_lock()
            with self.lock:
                if slot.credit > 0:
                    slot.credit -= 1
                    number = slot.alone
                    slot.alone = number + 1
                    break
                gate.acquire()
                slot.gates.append(gate)
                is_here = self.slots.get(slot.number) is slot
            left_s = (limit - clock()) / 1e9
            if not is_here or left_s <= 0 or not gate.acquire(timeout=left_s):
                raise CreditError(f"no credit: the runner wants no more from {slot.module_id} now")
        self.post(Produced(Call.named(slot, "send", "send", number), outcome, 1))

    def change_alone(self, slot: Slot, changes: dict[str, Any]) -> None:
        """A context change outside any turn: a transaction without outputs. Raises TurnTooLarge."""
        outside = Context(slot)
        outside._changes = changes
        self.post(Produced(Call.named(slot, "send", "set", 0), outside.take(), 0))


def hook_arguments(item: HookCall) -> tuple[Any, ...]:
    """What a hook gets besides the context."""
    return (item.arguments["from_version"],) if item.arguments["hook"] == "migrate" else ()
