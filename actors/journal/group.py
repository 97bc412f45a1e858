"""A group: what a journal writes in one transaction, and how it travels to the process that writes. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import msgpack

Key = tuple[str, bytes]  # module, key of its context
LENGTHS = struct.Struct("<II")
EVERY_NUMBER = (1 << 63) - 1


class Body(NamedTuple):
    """Messages on a wire, as they came: a Segment without its time. `first` is the number of the first one meant."""

    wire: str
    flags: int
    skip: int
    count: int  # type: ignore[assignment]  # the tuple's own count() is not missed
    first: int
    body: bytes | memoryview


@dataclass(slots=True)
class Group:
    """`number`: 1, 2, ... without a gap per journal. Later groups win.

    `cleared`: wire -> of what was written before, messages with lower numbers are void; `consumed`: wire -> messages
    with lower numbers are done; `forgotten`: modules of whose contexts everything that was written before is void;
    `contexts`, `facts`: the last value of each key, None if it is no more. `synced`: descriptors, in the runner,
    of files that have to be on the disk before this group is.
    """

    number: int
    bodies: list[Body] = field(default_factory=list)
    cleared: dict[str, int] = field(default_factory=dict)
    consumed: dict[str, int] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    contexts: dict[Key, bytes | None] = field(default_factory=dict)
    facts: dict[str, bytes | None] = field(default_factory=dict)
    synced: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Recovered:
    """What a journal has: the number of its last group, and everything that is valid after it.

    `bodies` are in the order in which they came, each wire's by number; `first`, `skip` and `count` of what is not
    consumed. `losses`: sentences about what was damaged and is not there.
    """

    number: int = 0
    bodies: list[Body] = field(default_factory=list)
    consumed: dict[str, int] = field(default_factory=dict)
    contexts: dict[Key, bytes] = field(default_factory=dict)
    facts: dict[str, bytes] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)


class End(Enum):
    """What becomes of a journal that gets no more groups."""

    REMOVE = "remove"
    CLOSE = "close"


def encode(journal: str, group: Group | End) -> list[bytes | memoryview]:
    """The parts of a record that tells the writer to write a group of the journal of this name, or to end with it."""
    if isinstance(group, End):
        head = msgpack.packb((journal, group.value))
        return [LENGTHS.pack(len(head), 0), head]
    about = [(*body[:5], len(body.body)) for body in group.bodies]
    contexts = [(module, key, value) for (module, key), value in group.contexts.items()]
    head = msgpack.packb(
        (journal, group.number, about, group.cleared, group.consumed, [*group.forgotten], contexts, group.facts,
         [*group.synced]),
        use_bin_type=True,
    )  # fmt: skip
    bodies = [body.body for body in group.bodies]
    return [LENGTHS.pack(len(head), sum(map(len, bodies))), head, *bodies]


class Records:
    """Takes the bytes of records in any portions; gives whole ones as (journal, group)."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Sequence[tuple[str, Group | End]]:
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


def _decode(record: bytes, head_bytes: int) -> tuple[str, Group | End]:
    journal, *rest = msgpack.unpackb(record[:head_bytes], raw=False, strict_map_key=False)
    if len(rest) == 1:
        return journal, End(rest[0])
    number, about, cleared, consumed, forgotten, contexts, facts, synced = rest
    view, at, bodies = memoryview(record), head_bytes, []
    for wire, flags, skip, count, first, size in about:
        bodies.append(Body(wire, flags, skip, count, first, view[at : at + size]))
        at += size
    changes = {(module, key): value for module, key, value in contexts}
    return journal, Group(number, bodies, cleared, consumed, set(forgotten), changes, facts, set(synced))
