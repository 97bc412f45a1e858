"""One message at one handler, and a turn that has no handler any more. How turns are run is not known here."""

from __future__ import annotations

from .codec import restore
from .flow import NULL
from .link import REDELIVERED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .batch import Batch
    from .slot import Slot
    from .wires import Outcome


class Call:
    """One message at one handler. On a fused wire `parent` is the call that has sent it, and `data` is its JSON."""

    __slots__ = ("_id", "data", "headers", "index", "message", "number", "parent", "port", "redelivered", "slot")

    def __init__(
        self,
        slot: Slot,
        port: str,
        message: Any,
        headers: dict[str, str] | None,
        number: int = 0,
        redelivered: bool = False,
    ) -> None:
        self.slot, self.port, self.message, self.headers = slot, port, message, headers
        self.number, self.redelivered = number, redelivered
        self.parent: Call | None = None
        self.data = b""
        self.index = 0
        self._id = ""

    @classmethod
    def fused(
        cls, slot: Slot, port: str, data: bytes, headers: dict[str, str] | None, parent: Call, index: int
    ) -> Call:
        """The call of a fused target: what is sent there by the module of `parent`."""
        call = cls(slot, port, None, headers, 0, parent.redelivered)
        call.data, call.parent, call.index = data, parent, index
        return call

    @classmethod
    def of(cls, slot: Slot, batch: Batch) -> Call:
        """The next message of a batch, which is then begun."""
        position = batch.position
        batch.position += 1
        messages = batch.messages if batch.messages is not None else batch.decode()
        headers = batch.headers[position] if batch.headers is not None else None
        call = cls(
            slot, batch.port, messages[position], headers, batch.base + position, bool(batch.flags & REDELIVERED)
        )
        if headers is not None:
            call._id = headers.pop("id", "")
        call._id = call._id or f"{batch.wire}#{call.number}"
        return call

    @classmethod
    def at(cls, slot: Slot, batch: Batch | None, position: int, message: Any) -> Call:
        """The call of a fast turn, made when it is needed after all."""
        if batch is None:
            return cls(slot, "in", message, None)
        call = cls(slot, batch.port, message, None, batch.base + position, bool(batch.flags & REDELIVERED))
        call._id = f"{batch.wire}#{call.number}"
        return call

    @classmethod
    def named(cls, slot: Slot, port: str, name: str, number: int) -> Call:
        """The root of a turn that no message began: a hook, a source, a send outside any turn."""
        call = cls(slot, port, None, None, number)
        call._id = f"{slot.module_id}.{name}#{number}"
        return call

    def argument(self) -> Any:
        """The message for the handler, which may do with it what it likes."""
        message = restore(self.data) if self.data else self.message
        return NULL if message is None else message

    @property
    def id(self) -> str:
        """The message's id; of a fused message `PARENT/MODULE.INDEX`."""
        if not self._id:
            if self.parent is not None:
                self._id = f"{self.parent.id}/{self.parent.slot.module_id}.{self.index}"
            else:  # a source's
                self._id = f"{self.slot.module_id}.{self.port}#{self.number}"
        return self._id


class Produced:
    """A finished turn of a source, or a send outside any turn: waits for the main loop to hand it on."""

    __slots__ = ("busy_ns", "call", "error", "finished", "is_applied", "outcome", "pulled", "source")

    def __init__(self, call: Call, outcome: Outcome, pulled: int, busy_ns: int = 0) -> None:
        self.call, self.outcome, self.pulled, self.busy_ns = call, outcome, pulled, busy_ns
        self.error: BaseException | None = None
        self.finished: bool | None = None  # the source ended: well, or with `error`
        self.source: Any = None  # that wants to know when it is over
        self.is_applied = True  # else its credit is taken, and what it changes is seen, when its turn comes

    def apply(self) -> None:
        """Change the store at once (under the engine's lock): the source reads its own writes before the commit."""
        self.call.slot.apply(self.outcome[1])
