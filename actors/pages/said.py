"""What a page says: one transaction, checked whole. A page runs anybody's code, so nothing that it says is believed.

It comes as frames of PROTOCOL.md: DATA, CONTEXT and ERROR, then COMMIT with the number of the transaction, whose body
says whose they are, by name: a number of a host's plan may mean something else by now.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import orjson

from runtimes import host_bodies as bodies
from runtimes.frames import DELETED, HEADERS, HEADERS_SEPARATOR, NO_INDEX, SEPARATOR, Frame, Kind, ProtocolError

MAX_NUMBER = 2**53 - 1


class Row(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What a module has done: messages of the runner that are done, handler calls, those that failed, messages sent to
    ports with and without a wire, microseconds, handler calls for messages that came from inside the page.
    """

    module: str
    consumed: int
    handled: int
    failed: int
    sent: int
    unwired: int
    busy_us: int
    local: int


class _Commit(msgspec.Struct, forbid_unknown_fields=True):
    """`out`: module and port of each DATA; `context`: the module of each CONTEXT; `errors`: that of each ERROR."""

    rows: list[Row]
    out: list[tuple[str, str]] = []
    context: list[str] = []
    errors: list[str] = []


class Work(NamedTuple):
    """What one module has done in a transaction; `errors` and `outputs` as a host's."""

    row: Row
    outputs: list[tuple[str, Frame]]
    context: dict[bytes, bytes | None]
    errors: list[Frame]


class Said(NamedTuple):
    """A transaction; `size`: its bytes."""

    number: int
    work: dict[str, Work]
    size: int


_decode = msgspec.json.Decoder(_Commit).decode


def said(frames: list[Frame], commit: Frame, client: str) -> Said:
    """The transaction that ends with `commit`; what it sends carries the name of its client. Raises ProtocolError."""
    try:
        found = _decode(commit.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProtocolError(f"COMMIT: {error}") from None
    work: dict[str, Work] = {}
    for row in found.rows:
        if row.module in work or not all(0 <= count <= MAX_NUMBER for count in _counts(row)):
            raise ProtocolError(f"COMMIT of {row.module[:80]!r}: twice, or with a number out of range")
        work[row.module] = Work(row, [], {}, [])
    data = [frame for frame in frames if frame.kind == Kind.DATA]
    contexts = [frame for frame in frames if frame.kind == Kind.CONTEXT]
    errors = [frame for frame in frames if frame.kind == Kind.ERROR]
    if (len(data), len(contexts), len(errors)) != (len(found.out), len(found.context), len(found.errors)):
        raise ProtocolError("COMMIT does not name as many as there are frames")
    header = orjson.dumps({"client": client})
    for frame, (module, port) in zip(data, found.out, strict=True):
        _of(work, module).outputs.append((port, _output(frame, client, header)))
    for frame, module in zip(contexts, found.context, strict=True):
        _change(_of(work, module).context, frame)
    for frame, module in zip(errors, found.errors, strict=True):
        _of(work, module).errors.append(_error(frame))
    for module, of in work.items():
        if of.row.sent != sum(frame.count for _, frame in of.outputs) or of.row.failed < len(of.errors):
            raise ProtocolError(f"COMMIT of {module}: its messages or errors are not as many as it says")
    return Said(commit.first, work, sum(len(frame.body) for frame in frames) + len(commit.body))


def _counts(row: Row) -> tuple[int, ...]:
    return row.consumed, row.handled, row.failed, row.sent, row.unwired, row.busy_us, row.local


def _of(work: dict[str, Work], module: str) -> Work:
    if module not in work:
        raise ProtocolError(f"COMMIT has no row for {module[:80]!r}")
    return work[module]


def _output(frame: Frame, client: str, header: bytes) -> Frame:
    _, _, body, flags, skip, count, first = frame
    if skip or first or flags & ~HEADERS or not count:
        raise ProtocolError(f"DATA with flags={flags} skip={skip} count={count} first={first}")
    if flags:
        messages = bodies.check_headers_of(body, count)
        found = orjson.loads(body[1:-1].partition(HEADERS_SEPARATOR)[0])
        columns = [orjson.dumps({**(headers or {}), "client": client}) for headers in found]
    else:
        messages, columns = body, [header] * count
    each = messages[1:-1].split(SEPARATOR)
    if messages[:1] != b"[" or messages[-1:] != b"]" or not len(each) == count == messages.count(b"\n") + 1:
        raise ProtocolError(f"DATA with count={count} has another number of messages")
    for message in each:  # whoever cuts the array later has to find the same ones
        bodies.check_json(message, "DATA")
    whole = b"[[" + SEPARATOR.join(columns) + b"]" + HEADERS_SEPARATOR + messages + b"]"
    return Frame(Kind.DATA, 0, whole, HEADERS, 0, count, 0)


def _change(changes: dict[bytes, bytes | None], frame: Frame) -> None:
    key, value = frame.body[: frame.skip], frame.body[frame.skip :]
    bodies.check_key(key)
    if frame.skip > len(frame.body) or frame.flags & ~DELETED:
        raise ProtocolError(f"CONTEXT with flags={frame.flags} skip={frame.skip}")
    if not frame.flags:
        bodies.check_value(value)
    changes[key] = None if frame.flags else value


def _error(frame: Frame) -> Frame:
    """An error with its message: a module of the runner takes it as one that came over a fused wire."""
    info, message = bodies.info(frame.body[: frame.skip]), frame.body[frame.skip :]
    if frame.skip > len(frame.body):
        raise ProtocolError(f"ERROR with skip={frame.skip}")
    if message:
        bodies.check_json(message, "the message of an ERROR")
        message = message.replace(b"\n", b" ")
    return Frame(Kind.ERROR, 0, info + message, 0, len(info), NO_INDEX, 0)
