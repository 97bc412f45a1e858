"""A loaded module and what is on its way to it. It does not know how turns are run."""

from __future__ import annotations

from collections import deque

from .bodies import decode_array, decode_each
from .codec import HAS_COPIES, restore
from .context import Context, Store
from .flow import NULL
from .link import HEADERS, REDELIVERED
from .loader import Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .context import Outcome, Output
    from .engine import Engine

GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x200
HOOKS = ("start", "stop", "migrate")


class Out:
    """The wires of one out-port. `native`: a source's values for them are copied, not made JSON."""

    __slots__ = ("channel", "fused", "ids", "native", "port")

    def __init__(self, port: str, wiring: Mapping[str, Any]) -> None:
        self.port = port
        self.channel: int | None = wiring["channel"]
        self.ids: bool = wiring["ids"]
        self.fused: list[tuple[int, str, str]] = [tuple(target) for target in wiring["fused"]]
        self.native = HAS_COPIES and self.channel is None


class Batch:
    """A DATA frame, decoded when its first turn begins: a recall then costs nothing."""

    __slots__ = (
        "base",
        "body",
        "changes",
        "end",
        "flags",
        "headers",
        "is_whole",
        "messages",
        "port",
        "position",
        "wire",
    )

    def __init__(self, port: str, wire: str, flags: int, skip: int, count: int, first: int, body: bytes) -> None:
        self.port, self.wire, self.flags, self.body = port, wire, flags, body
        self.position, self.end, self.base = skip, skip + count, first - skip
        self.messages: list[Any] | None = None
        self.headers: list[Any] | None = None
        self.changes: dict[int, dict[str, Any]] = {}  # of a source: what the turn at this position has changed
        self.is_whole = True

    def decode(self) -> list[Any]:
        """Fill messages and headers. A message that cannot be decoded becomes a Refused."""
        body = self.body
        if self.flags & HEADERS:
            headers, _, body = body[1:-1].partition(b",\n\n")
            self.headers = decode_array(headers)
        messages = decode_array(body)
        if messages is None or len(messages) < self.end:
            messages = decode_each(body, self.end)
            self.is_whole = False
        if self.headers is not None and len(self.headers) < self.end:
            self.headers += [None] * (self.end - len(self.headers))
        self.messages, self.body = messages, b""
        return messages


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

    __slots__ = ("busy_ns", "call", "error", "finished", "outcome", "pulled", "source")

    def __init__(self, call: Call, outcome: Outcome, pulled: int, busy_ns: int = 0) -> None:
        self.call, self.outcome, self.pulled, self.busy_ns = call, outcome, pulled, busy_ns
        self.error: BaseException | None = None
        self.finished: bool | None = None  # the source ended: well, or with `error`
        self.source: Any = None  # that wants to know when it is over

    def apply(self) -> None:
        """Change the store at once (under the engine's lock): the source reads its own writes before the commit."""
        self.call.slot.apply(self.outcome[1])


class HookCall:
    """A CALL that waits for its turn."""

    __slots__ = ("arguments", "request")

    def __init__(self, request: int, arguments: dict[str, Any]) -> None:
        self.request, self.arguments = request, arguments


class Slot:
    """A loaded module: its code, wiring, context, and what waits for it."""

    def __init__(self, host: Engine, number: int, load: Mapping[str, Any]) -> None:
        self.host, self.number = host, number
        self.flow_id, self.module_id, self.config = load["flow"], load["module"], load["config"]
        self.is_fast = False
        self.short: Out | None = None
        self.kind = 0
        self.concurrency: int = load["concurrency"]
        self.retry: bool = load["retry"]
        self.max_turn_bytes: int = load["max_turn_bytes"]
        ports = load["ports"]
        self.out_ports = None if ports is None else {*ports.get("out", ()), "error"}
        self.unwired_ports = {"out"}  # of which the runner knows; that of results is nobody's mistake
        self.namespace = Namespace(load["name"], load["code"], load["files"])
        self.store = Store(load["context"])
        self.out: dict[str, Out] = {}
        self.ins: dict[int, tuple[str, str]] = {}
        self.queue: deque[Any] = deque()
        self.context = Context(self)
        self.credit = 0
        self.held = False  # a message failed and is to be tried again: input is discarded until PAUSE
        self.source: Any = None
        self.alone = 0  # sends outside any turn so far, for their ids
        self.active = 0  # turns begun and not ended, async only
        self.task: Any = None  # slot_task.py, when its turns run in the event loop
        self.handled = self.consumed = self.failed = self.pulled = self.sent = self.unwired = 0
        self.busy_ns = self.fused = 0
        self.waiting: deque[Any] = deque()  # sends outside any turn that wait for credit
        self.gates: list[Any] = []  # locks that threads wait at, for credit
        self.find_fast()

    def load(self) -> None:
        """Run the top level and find the handler and hooks."""
        module = self.namespace.load()
        self.handler: Any = getattr(module, "run", None)
        self.hooks = {name: hook for name in HOOKS if callable(hook := getattr(module, name, None))}
        if not callable(self.handler) and "start" not in self.hooks:
            raise TypeError(f"{self.namespace.name} defines neither run nor start")
        self.kind = code_flags(self.handler)
        self.is_async = any(
            code_flags(function) & (COROUTINE | ASYNC_GENERATOR) for function in (self.handler, *self.hooks.values())
        )

    def wire(self, wires: Mapping[str, Any]) -> None:
        """Take the complete wiring."""
        self.ins = {int(channel): (port, name) for channel, (port, name) in wires["in"].items()}
        self.out = {port: Out(port, wiring) for port, wiring in wires["out"].items()}
        self.find_fast()

    def by_todays_wires(self, outcome: Outcome) -> Outcome:
        """What a source has sent, waited for credit since: meanwhile the port may lead elsewhere, or not be fused."""
        sent, changes, unwired, size = outcome
        if all(self.out.get(output[0].port) is output[0] for output in sent):
            return outcome
        kept: list[Output] = []
        for then, data, headers, index in sent:
            out = self.out.get(then.port)
            if out is None:
                unwired += 1
            else:
                kept.append((out, data, headers, index))
        return kept, changes, unwired, size

    def find_fast(self) -> None:
        """Whether turns may take the short way: outputs go to pipes only and carry no ids; and a source's, to where."""
        out = self.out.get("out")
        allowed = self.out_ports is None or "out" in self.out_ports if out is None else out.channel is not None
        simple = allowed and not any(wiring.fused or wiring.ids for wiring in self.out.values())
        self.is_fast = simple and self.kind in (0, GENERATOR) and self.task is None
        one_kind = out is not None and not out.ids and (out.channel is None or not out.fused)
        self.short = out if one_kind and self.task is None else None

    def apply(self, changes: Mapping[str, Any]) -> None:
        """Change the context."""
        for key, entry in changes.items():
            self.store.put(key, entry)

    def count_sent(self, messages: int, out: Out | None) -> None:
        """So many values have left by a port."""
        if out is None:
            self.unwired += messages
        else:
            self.sent += messages

    def counts(self) -> bytes:
        """This slot's array of COMMIT; starts to count anew."""
        row = b"[%d,%d,%d,%d,%d,%d,%d,%d,%d]" % (
            self.number, self.consumed, self.handled, self.failed, self.pulled, self.sent, self.unwired,
            self.busy_ns // 1000,
            self.fused,
        )  # fmt: skip
        self.handled = self.consumed = self.failed = self.pulled = self.sent = self.unwired = 0
        self.busy_ns = self.fused = 0
        return row


def code_flags(function: Any) -> int:
    """Whether calling it makes a generator, coroutine or async generator."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None) or getattr(getattr(type(function), "__call__", None), "__code__", None)  # noqa: B004
    return code.co_flags & (GENERATOR | COROUTINE | ASYNC_GENERATOR) if code is not None else 0
