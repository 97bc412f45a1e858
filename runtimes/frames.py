"""The frame codec of runtimes/PROTOCOL.md: pure, no input or output. It does not know what a body means."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from enum import IntEnum
from typing import NamedTuple

HEADER = struct.Struct("<IBBHIIQ")
HEADER_BYTES = HEADER.size
MAX_BODY_BYTES = 64 << 20
PROTOCOL_VERSION = 1
ALL_SLOTS = 0xFFFF
NO_INDEX = 0xFFFFFFFF

REDELIVERED, HEADERS, TURN_FLAG, DELETED, HELD = 1, 2, 4, 8, 16

SEPARATOR = b",\n"
HEADERS_SEPARATOR = b",\n\n"


class Kind(IntEnum):
    """The kinds of frame; below 16 from runner to host, DATA both ways."""

    LOAD = 1
    UNLOAD = 2
    WIRES = 3
    DATA = 4
    PULL = 5
    PAUSE = 6
    CALL = 7
    STOP = 8
    PING = 9
    HELLO = 16
    CONTEXT = 17
    ERROR = 18
    LOG = 19
    TURN = 20
    COMMIT = 21
    PAUSED = 22
    RESULT = 23
    FINISHED = 24
    PONG = 25


KNOWN_KINDS = frozenset(int(kind) for kind in Kind)


class ProtocolError(Exception):
    """The other side broke the protocol; the link is of no more use."""


class Frame(NamedTuple):
    """One frame. `kind` is a Kind (or its number, when read from a link)."""

    kind: int
    slot: int = 0
    body: bytes = b""
    flags: int = 0
    skip: int = 0
    count: int = 0  # type: ignore[assignment]  # the tuple's own count() is not missed
    first: int = 0


def encode(frame: Frame) -> bytes:
    """The bytes of a frame."""
    kind, slot, body, flags, skip, count, first = frame
    return HEADER.pack(len(body), kind, flags, slot, skip, count, first) + body


class Decoder:
    """Takes bytes in any portions, yields whole frames. An unknown kind or an oversized body is a ProtocolError."""

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES, kinds: Collection[int] = KNOWN_KINDS) -> None:
        self._max_body_bytes = max_body_bytes
        self._kinds = kinds
        self._held = bytearray()  # not the pieces: somebody may send two bytes at a time
        self._needed_bytes = HEADER_BYTES

    @property
    def pending_bytes(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes."""
        if self._held:
            self._held += data
            if len(self._held) < self._needed_bytes:
                return
            data = bytes(self._held)
            self._held.clear()
        position, size, kinds = 0, len(data), self._kinds
        new, unpack = tuple.__new__, HEADER.unpack_from  # half the time of Frame(...)
        while size - position >= HEADER_BYTES:
            body_bytes, kind, flags, slot, skip, count, first = unpack(data, position)
            if kind not in kinds:
                raise ProtocolError(f"unknown frame kind {kind}")
            if body_bytes > self._max_body_bytes:
                raise ProtocolError(f"frame body of {body_bytes} bytes, at most {self._max_body_bytes} are allowed")
            start = position + HEADER_BYTES
            if size - start < body_bytes:
                self._needed_bytes = HEADER_BYTES + body_bytes
                break
            position = start + body_bytes
            yield new(Frame, (kind, slot, data[start:position], flags, skip, count, first))
        else:
            self._needed_bytes = HEADER_BYTES
        if position < size:
            self._held += data[position:]


def join(messages: list[bytes], headers: list[bytes] | None = None) -> bytes:
    """A body from encoded messages (compact JSON) and, with HEADERS, as many encoded headers (`null` for none)."""
    body = b"[" + SEPARATOR.join(messages) + b"]"
    if headers is None:
        return body
    return b"[[" + SEPARATOR.join(headers) + b"]" + HEADERS_SEPARATOR + body + b"]"


def split(body: bytes, flags: int = 0) -> tuple[list[bytes], list[bytes] | None]:
    """The encoded messages of a body, and their encoded headers if `flags` says so. Decodes nothing.

    There are always as many as line feeds and one more, whatever a host has written.
    """
    if not flags & HEADERS:
        return _elements(body), None
    headers, _, messages = body[1:-1].partition(HEADERS_SEPARATOR)
    return _elements(messages), _elements(headers)


def _elements(array: bytes) -> list[bytes]:
    elements = array[1:-1].split(SEPARATOR)
    if len(elements) <= array.count(b"\n"):  # not written as the protocol says: a line feed without a comma
        elements = [element.removesuffix(b",") for element in array[1:-1].split(b"\n")]
    return elements
