"""Sources of the python3 host, and sends outside turns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtimes.frames import (
    ALL_SLOTS,
    NO_INDEX,
    Frame,
    Kind,
)
from tests.runtimes.python3.host import Host

SOURCE = """
{prefix}def start(c):
    try:
        while True:
            n = c.get('n', 0)
            if n == c.config['end']: break
            c.set('n', n + 1)
            if n == c.config.get('fail'): raise ValueError('spent')
            yield n
        c.set('done', True)
    finally:
        print('closed')
"""


def begin(host: Host, code: str, slot: int = 0, turns: int = 0, **config: Any) -> None:
    host.start(slot, code, config=config)
    host.call(slot, "start", turns=turns)
    while (frame := host.next()).kind == Kind.COMMIT:
        pass
    assert frame.kind == Kind.RESULT
    assert json.loads(frame.body) == {"ok": True, "source": True}


@pytest.mark.parametrize("prefix", ["", "async "])
def test_source_follows_credit(both: Host, prefix: str) -> None:
    begin(both, SOURCE.format(prefix=prefix), end=5)
    assert both.quiet()
    both.send(Kind.PULL, 0, count=3)
    done = both.until(3)
    assert done.outputs[0] == [0, 1, 2]
    assert done.context == {(0, "n"): 3}
    assert done.row(0) == [0, 3, 0, 3, 3, 0]
    assert both.quiet()
    both.send(Kind.PULL, 0, count=10)
    rest = both.transaction()
    while (0, "done") not in rest.context:
        rest.add(both.transaction())
    assert rest.outputs[0] == [3, 4]
    frame = both.next(Kind.FINISHED)
    assert json.loads(frame.body) == {"ok": True}


@pytest.mark.parametrize("prefix", ["", "async "])
def test_source_failure(both: Host, prefix: str) -> None:
    begin(both, SOURCE.format(prefix=prefix), end=9, fail=2, turns=40)
    both.send(Kind.PULL, 0, count=9)
    done = both.transaction()
    while not done.errors:
        done.add(both.transaction())
    assert done.outputs[0] == [0, 1]
    assert done.context == {(0, "n"): 2}
    frame, info, message = done.errors[0]
    assert (frame.count, frame.first, message) == (NO_INDEX, 42, b"")
    assert info["id"] == "m0.start#42"
    assert json.loads(both.next(Kind.FINISHED).body) == {"ok": False}


@pytest.mark.parametrize("prefix", ["", "async "])
def test_busy_source_shares_frames(host: Host, prefix: str) -> None:
    begin(host, SOURCE.format(prefix=prefix), end=5000)
    host.send(Kind.PULL, 0, count=5000)
    done = host.until(5000)
    assert done.outputs[0] == list(range(5000))
    assert done.data_frames < 200


def test_source_with_fused_target_and_run(host: Host) -> None:
    host.start(
        0,
        SOURCE.format(prefix="") + "def run(m, c):\n    c.send('out', c.get('n'))",
        {"out": [None, False, [1]]},
        config={"end": 99},
    )
    host.start(1, "def run(m, c):\n    return [m, c.message_id]")
    host.call(0, "start", turns=0)
    host.next(Kind.COMMIT)
    assert host.result()["source"]
    host.send(Kind.PULL, 0, count=2)
    assert host.until(4).outputs[1] == [[0, "m0.start#0/m0.0"], [1, "m0.start#1/m0.0"]]
    host.data(0, 1)
    assert host.until(2).outputs[1] == [[2, "w0#0/m0.0"]]


def test_a_blocking_source_keeps_nobody_waiting(host: Host) -> None:
    code = "import time\ndef start(c):\n    yield 1\n    time.sleep(1000)\n    yield 2\ndef stop(c):\n    c.set('stopped', 1)\ndef run(m, c): return m"  # noqa: E501
    begin(host, code)
    host.send(Kind.PULL, 0, count=5)
    assert host.until(1).outputs[0] == [1]
    host.data(0, "x")
    assert host.until(1).outputs[0] == ["x"]
    host.send(Kind.PAUSE, ALL_SLOTS, first=5)
    assert host.next() == Frame(Kind.PAUSED, ALL_SLOTS, first=5)
    host.call(0, "stop")
    assert host.transaction().context == {(0, "stopped"): 1}
    assert host.result()["ok"]


AFTER_THE_SOURCE = """
import threading
seen = []
def start(c):
    seen.extend([c, threading.current_thread()])
    yield 'first'
def run(m, c):
    seen[1].join()
    sent = []
    def later():
        if threading.get_ident() == seen[1].ident:
            seen[0].send('out', 'later')
            sent.append(True)
    for _ in range(100):
        thread = threading.Thread(target=later)
        thread.start()
        thread.join()
        if sent: return 'sent'
    return 'no thread got that number'
"""


def test_a_thread_with_the_number_of_an_ended_source_sends_outside_any_turn(host: Host) -> None:
    begin(host, AFTER_THE_SOURCE)
    host.send(Kind.PULL, 0, count=5)
    assert host.until(1).outputs[0] == ["first"]
    host.transaction()
    assert host.next().kind == Kind.FINISHED
    host.data(0, "go")
    done = host.until(1)
    if done.outputs[0] == ["no thread got that number"]:
        pytest.skip(done.outputs[0][0])
    while len(done.outputs[0]) < 2:
        done.add(host.transaction())
    assert done.outputs[0] == ["sent", "later"]


@pytest.mark.parametrize("prefix", ["", "async "])
def test_stop_closes_the_source_first(host: Host, prefix: str) -> None:
    begin(host, SOURCE.format(prefix=prefix) + "def stop(c): print('stop')", end=10**9)
    host.send(Kind.PULL, 0, count=3)
    host.until(3)
    host.call(0, "stop")
    assert host.transaction().row(0)[1] == 0
    assert host.result()["ok"]
    host.send(Kind.PULL, 0, count=3)
    assert host.quiet()
    assert [text for _, _, text in host.logs] == ["closed", "stop"]


def test_recall_takes_the_credit_back(host: Host) -> None:
    begin(host, SOURCE.format(prefix=""), end=10**9)
    host.send(Kind.PULL, 0, count=1 << 30)
    host.send(Kind.PAUSE, 0, first=1)
    total = 0
    while (frame := host.next()).kind != Kind.PAUSED:
        total += frame.count if frame.kind == Kind.DATA else 0
    assert total < 1 << 30
    assert host.quiet()
    host.send(Kind.PULL, 0, count=1)
    assert host.until(1).outputs[0] == [total]


def test_send_outside_a_turn_from_a_thread(host: Host) -> None:
    code = """
import threading, flow
go = threading.Event()
def start(c):
    def work():
        while True:
            go.wait(); go.clear()
            try:
                assert c.send('out', 'tick') is None
            except flow.CreditError as e:
                c.log('warning', type(e).__name__)
    threading.Thread(target=work, daemon=True).start()
def run(m, c):
    go.set()
"""
    host.start(0, code)
    host.call(0, "start", turns=0)
    host.next(Kind.COMMIT)
    assert host.result()["ok"]
    host.send(Kind.PULL, 0, count=1)
    host.data(0, 1)
    done = host.transaction()
    while not done.outputs:
        done.add(host.transaction())
    assert done.outputs[0] == ["tick"]
    assert done.row(0) == [1, 1, 0, 1, 1, 0]
    host.data(0, 2)  # the thread waits now, for credit or for the end of its module
    assert host.until(1).outputs == {}
    assert host.quiet()
    host.send(Kind.PULL, 0, count=1)
    assert host.until(0).outputs[0] == ["tick"]
    host.data(0, 3)
    host.until(1)
    host.send(Kind.UNLOAD, 0, first=99)
    assert host.next(Kind.RESULT).first == 99
    host.has_logged(1)
    assert host.logs == [(0, "warning", "CreditError")]


def test_a_send_outside_a_turn_in_the_main_thread_cannot_wait(host: Host) -> None:
    host.start(0, "import builtins\ndef start(c):\n    builtins.others = c\ndef run(m, c): pass")
    host.call(0, "start", turns=0)
    host.transaction()
    assert host.result()["ok"]
    host.start(1, "def run(m, c):\n    others.send('out', m)")
    host.data(1, "x")
    assert host.until(1).types() == ["CreditError"]
    host.send(Kind.PULL, 0, count=1)
    host.data(1, "y")
    done = host.until(1)
    while not done.outputs:
        done.add(host.transaction())
    assert done.outputs == {0: ["y"]}


def test_send_outside_a_turn_on_the_loop_waits(host: Host) -> None:
    code = """
import asyncio
tasks = []
async def start(c):
    async def tick():
        for n in range(4):
            await asyncio.sleep(0.001)
            await c.send('out', n)
            c.log('info', f'sent {n}')
    tasks.append(asyncio.create_task(tick()))
async def run(m, c):
    await asyncio.sleep(0.02)
    return 'turn'
"""
    host.start(0, code)
    host.call(0, "start", turns=0)
    host.next(Kind.COMMIT)
    assert host.result()["ok"]
    assert host.quiet()
    host.send(Kind.PULL, 0, count=2)
    done = host.transaction()
    while len(done.outputs.get(0, [])) < 2:
        done.add(host.transaction())
    assert done.outputs[0] == [0, 1]
    assert host.quiet()
    host.data(0, 1)
    assert host.until(1).outputs[0] == ["turn"]
    host.send(Kind.PULL, 0, count=2)
    done = host.transaction()
    while len(done.outputs.get(0, [])) < 2:
        done.add(host.transaction())
    assert done.outputs[0] == [2, 3]


TICKS = """
import asyncio
import flow
tasks = []
async def start(c):
    async def tick():
        for n in range(3):
            c.send('out', n)
        try:
            await c.send('out', 3)
            await c.send('out', 4)
        except flow.CreditError as error:
            c.log('info', str(error))
            try:
                c.send('out', 4)
            except flow.CreditError as error:
                c.log('info', str(error))
    tasks.append(asyncio.create_task(tick()))
async def run(m, c):
    return m
"""


def test_what_waits_for_credit_is_sent_by_the_next_version(host: Host) -> None:
    host.start(0, TICKS)
    host.call(0, "start", turns=0)
    host.next(Kind.COMMIT)
    assert host.result()["ok"]
    assert host.quiet()
    host.start(1, "async def run(m, c):\n    return m", module="m0", version=2)
    host.send(Kind.UNLOAD, 0, first=host.requests)
    assert host.result()["ok"]
    for values in ([0, 1], [2, 3]):
        host.send(Kind.PULL, 1, count=2)
        done = host.transaction()
        while len(done.outputs.get(1, [])) < 2:
            done.add(host.transaction())
        assert done.outputs == {1: values}


def test_what_cannot_be_sent_any_more_is_said(host: Host) -> None:
    host.start(0, TICKS)
    host.call(0, "start", turns=0)
    host.next(Kind.COMMIT)
    assert host.result()["ok"]
    assert host.quiet()
    host.send(Kind.UNLOAD, 0, first=host.requests)
    assert host.result()["ok"]
    host.has_logged(3)
    assert [line[2] for line in host.logs] == [
        "it ended before 4 of its messages, sent outside any turn, could be handed on",
        "m0 ended before this could be sent",
        "this is an old version of m0: end its tasks in `stop`",
    ]
