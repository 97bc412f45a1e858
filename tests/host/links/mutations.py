"""Random changes of what an honest host writes: fields, bodies, bytes, frames that are left out, doubled, made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from runtimes.frames import Frame, Kind, encode

SIZES = {"kind": 8, "flags": 8, "slot": 16, "skip": 32, "count": 32, "first": 64}
BODIES = (
    b"", b"[]", b"{}", b"null", b"]", b"[[", b"[1]", b"[1,\n2]", b'["bad"]', b"\xff\xfe", b"\n", b",\n", b"key1",
    b"[" * 130 + b"]" * 130, b'{"ok":true}', b'{"ok":false}', b'{"ok":1}', b'{"level":"info","text":"x"}',
    b"[[0,1,1,0,0,1,0,5,0]]", b"[[0,0,0,0,0,0,0,0,0]]", b'{"protocol":1,"runtime":"x","version":"1","pid":1}',
    b'{"error":{"type":"E","message":"x"},"port":"in","id":"w#1","headers":null}',
)  # fmt: skip
VALUES = (
    None, True, False, -1, 0, 1, 2, 9, 1.5, 1e300, 2**31, 2**32, 2**63, 10**40, "", "x", "\ud800", "in", "bad", [],
    [[]], {}, {"a": 1}, ["start"], [None], {"type": "E", "message": "x"}, {"x-a": "1"}, "x" * 5000,
)  # fmt: skip


def some_number(random: Random, bits: int, old: int) -> int:
    """One that breaks things, if any does."""
    most = (1 << bits) - 1
    near = [0, 1, 2, 3, 7, 16, old + 1, old - 1, old ^ 1, old | 1 << random.randrange(bits), most, most - 1, most >> 1]
    return random.choice([*near, random.getrandbits(bits)]) & most


def other_field(random: Random, frame: Frame) -> list[Frame | bytes]:
    """One number of the header."""
    name = random.choice(list(SIZES))
    return [frame._replace(**{name: some_number(random, SIZES[name], getattr(frame, name))})]


def other_value(random: Random, frame: Frame) -> list[Frame | bytes]:
    """One node of the JSON in the body."""
    skip = frame.skip if frame.kind in (Kind.CONTEXT, Kind.ERROR) else 0
    head, text = frame.body[:skip], frame.body[skip:]
    if frame.kind == Kind.ERROR:
        head, text = b"", head
    try:
        value = change(random, json.loads(text))
    except ValueError:
        return [frame._replace(body=random.choice(BODIES))]
    changed = json.dumps(value, separators=(",", ":")).encode()
    if frame.kind == Kind.ERROR:
        return [frame._replace(body=changed + frame.body[skip:], skip=len(changed))]
    return [frame._replace(body=head + changed)]


def change(random: Random, value: Any) -> Any:
    """A value with one node changed, added or gone."""
    if isinstance(value, list | dict) and value and random.random() < 0.8:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = random.choice(keys)
        copy = value.copy()
        how = random.random()
        if how < 0.1:
            del copy[key]
        elif how < 0.2 and isinstance(copy, list):
            copy.insert(key, copy[key])
        else:
            copy[key] = change(random, copy[key])
        return copy
    if isinstance(value, int) and not isinstance(value, bool) and random.random() < 0.5:
        return value + random.choice([-2, -1, 1, 2, 1000])
    return random.choice(VALUES)


def other_bytes(random: Random, frame: Frame) -> list[Frame | bytes]:
    """Bytes of the body."""
    body = bytearray(frame.body)
    for _ in range(random.randint(1, 3)):
        at = random.randint(0, len(body))
        body[at : at + random.randint(0, 3)] = random.randbytes(random.randint(0, 3))
    return [frame._replace(body=bytes(body))]


def other_stream(random: Random, frame: Frame) -> list[Frame | bytes]:
    """Bytes of the whole, also those that say how long it is."""
    data = bytearray(encode(frame))
    for _ in range(random.randint(1, 4)):
        data[random.randrange(len(data))] = random.getrandbits(8)
    return [bytes(data)]


def cut(random: Random, frame: Frame) -> list[Frame | bytes]:
    """Not all of it."""
    data = encode(frame)
    return [data[: random.randrange(len(data))]]


def made_up(random: Random, _: Frame) -> Frame:
    """Any frame."""
    numbers = {name: some_number(random, bits, 0) for name, bits in SIZES.items() if random.random() < 0.5}
    kind = numbers.pop("kind", 0)
    if random.random() < 0.9:
        kind = random.choice(list(Kind))
    return Frame(int(kind), body=random.choice(BODIES), **numbers)


Mutation = Callable[[Random, Frame], "list[Frame | bytes]"]
MUTATIONS: dict[str, Mutation] = {
    "a field": other_field,
    "a value": other_value,
    "bytes of the body": other_bytes,
    "bytes of the frame": other_stream,
    "cut": cut,
    "another body": lambda random, frame: [frame._replace(body=random.choice(BODIES))],
    "left out": lambda _random, _frame: [],
    "twice": lambda _random, frame: [frame, frame],
    "one before it": lambda random, frame: [made_up(random, frame), frame],
    "another in its place": lambda random, frame: [made_up(random, frame)],
    "noise before it": lambda random, frame: [random.randbytes(random.randint(1, 100)), frame],
}
WEIGHTS = (5, 8, 2, 2, 1, 2, 2, 2, 3, 2, 1)


def mutate(random: Random, frame: Frame) -> tuple[str, list[Frame | bytes]]:
    """What is done, and what is written instead of the frame."""
    [name] = random.choices(list(MUTATIONS), WEIGHTS)
    return name, MUTATIONS[name](random, frame)
