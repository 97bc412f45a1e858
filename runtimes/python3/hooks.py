"""`start`, `stop` and `migrate`: a CALL from its arrival to its RESULT. It does not know the event loop."""

from __future__ import annotations

from types import AsyncGeneratorType, GeneratorType

from . import link as wire
from .call import Call
from .codec import encode
from .context import Context
from .failure import describe
from .store import Store
from .turn import Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .engine import Engine
    from .slot import Slot


def answer(link: wire.Link, slot: int, request: int, result: dict[str, Any]) -> None:
    """Write the RESULT of a request."""
    link.write(wire.frame(wire.RESULT, slot, encode(result), first=request))


class HookCall:
    """A CALL that waits for its turn, or has it. A slot that awaits runs it by its parts (slot_task.py)."""

    def __init__(
        self, engine: Engine, slot: Slot, request: int, arguments: dict[str, Any], begin: Callable[..., Any]
    ) -> None:
        self._engine, self._slot, self._request, self._begin = engine, slot, request, begin
        self.name: str = arguments["hook"]
        self._turns: int = arguments.get("turns", 0)  # of the slot's source so far
        self._store: Any = arguments.get("context")  # instead of what there is; None: that stays
        self.arguments = (arguments["from_version"],) if self.name == "migrate" else ()  # besides the context

    def run(self) -> None:
        """Run it for a slot that never awaits, and answer."""
        hook = self.find()
        if hook is None:
            return
        engine, turn, context = self._engine, self.turn(), self.context()
        call = turn.root
        engine.enter(context, call)
        try:
            value = hook(context, *self.arguments)
            self.check(value)
            stack: list[Call] = []
            turn.succeed(call, context.take(), 0, stack, 0)
        except BaseException as error:
            self.fail(context, error)
            return
        context._live = False
        engine.run_turn(turn, stack)
        self.end(turn, value, context)

    def find(self) -> Any:
        """The hook to run now; None when it has been answered, or waits for the slot's source to close."""
        slot = self._slot
        if self.name != "migrate" and slot.source is not None:
            source, slot.source = slot.source, None
            source.stop(lambda: self._engine.queue(slot, self))
            return None
        if self._store is not None:
            slot.store, self._store = Store(self._store), None
        if self.name == "start":
            with self._engine.inbox.lock:
                slot.given = self._turns + slot.credit
        hook = slot.hooks.get(self.name)
        if hook is None:
            self._answer({"ok": True, "source": False} if self.name == "start" else {"ok": True})
        return hook

    def turn(self) -> Turn:
        """What its sends and changes make."""
        self._engine.arm()
        return Turn(self._engine.slots, Call.named(self._slot, self.name, self.name, self._turns))

    def context(self) -> Context:
        """`start` gets one of its own: a generator goes on using it beside the turns of `run`."""
        slot = self._slot
        return Context(slot, None, slot.context._token) if self.name == "start" else slot.context

    def fail(self, context: Context, error: BaseException) -> None:
        """It has raised: nothing of it stays."""
        context.drop()
        context._live = False
        self._answer({"ok": False, "error": describe(error)})

    def check(self, value: Any) -> None:
        """Refuse what it has returned if nothing of that would run. Raises TypeError."""
        kind = type(value)
        if hasattr(kind, "__await__"):
            getattr(value, "close", bool)()
            raise TypeError(f"{self.name} has returned a {kind.__name__} that nobody awaits: make it `async def`")
        if self.name != "start" and kind in (GeneratorType, AsyncGeneratorType):
            raise TypeError(f"{self.name} is a generator: nothing of it would run")

    def end(self, turn: Turn, value: Any, context: Context) -> None:
        """Commit, answer, and begin the source that `start` returned."""
        self._engine.keep(turn, False)
        self._engine.commit()
        result: dict[str, Any] = {"ok": True}
        if self.name == "start":
            result["source"] = hasattr(type(value), "__next__") or hasattr(type(value), "__anext__")
        self._answer(result)
        if result.get("source"):
            self._slot.source = self._begin(self._slot, context, value, self._turns)

    def _answer(self, result: dict[str, Any]) -> None:
        answer(self._engine.link, self._slot.number, self._request, result)
