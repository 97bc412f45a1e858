"""What the bodies of a host's frames say, checked by their types: nothing is taken from a host unseen. Pure.

A text with half of a surrogate pair, or with bytes that are no UTF-8, is a user's text as a host found it (in an error
or a print): it is mended, not refused. Everything else that does not fit raises ProtocolError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
import orjson

from runtimes.frames import HEADERS_SEPARATOR, ProtocolError

MAX_TEXT_CHARS = 64 << 10  # of an error's message or stack, and of a log entry; the rest is cut off
MAX_HEADERS_BYTES = 4096  # of one message, as JSON, without its id
MAX_VALUE_BYTES = 1 << 20  # of a context value
MAX_KEY_BYTES = 1 << 20
MAX_DEPTH = 120
SMALL_BYTES = 64 << 10  # what is smaller is decoded to see whether it is JSON
HOOKS = frozenset(("start", "stop", "migrate"))

_Number = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
_Slot = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
_Micros = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Row = tuple[_Slot, _Number, _Number, _Number, _Number, _Number, _Number, _Micros, _Number]


class Problem(msgspec.Struct, omit_defaults=True):
    """An ERROR object of PROTOCOL.md section 4."""

    type: str
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    stack: str | None = None
    config: str | None = None  # of a ConfigError: the field of `config` that is wrong

    def plain(self) -> dict[str, Any]:
        """As a dictionary of what it says."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


class Info(msgspec.Struct):
    """What ERROR says before the message."""

    error: Problem
    port: str | None = None
    id: str | None = None
    headers: dict[str, str] | None = None


class Hello(msgspec.Struct):
    """HELLO, as far as it matters here."""

    protocol: int


class Result(msgspec.Struct):
    """RESULT of LOAD, UNLOAD or CALL."""

    ok: bool
    hooks: list[str] = []
    source: bool = False
    error: Problem | None = None


class Finished(msgspec.Struct):
    """The body of FINISHED: whether the source has ended well."""

    ok: bool


class Entry(msgspec.Struct):
    """The body of LOG: a level, and a line or more."""

    level: str
    text: str


_NO_GOOD = (msgspec.DecodeError, ValueError, RecursionError)  # a text that is no UTF-8 is a ValueError
_T = TypeVar("_T")
_rows = msgspec.json.Decoder(list[Row]).decode
_columns = msgspec.json.Decoder(list[dict[str, str] | None]).decode
_parts = msgspec.json.Decoder(list[msgspec.Raw]).decode
_any = msgspec.json.Decoder(msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode
_decoders: dict[type, Callable[[bytes], Any]] = {
    kind: msgspec.json.Decoder(kind).decode for kind in (Hello, Info, Result, Finished, Entry)
}
_ESCAPES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)


def read(kind: type[_T], body: bytes, name: str) -> _T:
    """The body of a frame that is called `name`."""
    decode: Callable[[bytes], _T] = _decoders[kind]
    try:
        return decode(body)
    except _NO_GOOD:
        pass
    try:
        return decode(_mended(body))
    except _NO_GOOD as error:
        raise ProtocolError(f"{name}: {error}") from None


def rows(body: bytes) -> list[Row]:
    """The arrays of a COMMIT."""
    try:
        found = _rows(body)
    except _NO_GOOD as error:
        raise ProtocolError(f"COMMIT: {error}") from None
    return found


def result(body: bytes, what: str) -> Result:
    """The RESULT of a `what`: one that is not ok says why."""
    found = read(Result, body, "RESULT")
    if not found.ok and found.error is None:
        raise ProtocolError(f"RESULT of {what} is not ok and has no error")
    if found.error is not None:
        _cut(found.error)
    if not HOOKS.issuperset(found.hooks):
        raise ProtocolError(f"RESULT of {what}: unknown hooks")
    return found


def entry(body: bytes) -> Entry:
    """What LOG says, at a readable length. Raises ProtocolError."""
    found = read(Entry, body, "LOG")
    found.text = _shortened(found.text)
    return found


def info(body: bytes) -> bytes:
    """What ERROR says before the message, as JSON that anybody can read."""
    found = read(Info, body, "ERROR")
    if found.headers:
        check_headers([found.headers], "ERROR")
    _cut(found.error)
    return _encode(found)


def check_headers_of(body: bytes, count: int) -> bytes:
    """That a body of DATA with HEADERS has those of `count` messages. Returns the array of the messages."""
    columns, separator, messages = body[1:-1].partition(HEADERS_SEPARATOR)
    try:
        found = _columns(columns)
    except _NO_GOOD as error:
        raise ProtocolError(f"DATA: its headers: {error}") from None
    if not separator or len(found) != count or columns.count(b"\n") != count - 1:
        raise ProtocolError(f"DATA with count={count} has the headers of {len(found)} messages")
    if max(map(len, _parts(columns))) > MAX_HEADERS_BYTES or not _NAMES.issuperset(set().union(*filter(None, found))):
        check_headers([headers for headers in found if headers], "DATA")
    return messages


_NAMES = frozenset(("id", "client", "traceparent"))


def check_headers(columns: list[dict[str, str]], name: str) -> None:
    """That a message's headers are the known ones, and not too large."""
    for headers in columns:
        for header in headers.keys() - _NAMES:
            if not header.startswith("x-"):
                raise ProtocolError(f"{name}: unknown header {header[:80]!r}")
        size = len(orjson.dumps({header: value for header, value in headers.items() if header != "id"}))
        if size > MAX_HEADERS_BYTES:
            raise ProtocolError(f"{name}: headers of {size} bytes, at most {MAX_HEADERS_BYTES} are allowed")


def check_key(key: bytes) -> None:
    """That a context's key is a text."""
    if len(key) > MAX_KEY_BYTES:
        raise ProtocolError(f"CONTEXT with a key of {len(key)} bytes, at most {MAX_KEY_BYTES} are allowed")
    try:
        key.decode()
    except UnicodeDecodeError:
        raise ProtocolError(f"CONTEXT with a key that is no UTF-8: {key[:80]!r}") from None


def check_value(value: bytes) -> None:
    """That a context's value is one."""
    if len(value) > MAX_VALUE_BYTES:
        raise ProtocolError(f"CONTEXT with a value of {len(value)} bytes, at most {MAX_VALUE_BYTES} are allowed")
    check_json(value, "the value of CONTEXT")
    if value.count(b"[") + value.count(b"{") > MAX_DEPTH and _is_deep(value):
        raise ProtocolError(f"CONTEXT with a value that is nested more than {MAX_DEPTH} deep")


def check_json(value: bytes, name: str) -> None:
    """That it is JSON which every host can read as a part of another."""
    try:
        if len(value) <= SMALL_BYTES or value.find(b"\\u") >= 0 or not value.isascii():
            orjson.loads(value)
        else:
            _any(value)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"{name} is no JSON: {error}") from None


_ALL_BUT = bytes(set(range(256)) - set(b'"[]{}'))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def _is_deep(value: bytes) -> bool:
    """Whether JSON is nested too deeply: its brackets outside of texts, taken away level by level from the inside."""
    plain = value.replace(b"\\\\", b"").replace(b'\\"', b"").translate(_ONE_KIND, _ALL_BUT)
    brackets = b"".join(plain.split(b'"')[::2])
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _mended(body: bytes) -> bytes:
    text = body.decode(errors="replace")
    return _ESCAPES.sub(lambda found: "\\ufffd" if found[1] else found[0], text).encode()


def _cut(problem: Problem) -> None:
    problem.type, problem.message = _shortened(problem.type), _shortened(problem.message)
    if problem.stack is not None:
        problem.stack = _shortened(problem.stack)


def _shortened(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARS:
        return text
    return f"{text[:MAX_TEXT_CHARS]} ... ({len(text) - MAX_TEXT_CHARS} more characters)"
