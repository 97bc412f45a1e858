"""What a module does when no turn of its own runs: in a timer, a thread, a task that goes on after its handler."""

from __future__ import annotations

from _thread import LockType, allocate_lock, get_ident
from collections import deque
from time import perf_counter_ns as clock

from .call import Call, Produced
from .context import Context
from .flow import CreditError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Generator
    from typing import Any

    from .engine import Engine
    from .slot import Slot
    from .wires import Outcome

MAX_WAITING_SENDS = 1024
MAX_WAIT_S = 30.0  # of a thread for credit: it may have what a handler waits for


class Sent:
    """What `context.send` returns on the event loop outside any turn; awaiting it waits until it is handed on."""

    __slots__ = ("_future",)

    def __init__(self, future: Future[None] | None) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, None, None]:
        if self._future is not None:
            yield from self._future.__await__()


class Outside:
    """Of one slot. Each send is a turn of its own, each change a transaction."""

    def __init__(self, engine: Engine, slot: Slot) -> None:
        self._engine, self._slot = engine, slot
        self._count = 0  # sends so far, for their ids
        self._waiting: deque[tuple[Outcome, Future[None]]] = deque()  # sends on the event loop that wait for credit
        self._gates: list[LockType] = []  # that threads wait at, for credit
        self._unsure: deque[tuple[int, LockType | Future[None]]] = deque()  # who waits for so many turns to stay

    def log(self, level: str, text: str) -> None:
        """A line of the runner's log."""
        self._engine.link.log(self._slot.number, level, text)

    def send_alone(self, outcome: Outcome) -> Any:
        """A turn of its own that uses one credit; from any thread. Raises CreditError."""
        engine, slot = self._engine, self._slot
        is_main = get_ident() == engine.main_thread
        if engine.loop is not None and is_main:
            if slot.credit > slot.reserved and not self._waiting:
                self._send(outcome)
                return Sent(None)
            if engine.slots.get(slot.number) is not slot:
                raise CreditError(f"this is an old version of {slot.module_id}: end its tasks in `stop`")
            if len(self._waiting) >= MAX_WAITING_SENDS:
                raise CreditError(f"{MAX_WAITING_SENDS} sends of {slot.module_id} wait for credit")
            future = engine.loop.create_future()
            self._waiting.append((outcome, future))
            return Sent(future)
        self._send(outcome, 0 if is_main else MAX_WAIT_S)
        return None

    def change_alone(self, changes: dict[str, Any]) -> None:
        """A context change: a transaction without outputs. Raises TurnTooLarge."""
        context = Context(self._slot)
        context._changes = changes
        self._engine.inbox.post(Produced(Call.named(self._slot, "send", "set", 0), context.take(), 0))

    def credited(self) -> None:
        """There may be more credit: who waits for it sends."""
        self._open_gates()
        while self._waiting and self._slot.credit > self._slot.reserved:
            outcome, future = self._waiting.popleft()
            self._send(outcome)
            if not future.done():
                future.set_result(None)

    def _open_gates(self) -> None:
        """Threads that wait for credit look again, also whether the slot is still there."""
        with self._engine.inbox.lock:
            gates, self._gates = self._gates, []
        for gate in gates:
            gate.release()

    def committed(self) -> Any:
        """Wait until all turns that have used credit so far stay, whatever dies. Raises RuntimeError."""
        engine, slot = self._engine, self._slot
        is_main = get_ident() == engine.main_thread
        if is_main and engine.loop is None:
            raise RuntimeError(
                "committed() would hold up its own commit: await it in an `async def`, or call it in a thread"
            )
        with engine.inbox.lock:
            if engine.slots.get(slot.number) is not slot:
                raise RuntimeError(f"{slot.module_id} has been replaced")
            until = slot.given - slot.credit
            if slot.kept >= until:
                return Sent(None) if is_main else None
            gate: Any = engine.loop.create_future() if is_main and engine.loop is not None else allocate_lock()
            self._unsure.append((until, gate))
            if not is_main:
                gate.acquire()
        if is_main:
            return Sent(gate)
        gate.acquire()
        if slot.kept < until:
            raise RuntimeError(f"{slot.module_id} has been replaced")
        return None

    def kept(self, turns: int) -> None:
        """So many stay: who waited for them goes on."""
        with self._engine.inbox.lock:
            self._slot.kept = max(turns, self._slot.kept)
            gates = []
            while self._unsure and self._unsure[0][0] <= self._slot.kept:
                gates.append(self._unsure.popleft()[1])
        for gate in gates:
            if isinstance(gate, LockType):
                gate.release()
            elif not gate.done():
                gate.set_result(None)

    def end(self, successor: Outside | None) -> None:
        """The slot is gone: what waits on the event loop is sent by the module's next version, if that is here."""
        self._open_gates()
        self._forget_unsure()
        self._hand_over(successor)

    def _forget_unsure(self) -> None:
        with self._engine.inbox.lock:
            unsure, self._unsure = self._unsure, deque()
        for _, gate in unsure:
            if isinstance(gate, LockType):
                gate.release()
            else:
                gate.cancel()

    def _hand_over(self, successor: Outside | None) -> None:
        waiting, self._waiting = self._waiting, deque()
        if successor is not None:
            successor._waiting.extendleft(reversed(waiting))
            return
        if waiting:
            self.log(
                "warning", f"it ended before {len(waiting)} of its messages, sent outside any turn, could be handed on"
            )
        for _, future in waiting:
            if not future.done():
                future.set_exception(CreditError(f"{self._slot.module_id} ended before this could be sent"))
                future.exception()  # it is seen by who waits, and by nobody else

    def _send(self, outcome: Outcome, wait_s: float = 0) -> None:
        """Send when there is credit. Raises CreditError if there is none in time."""
        engine, slot = self._engine, self._slot
        limit = clock() + wait_s * 1e9
        while True:
            gate = allocate_lock()
            with engine.inbox.lock:
                if slot.credit > slot.reserved:
                    slot.credit -= 1
                    number = self._count
                    self._count = number + 1
                    break
                gate.acquire()
                self._gates.append(gate)
                is_here = engine.slots.get(slot.number) is slot
            left_s = (limit - clock()) / 1e9
            if not is_here or left_s <= 0 or not gate.acquire(timeout=left_s):
                raise CreditError(f"no credit: the runner wants no more from {slot.module_id} now")
        engine.inbox.post(Produced(Call.named(slot, "send", "send", number), outcome, 1))
