"""The body of DATA: an array of messages, decoded as a whole, or one by one when that fails."""

from __future__ import annotations

from .checking import MAX_DEPTH
from .codec import MIN_DEEP_BYTES, DecodeError, decode, is_wide, loads, openings, revive
from .flow import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SEPARATOR = b",\n"


class Refused:
    """Stands for a message of a batch that could not be decoded."""

    __slots__ = ("error",)

    def __init__(self, error: DataError) -> None:
        self.error = error


def decode_array(body: bytes) -> list[Any] | None:
    """All messages of an array, or None when they have to be looked at one by one."""
    try:
        values = loads(body)
        if type(values) is not list:
            return None
        if (36 in body and b'bytes"' in body) or _may_be_deep(body, len(values)) or is_wide(body):
            values = [revive(value) for value in values]
    except (DecodeError, DataError, RecursionError):
        return None
    return values


def decode_each(body: bytes, end: int) -> list[Any]:
    """The first `end` messages, each decoded alone; Refused stands for those that fail."""
    messages: list[Any] = []
    for part in body.strip()[1:-1].split(SEPARATOR):
        try:
            messages.append(decode(part))
        except DataError as error:
            messages.append(Refused(error))
    while len(messages) < end:
        messages.append(Refused(DataError("the body is not an array of messages")))
    return messages


def _may_be_deep(body: bytes, messages: int) -> bool:
    """Whether a message in `body` is long enough, and has the brackets, to be nested too deeply."""
    if len(body) < MIN_DEEP_BYTES:
        return False
    lines = body.split(b"\n")
    if len(lines) != messages:  # not written as the protocol says
        return True
    return max(map(len, lines)) >= MIN_DEEP_BYTES and any(openings(line) > MAX_DEPTH for line in lines)
