"""copying.c: a copy is what encoding and decoding make, or there is none; nothing of it is anybody else's."""

from __future__ import annotations

import gc
import os
import sys
from collections import OrderedDict
from enum import Enum
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from runtimes.python3.codec import NO_LIMIT, copy_plain, encode, restore
from runtimes.python3.flow import NULL, DataError

if copy_plain.__module__ == "runtimes.python3.codec":
    pytest.skip("copying.c is not compiled: there is no C compiler, or no Python.h", allow_module_level=True)

MANY = settings(max_examples=int(os.environ.get("EXAMPLES", "300")), database=None)


class Text(str):
    """A subclass."""


class Colour(Enum):
    """A value."""

    RED = "red"


TEXTS = st.one_of(st.text(max_size=5), st.sampled_from(["$bytes", "$$bytes", "a", "\x00", "\ud800"]))
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5), st.binary(max_size=5),
)  # fmt: skip
ODD = st.one_of(
    TEXTS, st.floats(), st.integers(-(2**64), 2**64),
    st.sampled_from([Text("t"), Colour.RED, {1}, {1: 2}, {Text("k"): 1}, OrderedDict(a=1), bytearray(b"a"), NULL, 1j]),
)  # fmt: skip


def nested(leaves: Any, keys: Any) -> Any:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(keys, inner, max_size=4),
        ),
        max_leaves=12,
    )


def kinds(value: Any) -> Any:
    """A value with the types of all its parts."""
    if isinstance(value, dict):
        return [type(value), [(kinds(key), kinds(item)) for key, item in value.items()]]
    if isinstance(value, list):
        return [type(value), [kinds(item) for item in value]]
    return [type(value), repr(value)]


def containers(value: Any) -> list[int]:
    """The ids of all that could be changed."""
    if isinstance(value, (list, tuple, dict)):
        inner = value.values() if isinstance(value, dict) else value
        return [id(value), *(number for item in inner for number in containers(item))]
    return []


@MANY
@given(nested(st.one_of(PLAIN, ODD), st.one_of(TEXTS, st.integers())))
def test_a_copy_is_what_a_wire_makes(value: Any) -> None:
    copy = copy_plain(value, NO_LIMIT)
    event("copied" if copy is not None else "left to the codec")
    if copy is None:
        return
    assert kinds(copy) == kinds(restore(encode(value)))
    assert not {*containers(value)} & {*containers(copy)}
    assert len({*containers(copy)}) == len(containers(copy)), "parts that are the same"


@MANY
@given(nested(PLAIN, st.text(max_size=3).filter(lambda key: not key.startswith("$"))), st.integers(0, 3000))
def test_it_is_sure_of_what_is_plain_and_fits(value: Any, room: int) -> None:
    size = len(encode(value))
    copy = copy_plain(value, room)
    assert size <= room or copy is None
    assert copy is not None or value is None or room < 10 * size + 30  # its estimate is not much over it


@pytest.mark.parametrize("level", [119, 120, 121, 200_000])
def test_depth(level: int) -> None:
    value: Any = []
    for number in range(level - 1):
        value = [value] if number % 2 else {"a": value}
    assert (copy_plain(value, NO_LIMIT) is not None) == (level <= 120)
    if level < 1000:
        try:
            encode(value)
        except DataError:
            assert level > 120
    while value:  # 200,000 levels at once would be too much for the interpreter's deallocator
        value = value.popitem()[1] if isinstance(value, dict) else value.pop()


def test_shared_parts_and_cycles() -> None:
    part = [1]
    left, right = copy_plain([part, part], NO_LIMIT)
    assert left == right == [1]
    assert left is not right
    part.append(part)
    assert copy_plain(part, NO_LIMIT) is None


def test_garbage_collection_in_the_middle() -> None:
    """Every allocation may run a finalizer, which may change the very value."""

    class Bomb:
        def __init__(self, value: list[Any]) -> None:
            self.value, self.me = value, self

        def __del__(self) -> None:
            self.value.clear()
            inner.clear()

    threshold = gc.get_threshold()
    try:
        for after in range(1, 60):
            inner: dict[str, Any] = {"a": [[1], [2]], "b": [{}, {}]}
            value = [[n, [n]] for n in range(20)] + [inner]
            Bomb(value)
            gc.set_threshold(after, 0, 0)
            copy_plain(value, NO_LIMIT)
            gc.set_threshold(0)
            gc.collect()
            assert not inner
    finally:
        gc.set_threshold(*threshold)


def test_it_keeps_no_references() -> None:
    key, text = "".join(["k", "1"]), "".join(["t", "1"])
    values: list[Any] = [{key: [text, {"a": text}]}, [text, 2**70], {key: float("nan")}, {"$" + key: text}]
    before = sys.getrefcount(key), sys.getrefcount(text)
    for value in values:
        for _ in range(1000):
            copy_plain(value, NO_LIMIT)
            copy_plain(value, 5)
    assert (sys.getrefcount(key), sys.getrefcount(text)) == before
    with pytest.raises(TypeError):
        copy_plain(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        copy_plain(1, "1")  # type: ignore[arg-type]
