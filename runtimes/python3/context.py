"""What user code sees of a turn: the `context` argument. It knows its slot, not the host's loop.

By value: `set` encodes (scalars are immutable and kept as they are), `get` of a container decodes afresh.
A handler's sends and changes are kept here until it has ended.
"""

from __future__ import annotations

from _thread import get_ident

from .checking import MAX_INT, MIN_INT
from .codec import encode, own_copy, restore
from .flow import NULL, ContextError, PortError, TurnTooLarge
from .link import REDELIVERED
from .store import ABSENT, MAX_STORE_BYTES, MAX_VALUE_BYTES, weight

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import ContextVar
    from typing import Any, Protocol

    from .batch import Batch
    from .store import Store
    from .wires import Outcome, OutPort, Output

    class Message(Protocol):
        """What a context asks of a call (call.py)."""

        headers: dict[str, str] | None

        @property
        def id(self) -> str:
            """Of the message."""

    class Outside(Protocol):
        """What a module does when no turn of its own runs (outside.py)."""

        def send_alone(self, outcome: Outcome) -> Any:
            """A turn of its own."""

        def change_alone(self, changes: dict[str, Any]) -> None:
            """A transaction of its own."""

        def log(self, level: str, text: str) -> None:
            """A line of the runner's log."""

        def credited(self) -> None:
            """There may be more credit."""

        def committed(self) -> Any:
            """Wait for what has left so far."""

        def kept(self, turns: int) -> None:
            """So many turns stay."""

        def end(self, successor: Any) -> None:
            """The slot is gone; what the next version does outside of turns, or None."""

    class Module(Protocol):
        """What a context asks of its slot (slot.py)."""

        module_id: str
        flow_id: str
        config: Any
        concurrency: int
        max_turn_bytes: int
        store: Store
        out: dict[str, OutPort]
        out_ports: set[str] | None
        unwired_ports: set[str]
        outside: Outside


MAX_HEADERS_BYTES = 4096
MAX_UNWIRED_PORTS = 64  # that are named


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """A copy of a user's headers. Raises ValueError for what the protocol does not carry."""
    result = dict(headers)
    for key, value in result.items():
        if not isinstance(key, str) or not (key in ("client", "traceparent") or key.startswith("x-")):
            raise ValueError(f"header {key!r}: only client, traceparent and x-* exist")
        if not isinstance(value, str):
            raise ValueError(f"header {key!r} is not a string")
    if len(encode(result)) > MAX_HEADERS_BYTES:
        raise ValueError(f"headers exceed {MAX_HEADERS_BYTES} bytes")
    return result


class Context:
    """The context of a module, as INTERFACES names it."""

    __slots__ = (
        "_base", "_bytes", "_call", "_changes", "_index", "_live", "_number", "_root", "_sent", "_slot", "_thread",
        "_token", "_unwired", "_wire", "flow_id", "module_id", "port", "redelivered",
    )  # fmt: skip

    def __init__(self, slot: Module, thread: int | None = None, token: ContextVar[Any] | None = None) -> None:
        self._slot = slot
        self._thread = thread or get_ident()
        self._token = token
        self._live: Any = False  # or the running Call; True in the engine's short way
        self._call: Message | None = None
        self._wire, self._base, self._number = "", 0, 0
        self._root: Context | None = None
        self._sent: list[Output] = []
        self._changes: dict[str, Any] = {}
        self._index = self._unwired = self._bytes = 0
        self.module_id, self.flow_id = slot.module_id, slot.flow_id
        self.port, self.redelivered = "in", False

    # -- for user code

    @property
    def message_id(self) -> str:
        """The id of the message; stable over redeliveries."""
        if self._call is not None:
            return self._call.id
        if self._root is not None:
            return self._root.message_id + self._wire
        return f"{self._wire}#{self._base + self._number}"

    @property
    def config(self) -> Any:
        """The module's `config`, a container as a copy."""
        return own_copy(self._slot.config)

    @property
    def headers(self) -> dict[str, str]:
        """A copy of the message's headers; empty outside a turn."""
        return dict(self._call.headers) if self._call is not None and self._call.headers else {}

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, a container as a copy."""
        entry = self._changes.get(key, self) if self._changes else self
        if entry is self:
            entry = self._slot.store.entries.get(key, ABSENT)
        if entry is ABSENT:
            return default
        return restore(entry) if type(entry) is bytes else entry

    def keys(self) -> list[str]:
        """All keys, those that this turn has set included."""
        keys = dict.fromkeys(self._slot.store.entries)
        for key, entry in self._changes.items():
            if entry is ABSENT:
                keys.pop(key, None)
            else:
                keys[key] = None
        return list(keys)

    def set(self, key: str, value: Any) -> None:
        """Keep a value; it is committed with the turn."""
        if self._slot.concurrency > 1:
            raise ContextError("context.set is refused in a module with concurrency")
        kind = type(value)
        if (kind is int and MIN_INT <= value <= MAX_INT) or (kind is float and value - value == 0) or kind is bool:
            entry = value
        elif value is None or value is NULL:
            entry = None
        else:
            data = encode(value)
            if len(data) > MAX_VALUE_BYTES:
                raise ContextError(f"the value of {key!r} has {len(data)} bytes, at most {MAX_VALUE_BYTES} are allowed")
            entry = value if kind is str else data
        self._change(key, entry)

    def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        if self._slot.concurrency > 1:
            raise ContextError("context.delete is refused in a module with concurrency")
        if self.get(key, ABSENT) is not ABSENT:
            self._change(key, ABSENT)

    def send(self, port: str, value: Any, headers: Mapping[str, str] | None = None) -> Any:
        """Send a value from a port. Inside a turn it is kept until the handler has ended; None is no value.

        Outside any turn it is a turn of its own, for which the runner has to give credit. On the event loop the result
        can be awaited, a thread waits in here; CreditError when there is none for long, or in the main thread.
        """
        if value is None:
            return None
        if self._in_turn():
            self._output(port, value, headers)
            return None
        outside = Context(self._slot)
        outside._output(port, value, headers)
        return self._slot.outside.send_alone(outside.take())

    def committed(self) -> Any:
        """Wait until nothing can undo what the source has yielded before, or what was sent outside any turn.

        On the event loop it is to be awaited, in a thread it blocks. In a durable flow it is then on the disk.
        """
        return self._slot.outside.committed()

    def log(self, level: str, text: object) -> None:
        """Write a line to the runner's log."""
        self._slot.outside.log(str(level), str(text))

    # -- for the host

    def _in_turn(self) -> bool:
        live = self._live
        if live is False:
            return False
        if self._token is not None:
            return self._token.get(None) is live
        return self._thread == get_ident()

    def aim(self, batch: Batch) -> None:
        """The next turns are messages of this batch, without headers; the host counts `_number`."""
        self._call = self._root = None
        self._wire, self._base = batch.wire, batch.base
        self.port, self.redelivered = batch.port, bool(batch.flags & REDELIVERED)

    def aim_behind(self, root: Context, trail: str, port: str) -> None:
        """The next turns are what came to `root`, by way of the modules that the trail names."""
        self._call = None
        self._root, self._wire = root, trail
        self.port, self.redelivered = port, root.redelivered

    def aim_source(self, number: int) -> None:
        """The next turn is this one of the slot's source; the source counts `_number`."""
        self._call = self._token = None  # a thread of its own, whatever runs in the event loop
        self._live, self._thread = True, get_ident()
        self._wire, self._base, self._number = f"{self.module_id}.start", 0, number

    def _change(self, key: str, entry: Any) -> None:
        if type(key) is not str:
            raise ContextError(f"a key is a string, not {type(key).__name__}")
        if not key.isascii():
            encode(key)  # refuses lone surrogates
        slot = self._slot
        if entry is not ABSENT:
            added, most = weight(key, entry), len(self._changes) * 2 * MAX_VALUE_BYTES
            if slot.store.total_bytes + added + most > MAX_STORE_BYTES:
                self._check_total(key, added)
        if self._in_turn():
            self._changes[key] = entry
        else:
            slot.outside.change_alone({key: entry})

    def _check_total(self, key: str, added: int) -> None:
        """Count exactly, with this turn's changes, when the limit may be near."""
        entries = {**self._slot.store.entries, **self._changes, key: ABSENT}
        if added + sum(weight(k, e) for k, e in entries.items() if e is not ABSENT) > MAX_STORE_BYTES:
            raise ContextError(f"the context exceeds {MAX_STORE_BYTES} bytes")

    def _output(self, port: str, value: Any, headers: Mapping[str, str] | None = None) -> None:
        """Keep an output of the running handler, as JSON: whatever happens to the value afterwards.

        It is refused for the same reasons whoever is behind the port: a pipe, a module of this host, or nobody.
        """
        slot = self._slot
        index = self._index
        self._index = index + 1
        out = slot.out.get(port)
        if out is None and slot.out_ports is not None and port not in slot.out_ports:
            raise PortError(f"{slot.module_id} declares no out-port {port!r}")
        own = None if headers is None else check_headers(headers)
        data = encode(value)
        self._bytes += len(data)
        if self._bytes > slot.max_turn_bytes:
            raise TurnTooLarge(f"outputs exceed {slot.max_turn_bytes} bytes")
        if out is not None:
            self._sent.append((out, data, own, index))
            return
        self._unwired += 1
        if port not in slot.unwired_ports and len(slot.unwired_ports) < MAX_UNWIRED_PORTS:
            slot.unwired_ports.add(port)
            self.log("unwired", port)

    def take(self) -> Outcome:
        """What the handler did since the last take. Raises TurnTooLarge."""
        sent, changes, unwired, size = self._sent, self._changes, self._unwired, self._bytes
        self.drop()
        if changes:
            size += sum([weight(key, entry) for key, entry in changes.items()])
        if size > self._slot.max_turn_bytes:
            raise TurnTooLarge(f"outputs exceed {self._slot.max_turn_bytes} bytes")
        return sent, changes, unwired, size

    def drop(self) -> None:
        """The handler has failed, and done nothing."""
        self._sent, self._changes = [], {}
        self._index = self._unwired = self._bytes = 0
