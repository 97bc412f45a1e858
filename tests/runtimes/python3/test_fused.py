"""Fused wires of the python3 host."""

from __future__ import annotations

import json

import pytest

from runtimes.frames import (
    NO_INDEX,
)
from tests.runtimes.python3.host import ECHO, Host


def test_async_turns_are_atomic_with_what_is_fused(host: Host) -> None:
    code = """
import asyncio
seen = []
async def run(m, c):
    seen.append(m)
    c.set('n', c.get('n', 0) + 1)
    await asyncio.sleep(0.002)
    seen.append(m)
    return [m, c.get('n'), seen[-2:]]
"""
    for slot in (0, 1):
        host.start(slot, f"async def run(m, c):\n    return [{slot}, m]", {"out": [None, False, [2]]})
    host.start(2, code)
    for n in range(5):
        host.data(0, n)
        host.data(1, n)
    done = host.until(20)
    got = done.outputs[2]
    assert [n for _, n, _ in got] == list(range(1, 11))
    assert all(pair == [m, m] for m, _, pair in got)
    assert [m[1] for m, _, _ in got if m[0] == 0] == list(range(5))
    assert done.context[2, "n"] == 10


def diamond(host: Host, prefix: str, fail: str = "") -> None:
    host.start(
        0,
        f"{prefix}def run(m, c):\n    c.send('other', 'first')\n    return m",
        {"out": [7, True, [1, 2]], "other": [None, False, [3]]},
    )
    host.start(
        1,
        f"{prefix}def run(m, c):\n    {fail or 'pass'}\n    m.append('one')\n    return m",
        {"out": [None, False, [3]]},
    )
    host.start(2, f"{prefix}def run(m, c):\n    m.append('two')\n    return m", {"out": [None, False, [3]]})
    host.start(
        3,
        f"{prefix}def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return [m, c.get('n'), c.message_id]",
        {"out": 9},
    )


@pytest.mark.parametrize("prefix", ["", "async "])
def test_fused_diamond(both: Host, prefix: str) -> None:
    diamond(both, prefix)
    both.data(0, ["x"], first=5)
    done = both.until(5)
    parent = "w0#5/m0.1"
    assert done.outputs == {
        7: [["x"]],
        9: [
            ["first", 1, "w0#5/m0.0"],
            [["x", "one"], 2, f"{parent}/m1.0"],
            [["x", "two"], 3, f"{parent}/m2.0"],
        ],
    }
    assert done.headers[7] == [{"id": parent}]
    assert done.context == {(3, "n"): 3}
    assert sum(row[8] for row in done.rows) == 5  # handler calls over fused wires
    assert [done.row(slot) for slot in range(4)] == [
        [1, 1, 0, 0, 2, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 3, 0, 0, 3, 0],
    ]


@pytest.mark.parametrize("prefix", ["", "async "])
def test_fused_failure_keeps_what_ran_before(both: Host, prefix: str) -> None:
    diamond(both, prefix, "m.append('spoilt'); raise ValueError('one')")
    both.data(0, ["x"])
    done = both.until(4)
    assert [m for m, _, _ in done.outputs[9]] == ["first", ["x", "two"]]
    frame, info, message = done.errors[0]
    assert (frame.slot, frame.count, json.loads(message)) == (1, NO_INDEX, ["x"])  # as it was sent
    assert info["id"] == "w0#0/m0.1"
    assert done.row(0)[:3] == [1, 1, 0]
    assert done.row(1)[:3] == [0, 1, 1]


@pytest.mark.parametrize("prefix", ["", "async "])
def test_a_fused_call_that_is_too_large_fails_alone(both: Host, prefix: str) -> None:
    both.start(
        0,
        f"{prefix}def run(m, c):\n    c.set('root', m)\n    return m",
        {"out": [None, False, [1]]},
        max_turn_bytes=1000,
    )
    code = f"{prefix}def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return [c.get('n'), 'x' * m]"
    both.start(1, code, max_turn_bytes=1000)
    both.data(0, 1, 2000, 2)
    done = both.until(5)
    assert done.types() == ["TurnTooLarge"]
    assert [(f.slot, f.count, message) for f, _, message in done.errors] == [(1, NO_INDEX, b"2000")]
    assert done.outputs[1] == [[1, "x"], [2, "xx"]]
    assert done.context == {(0, "root"): 2, (1, "n"): 2}


def test_long_fused_chain(host: Host) -> None:
    for slot in range(1200):
        assert host.load(slot, ECHO)["ok"]
    for slot in range(1200):
        host.wire(slot, {"out": [None, False, [slot + 1]] if slot < 1199 else 0})
    host.data(0, {"a": 1})
    assert host.until(1200).outputs == {0: [{"a": 1}]}
