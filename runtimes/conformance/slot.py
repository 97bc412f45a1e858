"""One loaded module as the runner keeps it: what was sent to it and is not consumed, its context, what it has sent."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol

from runtimes.conformance.invariants import Broken, Failure, Message, require
from runtimes.conformance.values import equal, parse, short, text_of
from runtimes.frames import HEADERS, REDELIVERED, Frame, Kind, join

TOTALS = ("consumed", "handled", "failed", "pulled", "sent", "unwired", "busy_us", "fused")
Fused = tuple["Slot", str, str]


class Host(Protocol):
    """What a slot needs of the host that it is in (host.py)."""

    def send(self, frame: Frame) -> None:
        """Write a frame to the host."""

    def ask(self, kind: Kind, slot: int, body: bytes = b"") -> int:
        """Send a frame that has an answer; its number."""

    def result(self, request: int) -> dict[str, Any]:
        """The RESULT of a request."""

    def wait(self, done: Callable[[], object], what: str, timeout_s: float = ...) -> None:
        """Handle frames until `done()`; raises Broken after `timeout_s`."""

    def wire_changed(self, slot: Slot) -> None:
        """Its channels are others."""


class Slot:
    """A slot of a host. `sent`, `errors`, `context` and `totals` hold what was committed, never more."""

    def __init__(self, host: Host, number: int, module: str, context: dict[str, Any]) -> None:
        self.host, self.number, self.module = host, number, module
        self.load_request = 0
        self.hooks: list[str] = []
        self.channels: dict[str, int | None] = {}
        self.sent: dict[str, list[Message]] = {}
        self.errors: list[Failure] = []
        self.context = {key: text_of(value) for key, value in context.items()}
        self.totals: Counter[str] = Counter()
        self.in_flight: deque[tuple[int, int]] = deque()
        self.forgotten: deque[tuple[int, int]] = deque()
        self.credit = self.late = 0
        self.finished: dict[str, Any] | None = None
        self.next_number = 1

    @property
    def in_channel(self) -> int:
        """The channel of the in-port `in`."""
        return self.number * 16

    @property
    def wire_name(self) -> str:
        """The wire that `data` uses."""
        return f"test.out->{self.module}.in"

    def wire(
        self,
        outs: list[str] | None = None,
        fused: dict[str, list[Fused]] | None = None,
        ids: bool = False,
        ins: list[str] | None = None,
        only_fused: bool = True,
    ) -> None:
        """Send WIRES: out-ports each with a channel of its own; a fused port has none unless only_fused is false."""
        fused = fused or {}
        ports = list(dict.fromkeys([*(["out"] if outs is None else outs), *fused]))
        self.channels = {
            port: None if port in fused and only_fused else self.number * 16 + index for index, port in enumerate(ports)
        }
        body = {
            "in": {
                str(self.in_channel + index): [port, f"test.out->{self.module}.{port}"]
                for index, port in enumerate(ins or ["in"])
            },
            "out": {
                port: {
                    "channel": self.channels[port],
                    "ids": ids,
                    "fused": [[slot.number, target, wire] for slot, target, wire in fused.get(port, [])],
                }
                for port in ports
            },
        }
        self.host.wire_changed(self)
        self.host.send(Frame(Kind.WIRES, self.number, text_of(body)))

    def data(self, values: list[Any], **options: Any) -> None:
        """Send values as one DATA frame; see `texts` for the options."""
        self.texts([text_of(value) for value in values], **options)

    def texts(
        self,
        texts: list[bytes],
        *,
        skip: int = 0,
        count: int | None = None,
        first: int | None = None,
        headers: list[Any] | None = None,
        flags: int = 0,
        channel: int = 0,
    ) -> None:
        """Send encoded messages as one DATA frame, of which `[skip, skip + count)` are meant."""
        count = len(texts) - skip if count is None else count
        first = self.next_number if first is None else first
        self.next_number = first + count
        self.in_flight.append((first, count))
        encoded = None if headers is None else [text_of(header) for header in headers]
        flags |= 0 if headers is None else HEADERS
        frame = Frame(Kind.DATA, self.in_channel + channel, join(texts, encoded), flags, skip, count, first)
        self.host.send(frame)

    def redeliver(self, values: list[Any], first: int) -> None:
        """Send messages again that a host may have seen before."""
        self.data(values, first=first, flags=REDELIVERED)

    @property
    def waiting(self) -> int:
        """Messages sent that are not consumed."""
        return sum(count for _, count in self.in_flight)

    def apply(self, row: list[int]) -> None:
        """Take a COMMIT array into account."""
        numbers = dict(zip(TOTALS, row, strict=True))
        consumed, pulled = numbers["consumed"], numbers["pulled"]
        require(consumed <= self.waiting, f"{consumed} consumed by slot {self.number}, {self.waiting} were sent")
        credit = max(0, self.credit + self.late)
        require(pulled <= credit, f"slot {self.number} used a credit of {pulled}, it had {credit}")
        self.credit -= pulled
        if self.credit < 0:
            self.late = 0
        self.totals.update(numbers)
        while consumed:
            first, count = self.in_flight.popleft()
            taken = min(count, consumed)
            consumed -= taken
            if taken < count:
                self.in_flight.appendleft((first + taken, count - taken))

    def apply_context(self, key: str, value: bytes | None) -> None:
        """Take a committed CONTEXT frame into account."""
        if value is None:
            self.context.pop(key, None)
        else:
            self.context[key] = value

    def forget(self) -> None:
        """The host forgot the slot's input and its credit."""
        self.forgotten, self.in_flight = self.in_flight, deque()
        self.credit, self.late = 0, 1  # `late`: of a source that was at a value

    def pull(self, credit: int) -> None:
        """Give the slot's source credit for so many more turns."""
        self.credit += credit
        self.host.send(Frame(Kind.PULL, self.number, count=credit))

    def keep(self, turns: int) -> None:
        """Say that so many turns of the slot's source stay."""
        self.host.send(Frame(Kind.PULL, self.number, first=turns))

    def begin_call(self, hook: str, **fields: Any) -> int:
        """Send CALL; the request to wait for."""
        return self.host.ask(Kind.CALL, self.number, text_of({"hook": hook} | fields))

    def call(self, hook: str, **fields: Any) -> dict[str, Any]:
        """CALL and wait for its RESULT."""
        return self.host.result(self.begin_call(hook, **fields))

    def done(self, timeout_s: float = 20.0) -> Slot:
        """Wait until everything sent is consumed."""
        self.host.wait(lambda: not self.in_flight, f"COMMIT of {self.waiting} messages of {self.module}", timeout_s)
        return self

    def run(self, values: list[Any], **options: Any) -> list[Any]:
        """Send values, wait until they are consumed, and return what port `out` has sent because of them."""
        before = len(self.sent.get("out", []))
        self.data(values, **options)
        self.done()
        return self.out()[before:]

    def out(self, port: str = "out") -> list[Any]:
        """The values that the port has sent so far."""
        return [message.value for message in self.sent.get(port, [])]

    def context_value(self, key: str) -> Any:
        """A committed context value."""
        if key not in self.context:
            raise Broken(f"the context of {self.module} has no {key!r}, it has {sorted(self.context)}")
        return parse(self.context[key])

    def counts(self, **expected: int) -> None:
        """Compare totals of COMMIT."""
        got = {name: self.totals[name] for name in expected}
        require(got == expected, f"COMMIT counts of {self.module}: expected {expected}, got {got}")


def expect(got: Any, wanted: Any, what: str = "values") -> None:
    """Fail unless both are equal as JSON values."""
    if not equal(got, wanted):
        raise Broken(f"{what}: expected {short(wanted)}, got {short(got)}")
