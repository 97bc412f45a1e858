"""The data contract: what goes through a wire, encoded and decoded. It does not know frames.

orjson does the work when it is there. Where its habits differ from the contract (NaN becomes null, UUIDs become
text, unsigned 64-bit integers pass) a cheap look at the bytes finds the candidates, and only those are walked.
"""

from __future__ import annotations

import contextlib
import os

from . import flow, uuids
from .checking import MAX_DEPTH, MAX_INT, MIN_INT, Refusal, is_escaped, prepare
from .flow import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NO_LIMIT = 1 << 62
CONTROL_LEVELS = 2  # around a context's value
ROOM_LEVELS = 10  # that a module may put around what it has parsed
MIN_DEEP_BYTES = 2 * (MAX_DEPTH + 1)  # nothing shorter can be nested too deeply
DIGITS = bytes(48 if 48 <= byte <= 57 else byte for byte in range(256))
WIDE = b"0" * 19

loads: Callable[[bytes], Any]
dumps: Callable[[Any], bytes]

orjson: Any = None
if os.environ.get("RUNNER_HOST_JSON") != "stdlib":
    with contextlib.suppress(ImportError):
        orjson = __import__("orjson")
        uuids.watch()

if orjson is not None:
    DecodeError: type[Exception] = orjson.JSONDecodeError
    loads = orjson.loads
    dumps = orjson.dumps
    # 53-bit integers only at first: a wider one is rare and gets its exact check on the slow path.
    FAST = orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    fast_dumps: Any = orjson.dumps
else:
    import json

    def _constant(text: str) -> Any:
        raise DataError(f"{text} is not JSON")

    def _float(text: str) -> float:
        value = float(text)
        if value - value != 0:
            raise DataError(f"number out of range: {text[:40]}")
        return value

    def _integer(text: str) -> int | float:
        if len(text) < 19:
            return int(text)
        if len(text) <= 20 and MIN_INT <= (value := int(text)) <= MAX_INT:
            return value
        return _float(text)

    _narrow = json.JSONDecoder(parse_constant=_constant, parse_float=_float).decode
    _wide = json.JSONDecoder(parse_constant=_constant, parse_float=_float, parse_int=_integer).decode
    _encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")).encode
    DecodeError = ValueError

    def loads(body: bytes) -> Any:
        """As orjson's: ValueError for anything that is not strict JSON."""
        text = body.decode()
        try:
            value = _wide(text) if WIDE in body.translate(DIGITS) else _narrow(text)
        except RecursionError:
            raise DataError("nested too deeply") from None
        if "\\u" in text:
            _encode(value).encode()  # UnicodeEncodeError, a ValueError, for a lone surrogate
        return value

    def dumps(value: Any) -> bytes:
        """As orjson's, for a prepared value."""
        return _encode(value).encode()

    FAST = 0

    def fast_dumps(value: Any, default: None, options: int) -> bytes:  # noqa: ARG001
        """There is no fast way."""
        raise TypeError


try:
    if orjson is None:  # nothing but Python
        raise ImportError
    from ._copying import copy_plain as copy_plain  # noqa: PLC0414  others have it from here

    HAS_COPIES = True
except ImportError:
    HAS_COPIES = False

    def copy_plain(value: Any, room: int) -> Any:  # noqa: ARG001
        """As that of copying.c, which could not be compiled: it is never sure."""
        return None


def encode(value: Any) -> bytes:
    """The JSON of a value. Raises DataError. (The engine's hot loop has these lines, too.)"""
    try:
        data: bytes | None = fast_dumps(value, None, FAST)
    except (TypeError, RecursionError):
        data = None
    if data is None:  # not in the except clause: it would be the context of what user code raises
        return encode_checked(value)
    # replace() finds out fastest: `in` raises and clears an exception inside, and find() parses its arguments.
    if (
        36 in data
        or len(data) >= MIN_DEEP_BYTES
        or (uuids.known and 45 in data and data.count(b"-") > 3)
        or data.replace(b"null", b"") is not data
    ):
        return encode_suspect(value, data)
    return data


def encode_suspect(value: Any, data: bytes) -> bytes:
    """Its JSON again, checked, when `data` shows what may be wrong: NaN as null, `$bytes`, a UUID, depth."""
    if (
        data.replace(b"null", b"") is not data
        or (36 in data and b'bytes"' in data)
        or (uuids.known and _has_uuid_shape(data))
        or (len(data) >= MIN_DEEP_BYTES and openings(data) > MAX_DEPTH)
    ):
        return encode_checked(value)
    return data


def openings(data: bytes) -> int:
    """At least the depth of any part of `data`."""
    return data.count(b"[") + data.count(b"{")


def _has_uuid_shape(data: bytes) -> bool:
    """Whether a quoted string of a UUID's shape may be in `data`."""
    at = data.find(b"-")
    while at >= 0:
        if data[at + 5 : at + 6] == b"-" == data[at + 10 : at + 11] == data[at + 15 : at + 16]:
            return True
        at = data.find(b"-", at + 1)
    return False


def encode_checked(value: Any) -> bytes:
    """The JSON of a value, every part of it looked at."""
    try:
        return dumps(prepare(value))
    except (Refusal, TypeError, ValueError, RecursionError) as error:
        raise DataError(str(error)) from None


def restore(data: bytes) -> Any:
    """The value of what encode() has made: nothing in it can be wrong."""
    value = loads(data)
    return revive(value) if 36 in data and b'bytes"' in data else value


def own_copy(value: Any) -> Any:
    """Another of what a decoder or copy_plain() has made."""
    copy = copy_plain(value, NO_LIMIT)
    return restore(encode(value)) if copy is None and value is not None else copy


def decode(data: bytes, depth: int = 1) -> Any:
    """The value of one JSON text. Raises DataError."""
    try:
        value = loads(data)
    except (DecodeError, RecursionError) as error:
        raise DataError(str(error)) from None
    if (36 in data and b'bytes"' in data) or openings(data) > MAX_DEPTH or is_wide(data):
        return revive(value, depth)
    return value


def parse_json(text: bytes | str) -> Any:
    """The value of a JSON text from outside, as a message can carry it (integers beyond 64 bits as floats), with room
    for some levels around it. What no message can carry raises ValueError: NaN, 1e999, half a character, depth.
    """
    data = text.encode() if isinstance(text, str) else text
    try:
        value = loads(data)
    except RecursionError:
        raise DataError("nested too deeply") from None
    return _carried(value, 1) if openings(data) > MAX_DEPTH - ROOM_LEVELS or is_wide(data) else value


flow.parse_json = parse_json


def _carried(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is int:
        return value if MIN_INT <= value <= MAX_INT else float(value)
    if kind is not dict and kind is not list:
        return value
    if depth > MAX_DEPTH - ROOM_LEVELS:
        raise DataError(f"nested deeper than {MAX_DEPTH - ROOM_LEVELS}")
    if kind is list:
        return [_carried(item, depth + 1) for item in value]
    return {name: _carried(item, depth + 1) for name, item in value.items()}


def decode_control(body: bytes) -> Any:
    """The body of LOAD or CALL, whose parts are values of their own. Raises DataError."""
    return decode(body, 1 - CONTROL_LEVELS)


def is_wide(data: bytes) -> bool:
    """Whether integers beyond int64 may be in `data`: nineteen digits in a row, the rest of which decides."""
    if orjson is None or data[::4].translate(DIGITS).find(b"0000") < 0:
        return False
    digits = data.translate(DIGITS)
    at = digits.find(WIDE)
    while at >= 0:
        end = at + 19
        while digits[end : end + 1] == b"0":
            end += 1
        if end - at > 19 or data[at:end] > b"9223372036854775807":
            return True
        at = digits.find(WIDE, end)
    return False


def revive(value: Any, depth: int = 1) -> Any:
    """A decoded value with native bytes, integers within int64, checked depth. Raises DataError."""
    kind = type(value)
    if kind is int:
        return value if MIN_INT <= value <= MAX_INT else float(value)
    if kind is not dict and kind is not list:
        return value
    if depth > MAX_DEPTH:
        raise DataError(f"nested deeper than {MAX_DEPTH}")
    if kind is list:
        return [item if type(item) is str else revive(item, depth + 1) for item in value]
    if len(value) == 1:
        (key,) = value
        if key == "$bytes":
            return _bytes(value[key])
        if is_escaped(key):
            return {key[1:]: revive(value[key], depth + 1)}
    return {key: item if type(item) is str else revive(item, depth + 1) for key, item in value.items()}


def _bytes(text: Any) -> bytes:
    from binascii import a2b_base64

    try:
        return a2b_base64(text, strict_mode=True)
    except (ValueError, TypeError) as error:
        raise DataError(f"$bytes: {error}") from None
