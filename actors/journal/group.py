"""A group: what a journal writes in one transaction, and how it travels to the process that writes. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgpack

Key = tuple[str, bytes]  # module, key of its context
LENGTHS = struct.Struct("<II")


class Body(NamedTuple):
    """Messages on a wire, as they came: a Segment without its time. `first` is the number of the first one meant."""

    wire: str
    port: str
    flags: int
    skip: int
    count: int  # type: ignore[assignment]  # the tuple's own count() is not missed
    first: int
    body: bytes | memoryview


@dataclass(slots=True)
class Group:
    """`number`: 1, 2, ... without a gap per journal. Later groups win.

    `cleared`: wires of which everything that was written before is void; `consumed`: wire -> messages with lower
    numbers are done; `contexts`, `facts`: the last value of each key, None if it is no more.
    """

    number: int
    bodies: list[Body] = field(default_factory=list)
    cleared: set[str] = field(default_factory=set)
    consumed: dict[str, int] = field(default_factory=dict)
    contexts: dict[Key, bytes | None] = field(default_factory=dict)
    facts: dict[str, bytes | None] = field(default_factory=dict)


def encode(journal: str, group: Group) -> list[bytes | memoryview]:
    """The parts of a record that tells the writer to write a group of the journal of this name."""
    about = [(*body[:6], len(body.body)) for body in group.bodies]
    contexts = [(module, key, value) for (module, key), value in group.contexts.items()]
    head = msgpack.packb(
        (journal, group.number, about, list(group.cleared), group.consumed, contexts, group.facts), use_bin_type=True
    )
    bodies = [body.body for body in group.bodies]
    return [LENGTHS.pack(len(head), sum(map(len, bodies))), head, *bodies]


class Records:
    """Takes the bytes of records in any portions; gives whole ones as (journal, group)."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Sequence[tuple[str, Group]]:
        """The records that `data` completes. Their bodies are views of a buffer of their own."""
        self._data += data
        position, records = 0, []
        while len(self._data) - position >= LENGTHS.size:
            head_bytes, body_bytes = LENGTHS.unpack_from(self._data, position)
            end = position + LENGTHS.size + head_bytes + body_bytes
            if end > len(self._data):
                break
            records.append(_decode(bytes(memoryview(self._data)[position + LENGTHS.size : end]), head_bytes))
            position = end
        del self._data[:position]
        return records


def _decode(record: bytes, head_bytes: int) -> tuple[str, Group]:
    journal, number, about, cleared, consumed, contexts, facts = msgpack.unpackb(
        record[:head_bytes], raw=False, strict_map_key=False
    )
    view, at, bodies = memoryview(record), head_bytes, []
    for wire, port, flags, skip, count, first, size in about:
        bodies.append(Body(wire, port, flags, skip, count, first, view[at : at + size]))
        at += size
    group = Group(number, bodies, set(cleared), consumed, {(m, key): value for m, key, value in contexts}, facts)
    return journal, group
