"""Turns of the python3 host: generators, coroutines, recall, retry, transactions."""

from __future__ import annotations

import json

import pytest

from runtimes.frames import (
    HEADERS,
    HELD,
    REDELIVERED,
    TURN_FLAG,
    Frame,
    Kind,
    encode,
    join,
)
from tests.runtimes.python3.host import ECHO, GATED, WAIT_S, Host


def test_generators_send_each_value(both: Host) -> None:
    code = """
def run(m, c):
    a = []
    for i in range(m):
        a.append(i)
        yield a
    if m == 2: raise RuntimeError('late')
"""
    both.start(0, code)
    both.data(0, 1, 2, 3)
    done = both.until(3)
    assert done.outputs[0] == [[0], [0], [0, 1], [0, 1, 2]]
    assert done.types() == ["RuntimeError"]


def test_a_returned_generator_counts_as_one(host: Host) -> None:
    host.start(0, "def run(m, c):\n    return (i for i in range(m))")
    assert host.run(0, 2, 0, 1) == [0, 1, 0]


ASYNC = """
import asyncio
async def run(m, c):
    await asyncio.sleep(m / 1000)
    c.send('b', m)
    return m
"""


def test_async_and_async_generator(both: Host) -> None:
    both.start(0, ASYNC, {"out": 0, "b": 1})
    both.data(0, 3, 0, 1)
    done = both.until(3)
    assert done.outputs == {0: [3, 0, 1], 1: [3, 0, 1]}
    code = "async def run(m, c):\n    for i in range(m):\n        yield i\n    if m == 2: 1 / 0"
    both.start(2, code)
    both.data(2, 1, 2, 3)
    done = both.until(3)
    assert done.outputs[2] == [0, 0, 1, 2]
    assert done.types() == ["ZeroDivisionError"]
    both.start(4, ECHO)  # a sync module beside them
    assert both.run(4, *range(600)) == list(range(600))


def test_async_throughput_shares_frames(host: Host) -> None:
    host.start(0, "import asyncio\nasync def run(m, c):\n    await asyncio.sleep(0)\n    return m")
    host.data(0, *range(2000))
    done = host.until(2000)
    assert done.outputs[0] == list(range(2000))
    assert done.data_frames < 1000


def test_concurrency_overlaps_and_commits_in_order(host: Host) -> None:
    code = """
import asyncio
now = most = 0
async def run(m, c):
    global now, most
    now += 1; most = max(most, now)
    await asyncio.sleep(m / 1000)
    now -= 1
    if m == 13: raise ValueError(c.message_id)
    return [m, most, c.message_id]
"""
    host.start(0, code, concurrency=4)
    host.data(0, 60, 1, 13, 30, 1, 1)
    done = host.until(6)
    assert [m for m, _, _ in done.outputs[0]] == [60, 1, 30, 1, 1]
    assert max(most for _, most, _ in done.outputs[0]) == 4
    assert [i for _, _, i in done.outputs[0]] == ["w0#0", "w0#1", "w0#3", "w0#4", "w0#5"]
    assert [f.first for f, _, _ in done.errors] == [2]


def test_different_slots_interleave(host: Host) -> None:
    host.start(0, ASYNC)
    host.start(1, ASYNC)
    host.data(0, 300)
    host.data(1, 1)
    assert host.until(1).outputs == {1: [1]}
    assert host.until(1).outputs == {0: [300]}


def test_turn_too_large_plain(both: Host) -> None:
    both.start(0, "def run(m, c):\n    if m: c.set('a', m)\n    return 'x' * m", max_turn_bytes=1000)
    both.start(1, "def run(m, c):\n    while True: c.send('out', m)", max_turn_bytes=1000)
    both.data(0, 2000, 900, 995)
    done = both.until(3)
    assert done.types() == ["TurnTooLarge", "TurnTooLarge"]
    assert done.context == {(0, "a"): 900}
    both.data(1, "x")
    assert both.until(1).types() == ["TurnTooLarge"]


def test_headers_are_inherited(both: Host) -> None:
    code = """
def run(m, c):
    if m == 'bad':
        c.send('out', 1, {'other': 'x'})
    c.send('out', [c.headers, c.message_id, c.redelivered, c.port])
    c.send('out', 2, headers={'x-own': 'y'})
    c.send('out', 3, headers={})
"""
    both.start(0, code)
    headers = [b'{"client":"me","id":"given#1"}', b"null", b'{"x-a":"b"}']
    body = join([b'"a"', b'"b"', b'"bad"'], headers)
    both.send(Kind.DATA, 0, body, flags=HEADERS | REDELIVERED, count=3, first=4)
    done = both.until(3)
    assert done.outputs[0] == [
        [{"client": "me"}, "given#1", True, "in"], 2, 3, [{}, "w0#5", True, "in"], 2, 3,
    ]  # fmt: skip
    assert done.headers[0] == [{"client": "me"}, {"x-own": "y"}, None, None, {"x-own": "y"}, None]
    assert done.types() == ["ValueError"]
    assert done.errors[0][1]["headers"] == {"x-a": "b"}


def test_ports_and_unwired(both: Host) -> None:
    code = "def run(m, c):\n    c.send(m, 1)\n    return 2"
    both.start(0, code, {}, ports={"in": ["in"], "out": ["out", "alarm"]})
    both.data(0, "alarm", "nowhere", "error")
    done = both.until(3)
    assert done.types() == ["PortError"]
    assert done.row(0) == [3, 3, 1, 0, 0, 4]
    both.start(1, "def run(m, c):\n    return 2", {}, ports={"in": ["in"], "out": ["alarm"]})
    both.data(1, 1)
    assert both.until(1).types() == ["PortError"]


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("prefix", ["", "async "])
def test_recall_in_the_middle_of_a_batch(host: Host, prefix: str, single: bool) -> None:
    host.start(0, f"import time\n{prefix}def run(m, c):\n    time.sleep(0.005)\n    return m")
    if single:
        host.write(b"".join(encode(Frame(Kind.DATA, 0, b"[%d]" % n, count=1, first=n)) for n in range(2000)))
    else:
        host.data(0, *range(2000))
    begun = host.transaction()
    got, consumed = begun.outputs[0], begun.row(0)[0]
    host.send(Kind.PAUSE, 0, first=8)
    while (frame := host.next()).kind != Kind.PAUSED:
        if frame.kind == Kind.DATA:
            got += json.loads(frame.body)
        else:
            consumed += json.loads(frame.body)[0][1]
    assert len(got) < 1000  # of 10 s
    assert got == list(range(consumed))
    assert frame == Frame(Kind.PAUSED, 0, first=8)
    host.data(0, "again", first=consumed)
    assert host.until(1).outputs[0] == ["again"]


def test_recall_waits_for_async_turns(host: Host) -> None:
    host.start(0, GATED, concurrency=2)
    host.data(0, 1, 2, 3, 4)
    host.begun(1, 2)
    host.send(Kind.PAUSE, 0, first=3)
    host.send(Kind.PING, first=4)
    assert host.next(Kind.PONG).first == 4
    host.open()
    assert host.until(2).outputs[0] == [1, 2]
    assert host.next() == Frame(Kind.PAUSED, 0, first=3)
    assert host.quiet()


HOLDS_MUCH = """
import gc
gc.disable()
freed = []
class Much:
    def __del__(self): freed.append(1)
def values():
    much = Much()
    yield 1
    raise ValueError
{prefix}def run(m, c):
    if m == 'values': return values()
    if m == 'bad':
        much = Much()
        raise ValueError
    return len(freed)
"""


@pytest.mark.parametrize("bad", ["bad", "values"])
@pytest.mark.parametrize("frames", ["one", "two"])
@pytest.mark.parametrize("kind", ["alone", "fused", "async"])
def test_what_a_failed_turn_held_is_freed_at_once(host: Host, kind: str, frames: str, bad: str) -> None:
    """Not at the next collection: after a MemoryError the host would have none left."""
    code = HOLDS_MUCH.replace("{prefix}", "async " if kind == "async" else "")
    if kind == "async" and bad == "values":
        code = code.replace("return values()", "return [value for value in values()]")
    host.start(0, "def run(m, c):\n    return m" if kind == "fused" else code)
    if kind == "fused":
        host.start(1, code, {"out": 0})
        host.wire(0, {"out": [None, False, [1]]})
    if frames == "one":
        host.data(0, bad, bad, "report")
    else:
        for message in (bad, bad, "report"):
            host.data(0, message)
    done = host.transaction()
    while 0 not in done.outputs:  # each may come with a transaction of its own
        done.add(host.transaction())
    assert done.types() == ["ValueError"] * 2
    assert done.outputs[0] == [2]


@pytest.mark.parametrize(("prefix", "concurrency"), [("", 1), ("async ", 1), ("async ", 3)])
def test_retry_holds_the_message(both: Host, prefix: str, concurrency: int) -> None:
    both.start(
        0,
        f"{prefix}def run(m, c):\n    if m == 'bad': raise ValueError\n    return m",
        retry=True,
        concurrency=concurrency,
    )
    both.data(0, 1, 2, "bad", 3, 4)
    done = both.transaction()
    while not done.errors:
        done.add(both.transaction())
    frame, _, message = done.errors[0]
    assert (frame.flags, frame.first, message) == (HELD, 2, b"")
    assert done.outputs[0] == [1, 2]
    assert done.row(0) == [2, 3, 1, 0, 2, 0]
    both.data(0, 5, 6, first=3)  # under way already when the runner learns of it
    assert both.quiet()
    both.send(Kind.PAUSE, 0, first=9)
    assert both.next() == Frame(Kind.PAUSED, 0, first=9)
    assert both.run(0, 3) == [3]


@pytest.mark.parametrize("prefix", ["", "async "])
def test_announced_turns(host: Host, prefix: str) -> None:
    host.start(0, f"{prefix}def run(m, c):\n    return m")
    host.data(0, "a", "b", flags=TURN_FLAG, first=3)
    for number, message in ((3, "a"), (4, "b")):
        assert host.next() == Frame(Kind.TURN, 0, first=number)
        assert host.transaction().outputs[0] == [message]


def test_transactions_are_cut_at_64_kib(host: Host) -> None:
    host.start(0, "def run(m, c):\n    return 'x' * 1000")
    host.data(0, *range(600))
    sizes: list[int] = []
    while sum(sizes) < 600:
        sizes.append(len(host.transaction().outputs[0]))
    assert max(sizes) <= 70


def test_stop_finishes_async_turns(host: Host) -> None:
    host.start(0, GATED)
    host.data(0, 1, 2)
    host.begun(1)
    host.send(Kind.STOP)
    host.open()
    assert host.transaction().outputs[0] == [1]
    assert host.process.wait(WAIT_S) == 0


def test_single_messages_take_the_short_way_alike(both: Host) -> None:
    code = """
import flow
def run(m, c):
    c.set('n', c.get('n', 0) + 1)
    if m == 'bad': raise ValueError(c.message_id)
    if m == 'many': return (i for i in range(3))
    if m == 'sent': c.send('b', [c.port, c.redelivered, c.headers])
    return [m is flow.NULL, c.get('n'), c.message_id]
"""
    both.start(0, code, {"out": 0, "b": 1})
    results = []
    for first, message in enumerate([1, None, "bad", "many", "sent", {"$bytes": "AA=="}, "x" * 300]):
        both.data(0, message, first=first)
        done = both.transaction()
        results.append(done.outputs.get(0, done.types()))
        assert done.row(0)[:2] == [1, 1]
        if message == "sent":
            assert done.outputs[1] == [["in", False, {}]]
    assert results == [
        [[False, 1, "w0#0"]],
        [[True, 2, "w0#1"]],
        ["ValueError"],
        [0, 1, 2],
        [[False, 4, "w0#4"]],
        [[False, 5, "w0#5"]],
        [[False, 6, "w0#6"]],
    ]
    both.data(0, b"{", first=9)
    assert both.transaction().types() == ["DataError"]
