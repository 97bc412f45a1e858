"""A loaded module and what is on its way to it. It does not know how turns are run."""

from __future__ import annotations

from collections import deque

from .context import Context
from .loader import Namespace
from .store import Store
from .wires import OutPort

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .context import Outside
    from .wires import Outcome, Output

GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x200
HOOKS = ("start", "stop", "migrate")
SHAPES = {"run": "(message, context)", "start": "(context)", "stop": "(context)", "migrate": "(context, from_version)"}
VARARGS = 0x04


class Slot:
    """A loaded module: its code, wiring, context, and what waits for it."""

    def __init__(self, number: int, load: Mapping[str, Any]) -> None:
        self.number = number
        self.outside: Outside  # outside.py, given when it is loaded
        self.flow_id, self.module_id, self.config = load["flow"], load["module"], load["config"]
        self.is_fast = False
        self.short: OutPort | None = None
        self.kind = 0
        self.concurrency: int = load["concurrency"]
        self.retry: bool = load["retry"]
        self.max_turn_bytes: int = load["max_turn_bytes"]
        ports = load["ports"]
        self.out_ports = None if ports is None else {*ports.get("out", ()), "error"}
        self.unwired_ports = {"out"}  # of which the runner knows; that of results is nobody's mistake
        self.namespace = Namespace(load["name"], load["code"], load["files"])
        self.store = Store(load["context"])
        self.out: dict[str, OutPort] = {}
        self.ins: dict[int, tuple[str, str]] = {}
        self.queue: deque[Any] = deque()
        self.produced: deque[Any] = deque()  # goes before the messages of the queue; only with a task
        self.context = Context(self)
        self.credit = 0
        self.given = 0  # credit so far, and the turns before this host: less `credit` it is those made
        self.may_owe = False  # one turn more than there is credit: PAUSE has taken it all meanwhile
        self.kept = 0  # of those, the ones that stay whatever dies
        self.is_held = False  # a message failed and is to be tried again: input is discarded until PAUSE
        self.source: Any = None
        self.active = 0  # turns begun and not ended, async only
        self.task: Any = None  # slot_task.py, when its turns run in the event loop
        self.handled = self.consumed = self.failed = self.pulled = self.sent = self.unwired = 0
        self.busy_ns = self.fused = 0
        self.find_fast()

    @property
    def reserved(self) -> int:
        """Credit that only the source may use: an async one is at a value."""
        return self.source.reserved if self.source is not None else 0

    def load(self) -> None:
        """Run the top level and find the handler and hooks."""
        module = self.namespace.load()
        self.handler: Any = getattr(module, "run", None)
        self.hooks = {name: hook for name in HOOKS if callable(hook := getattr(module, name, None))}
        if not callable(self.handler) and "start" not in self.hooks:
            raise TypeError(f"{self.namespace.name} defines neither run nor start")
        for name, function in (("run", self.handler), *self.hooks.items()):
            check_shape(name, function)
        if callable(check_config := getattr(module, "check_config", None)):
            refuse_config(check_config(self.config))
        self.kind = code_flags(self.handler)
        self.is_async = any(
            code_flags(function) & (COROUTINE | ASYNC_GENERATOR) for function in (self.handler, *self.hooks.values())
        )

    def wire(self, wires: Mapping[str, Any]) -> None:
        """Take the complete wiring."""
        self.ins = {int(channel): (port, name) for channel, (port, name) in wires["in"].items()}
        self.out = {port: OutPort(port, wiring) for port, wiring in wires["out"].items()}
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
        """Change the context: key -> entry, or ABSENT for one that is deleted."""
        for key, entry in changes.items():
            self.store.put(key, entry)

    def count_sent(self, messages: int, out: OutPort | None) -> None:
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


class ConfigError(ValueError):
    """What `check_config` has found wrong; `field` is the first one."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def refuse_config(wrong: Any) -> None:
    """Raise what is wrong with a config: the field, `to` or `to.hot`, and the end of a sentence about it."""
    if wrong is not None and not isinstance(wrong, dict):
        getattr(wrong, "close", bool)()
        raise TypeError(f"check_config has given a {type(wrong).__name__}, no dict of what is wrong")
    if wrong:
        raise ConfigError(
            str(next(iter(wrong))), "; ".join(f"`config.{field}` {text}" for field, text in wrong.items())
        )


def check_shape(name: str, function: Any) -> None:
    """Refuse a plain function that no call of the host fits; of other callables only a call says."""
    if type(function) is not type(check_shape):
        return
    code, count = function.__code__, SHAPES[name].count(",") + 1
    least = code.co_argcount - len(function.__defaults__ or ())
    wants_names = code.co_kwonlyargcount > len(function.__kwdefaults__ or ())
    if wants_names or not least <= count or not (count <= code.co_argcount or code.co_flags & VARARGS):
        names = ", ".join(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        raise TypeError(f"{name} is called with {SHAPES[name]}, but takes ({names})")


def code_flags(function: Any) -> int:
    """Whether calling it makes a generator, coroutine or async generator."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None) or getattr(getattr(type(function), "__call__", None), "__code__", None)  # noqa: B004
    return code.co_flags & (GENERATOR | COROUTINE | ASYNC_GENERATOR) if code is not None else 0
