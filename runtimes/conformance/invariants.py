"""What must hold of every frame a host ever writes, whatever the case: the shape of frames, bodies and COMMITs.

Pure: it is told what was sent and what came. It does not know what a case expects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runtimes.conformance.values import is_compact, parse, short
from runtimes.frames import DELETED, HEADERS, HELD, NO_INDEX, Frame, Kind, split

COMMIT_FIELDS = 9
ERROR_KEYS = {"type", "message", "file", "line", "column", "stack", "config"}
_FLAGS = {Kind.DATA: HEADERS, Kind.CONTEXT: DELETED, Kind.ERROR: HELD}
_FIELDS = {
    Kind.DATA: {"slot", "count"},
    Kind.CONTEXT: {"slot", "skip"},
    Kind.ERROR: {"slot", "skip", "count", "first"},
    Kind.LOG: {"slot"},
    Kind.TURN: {"slot", "first"},
    Kind.PAUSED: {"slot", "first"},
    Kind.RESULT: {"slot", "first"},
    Kind.FINISHED: {"slot"},
    Kind.PONG: {"first"},
}
_SEPARATORS = re.compile(rb",\n\n?")
_EMPTY = {Kind.TURN, Kind.PAUSED, Kind.PONG}


class Broken(AssertionError):
    """A host broke an invariant of the protocol, or a case found something else than it expected."""


class Late(Broken):
    """What was to be in time was not: the host is slow, or the machine was busy. The case is tried again."""


def require(condition: object, text: str) -> None:
    """Raise Broken with the text unless the condition holds."""
    if not condition:
        raise Broken(text)


def in_time(condition: object, text: str) -> None:
    """Raise Late with the text unless the condition holds."""
    if not condition:
        raise Late(text)


@dataclass
class Message:
    """One message of a DATA frame of a host, decoded exactly."""

    value: Any
    headers: dict[str, str] | None = None


@dataclass
class Failure:
    """One ERROR frame, decoded."""

    slot: int
    index: int
    number: int
    held: bool
    info: dict[str, Any]
    message: bytes

    @property
    def type(self) -> str:
        """The type of the error, which is the name of the exception in the user's language."""
        return str(self.info["error"]["type"])


@dataclass
class Transaction:
    """The decoded frames between two COMMITs."""

    data: list[tuple[int, list[Message]]] = field(default_factory=list)
    context: dict[tuple[int, str], bytes | None] = field(default_factory=dict)
    errors: list[Failure] = field(default_factory=list)
    rows: dict[int, list[int]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come yet."""
        return not (self.data or self.context or self.errors)


def check_fields(frame: Frame) -> Kind:
    """The kind of a frame from a host; raises Broken if it has a field or a flag that its kind does not have."""
    kind = Kind(frame.kind)
    require(kind >= Kind.HELLO or kind == Kind.DATA, f"{kind.name} is not for hosts to send")
    require(not frame.flags & ~_FLAGS.get(kind, 0), f"{kind.name} with flags {frame.flags}")
    named = _FIELDS.get(kind, set())
    for name in ("slot", "skip", "count", "first"):
        require(
            name in named or getattr(frame, name) == 0, f"{kind.name} with {name}={getattr(frame, name)}, it has none"
        )
    require(kind not in _EMPTY or not frame.body, f"{kind.name} with a body: {short(frame.body)}")
    return kind


def json_body(frame: Frame, what: str) -> Any:
    """The JSON of a body."""
    try:
        return parse(frame.body)
    except ValueError as error:
        raise Broken(f"{what} is not JSON ({error}): {short(frame.body)}") from None


def messages_of(frame: Frame) -> list[Message]:
    """The messages of a DATA frame; raises Broken if the body is not written as section 3 demands."""
    texts, header_texts = split(frame.body, frame.flags)
    body = json_body(frame, "DATA")
    require(
        is_compact(_SEPARATORS.sub(b",", frame.body)), f"DATA has white space where none belongs: {short(frame.body)}"
    )
    values, headers = body, None
    if frame.flags & HEADERS:
        require(isinstance(body, list) and len(body) == 2, f"DATA with HEADERS is not a pair: {short(frame.body)}")
        headers, values = body
        require(
            isinstance(headers, list) and len(headers) == len(values),
            f"headers and messages differ: {short(frame.body)}",
        )
        require(header_texts is not None and len(header_texts) == len(headers), f"separators: {short(frame.body)}")
    require(isinstance(values, list), f"DATA is not an array: {short(frame.body)}")
    require(len(values) == frame.count > 0, f"DATA says count={frame.count} and has {len(values)} messages")
    require(len(texts) == len(values), f"{len(values)} messages but {len(texts)} by separators: {short(frame.body)}")
    return [Message(value, _headers(headers[index]) if headers else None) for index, value in enumerate(values)]


def _headers(headers: Any) -> dict[str, str] | None:
    """The headers of one message, checked."""
    if headers is None:
        return None
    require(isinstance(headers, dict) and headers, f"headers must be null or a filled object: {short(headers)}")
    for name, value in headers.items():
        known = name in ("id", "client", "traceparent") or name.startswith("x-")
        require(known and isinstance(value, str), f"header {name!r}: {short(value)}")
    return dict(headers)


def failure_of(frame: Frame) -> Failure:
    """The content of an ERROR frame, checked."""
    require(0 < frame.skip <= len(frame.body), f"ERROR says its info has {frame.skip} of {len(frame.body)} bytes")
    info = json_body(frame._replace(body=frame.body[: frame.skip]), "ERROR info")
    require(isinstance(info, dict) and info.keys() == {"error", "port", "id", "headers"}, f"ERROR info: {short(info)}")
    check_error(info["error"])
    message = frame.body[frame.skip :]
    require(frame.count == NO_INDEX or not message, f"ERROR with an index and a message: {short(message)}")
    return Failure(frame.slot, frame.count, frame.first, bool(frame.flags & HELD), info, message)


def check_error(error: Any) -> None:
    """Raise Broken unless this is an ERROR object of section 4."""
    require(
        isinstance(error, dict) and {"type", "message"} <= error.keys() <= ERROR_KEYS, f"error object: {short(error)}"
    )
    for name, value in error.items():
        wanted = int if name in ("line", "column") else str
        require(isinstance(value, wanted), f"error {name} is {value!r}")


def rows_of(frame: Frame, is_loaded: Callable[[int], bool]) -> dict[int, list[int]]:
    """The arrays of a COMMIT by slot, checked."""
    rows = json_body(frame, "COMMIT")
    require(isinstance(rows, list), f"COMMIT is not an array: {short(rows)}")
    found: dict[int, list[int]] = {}
    for row in rows:
        fits = isinstance(row, list) and len(row) == COMMIT_FIELDS and all(type(n) is int and n >= 0 for n in row)
        require(fits, f"COMMIT array {row} is not nine whole numbers")
        require(is_loaded(row[0]) and row[0] not in found, f"COMMIT array for unknown or repeated slot {row[0]}")
        require(row[3] <= row[2], f"COMMIT: {row[3]} failed of {row[2]} handled in slot {row[0]}")
        require(row[8] <= row[2], f"COMMIT: {row[8]} fused of {row[2]} handled in slot {row[0]}")
        found[row[0]] = row[1:]
    return found


def check_sums(transaction: Transaction, channels_of: dict[int, dict[str, int | None]]) -> None:
    """Compare the counts of a COMMIT with the frames it ends. `channels_of`: slot -> wired port -> channel or None."""
    on_channel: dict[int, int] = {}
    for channel, messages in transaction.data:
        on_channel[channel] = on_channel.get(channel, 0) + len(messages)
    for slot, ports in channels_of.items():
        came = sum(on_channel.get(channel, 0) for channel in ports.values() if channel is not None)
        row = transaction.rows.get(slot, [0] * (COMMIT_FIELDS - 1))
        exact = all(channel is not None for channel in ports.values())
        fits = came == row[4] if exact else came <= row[4]
        require(fits, f"COMMIT says slot {slot} sent {row[4]}, on its channels there are {came}")
    for slot, row in transaction.rows.items():
        check_errors(slot, row, [error for error in transaction.errors if error.slot == slot])
    silent = {error.slot for error in transaction.errors} - transaction.rows.keys()
    require(not silent, f"ERROR of slots {silent} without an array in COMMIT")


def check_errors(slot: int, row: list[int], errors: list[Failure]) -> None:
    """Compare the ERROR frames of a slot with its COMMIT array."""
    consumed, failed = row[0], row[2]
    require(failed <= len(errors), f"COMMIT says {failed} failed in slot {slot}, there are {len(errors)} ERROR frames")
    last = -1
    for error in errors:
        if error.held:
            require(error.index == consumed, f"HELD with count={error.index} after {consumed} consumed")
        elif error.index != NO_INDEX:
            require(last < error.index < consumed, f"ERROR index {error.index} after {last}, {consumed} were consumed")
            last = error.index
