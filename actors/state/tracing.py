"""Which messages of a flow are followed, and the `traceparent` that says so of each. Pure.

A followed message has the header `traceparent: 00-TRACE-SPAN-01` (https://www.w3.org/TR/trace-context/); SPAN is what
it comes from. It is looked for in the encoded headers: only those of followed messages are taken apart.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from runtimes.frames import HEADERS, HEADERS_SEPARATOR, join

_HEADER = re.compile(rb'("traceparent"\s*:\s*"00-(?!0{32})([0-9a-f]{32})-)((?!0{16})[0-9a-f]{16})(-([0-9a-f]{2})")')
_TEXT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_NEVER = 1 << 62
ROOM_BYTES = 4096 - 80  # of encoded headers to which a `traceparent` is added: 4 KiB are allowed
PRODUCER, CONSUMER = 4, 5  # kinds of spans, as OTLP numbers them

Attributes = dict[str, str | int | bool]


class Context(NamedTuple):
    """Of a followed message: its trace, and the span it comes from."""

    trace: str
    span: str


class SpanError(NamedTuple):
    """What a turn has raised."""

    type: str
    message: str
    stack: str


class Span(NamedTuple):
    """What one module has done with one message, or that a message has entered; times are nanoseconds since 1970.

    `links`: further spans of the trace that it comes from.
    """

    flow: str
    trace: str
    span: str
    parent: str
    name: str
    kind: int
    begun_ns: int
    ended_ns: int
    attributes: Mapping[str, str | int | bool]
    error: SpanError | None = None
    links: Sequence[str] = ()


def is_traceparent(text: str) -> bool:
    """Whether it is of the form that is understood here."""
    return _TEXT.fullmatch(text) is not None


def followed(headers: bytes) -> Context | None:
    """Of encoded headers of one message: None if it is not followed."""
    if (found := _HEADER.search(headers)) is None or not int(found[5], 16) & 1:
        return None
    return Context(found[2].decode(), found[3].decode())


def says_of(headers: bytes) -> bool:
    """Whether encoded headers of one message have a `traceparent`, whatever it says, or no room for one."""
    return b'"traceparent"' in headers or len(headers) > ROOM_BYTES


def says_of_any(body: bytes) -> bool:
    """Whether any message of a body with HEADERS has a `traceparent`."""
    return body.find(b'"traceparent"', 0, body.find(HEADERS_SEPARATOR)) >= 0


def under(headers: bytes, span: str) -> bytes:
    """The headers of a message that comes from this span."""
    return _HEADER.sub(rb"\g<1>" + span.encode() + rb"\g<4>", headers, count=1)


def moved(headers: bytes, before: str, after: str) -> bytes:
    """Encoded headers, also of several messages: what comes from the span `before` comes from `after`."""
    return _HEADER.sub(lambda m: m[1] + after.encode() + m[4] if m[3] == before.encode() else m[0], headers)


def headers_of(context: Context) -> bytes:
    """Encoded headers, of a message that has no others."""
    return b'{"traceparent":"00-%s-%s-01"}' % (context.trace.encode(), context.span.encode())


def with_context(headers: bytes, context: Context) -> bytes:
    """Encoded headers without a `traceparent`, or `null`, with one."""
    if headers in (b"null", b"{}"):
        return headers_of(context)
    return headers_of(context)[:-1] + b"," + headers.lstrip()[1:]


def new_trace() -> str:
    """Its name, never zero."""
    return f"{random.getrandbits(128) or 1:032x}"


def new_span() -> str:
    """Its name, never zero."""
    return f"{random.getrandbits(64) or 1:016x}"


def cut(messages: list[bytes], headers: Mapping[int, bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Bodies of messages without headers, but for those that get some: body, flags and count of each, in order."""
    at = 0
    for index, header in sorted(headers.items()):
        if index > at:
            yield join(messages[at:index]), 0, index - at
        yield join(messages[index : index + 1], [header]), HEADERS, 1
        at = index + 1
    if at < len(messages):
        yield join(messages[at:]), 0, len(messages) - at


class TraceCounts:
    """Of one flow: spans that the collector has taken, and that were left out."""

    __slots__ = ("dropped", "sent")

    def __init__(self) -> None:
        self.sent = self.dropped = 0


class Tracing:
    """Of one flow, shared by its actors and whatever sends into it, because they live in one thread.

    `share`: of the messages that enter, 0 to 1; None: nothing is followed. `exporter`: who takes the spans.
    """

    __slots__ = ("_until_next", "counts", "exporter", "flow", "is_on", "share")

    def __init__(self, flow: str) -> None:
        self.flow = flow
        self.counts = TraceCounts()
        self.exporter: Any = None
        self.follow(None)

    def follow(self, share: float | None, exporter: Any = None) -> None:
        """From now on so many of the messages that enter."""
        self.share, self.is_on = share, share is not None
        self.exporter = exporter or self.exporter
        self._until_next = self._gap()

    def _gap(self) -> int:
        """Messages that are not followed, until the next that is: each is with the same probability."""
        if not self.share:
            return _NEVER
        return 0 if self.share == 1 else int(math.log(1 - random.random()) / math.log(1 - self.share))

    def pick(self, count: int) -> Iterable[int]:
        """The indexes of those that are followed, of so many messages that enter."""
        if self._until_next >= count:
            self._until_next -= count
            return ()
        picked, at = [], self._until_next
        while at < count:
            picked.append(at)
            at += 1 + self._gap()
        self._until_next = at - count
        return picked

    def root(self, place: str) -> Span:
        """A message enters at `module.port`."""
        now = time.time_ns()
        return Span(
            self.flow, new_trace(), new_span(), "", f"send {place}", PRODUCER, now, now,
            about(self.flow, place, "send"),
        )  # fmt: skip

    def enter(self, place: str, count: int) -> dict[int, Span]:
        """Of so many messages that enter at `module.port`: the spans of those that are followed, by index."""
        return {index: self.root(place) for index in self.pick(count)}


def context_of(span: Span) -> Context:
    """What comes from a span."""
    return Context(span.trace, span.span)


def about(flow: str, place: str, operation: str) -> Attributes:
    """Attributes of a span, as OpenTelemetry names them for messaging; `place`: module.port."""
    return {
        "messaging.system": "polyglot_flow_runner", "messaging.operation.name": operation,
        "messaging.operation.type": operation, "messaging.destination.name": f"{flow}/{place}",
    }  # fmt: skip
