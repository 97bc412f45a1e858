"""The python3 host, driven over its two FIFOs as the runner does it, with both JSON libraries where it matters."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtimes.frames import (
    ALL_SLOTS,
    DELETED,
    HEADERS,
    HELD,
    NO_INDEX,
    REDELIVERED,
    TURN_FLAG,
    Decoder,
    Frame,
    Kind,
    encode,
    join,
    split,
)

HOST = Path(__file__).parent.parent / "runtimes/python3/host.py"
WAIT_S = 10.0


class Host:
    """A host process and what it wrote."""

    def __init__(self, folder: str, library: str = "orjson") -> None:
        paths = [f"{folder}/in", f"{folder}/out"]
        for path in paths:
            os.mkfifo(path)
        self.input = os.open(paths[0], os.O_RDWR)
        self.output = os.open(paths[1], os.O_RDONLY | os.O_NONBLOCK)
        work = Path(folder) / "work"
        work.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(HOST), *paths],
            cwd=work,
            env={**os.environ, "RUNNER_HOST_JSON": library},
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        self.decoder = Decoder()
        self.frames: list[Frame] = []
        self.logs: list[tuple[int, str, str]] = []
        self.requests = 0
        self.hello = json.loads(self.next(Kind.HELLO).body)
        for path in paths:
            Path(path).unlink()

    def send(self, kind: Kind, slot: int = 0, body: Any = b"", **fields: int) -> None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.write(encode(Frame(kind, slot, body, **fields)))

    def write(self, data: bytes) -> None:
        os.set_blocking(self.input, False)
        limit = time.monotonic() + WAIT_S
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self.input, data) :]
            if data:
                self.poll(0.01)
                assert time.monotonic() < limit, "the host does not read"

    def poll(self, timeout: float) -> bool:
        if not select.select([self.output], [], [], timeout)[0]:
            return False
        data = os.read(self.output, 1 << 20)
        for frame in self.decoder.feed(data):
            if frame.kind == Kind.LOG:
                line = json.loads(frame.body)
                self.logs.append((frame.slot, line["level"], line["text"]))
            else:
                self.frames.append(frame)
        return bool(data)

    def next(self, kind: Kind | None = None, timeout: float = WAIT_S) -> Frame:
        limit = time.monotonic() + timeout
        while not self.frames:
            if not self.poll(max(0, limit - time.monotonic())):
                error = self.process.stderr.read() if self.process.poll() is not None and self.process.stderr else b""
                raise AssertionError(f"no frame; the host said {error.decode()!r}")
        frame = self.frames.pop(0)
        assert kind is None or frame.kind == kind, frame
        return frame

    def quiet(self, seconds: float = 0.05) -> bool:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and not self.frames:
            self.poll(0.01)
        return not self.frames

    def result(self) -> dict[str, Any]:
        frame = self.next(Kind.RESULT)
        assert frame.first == self.requests
        return json.loads(frame.body)  # type: ignore[no-any-return]

    def load(self, slot: int, code: str, **more: Any) -> dict[str, Any]:
        self.requests += 1
        module = more.pop("module", f"m{slot}")
        load = {
            "flow": "f", "module": module, "name": f"{module}.py", "code": code, "files": {}, "config": None, "ports": None,  # noqa: E501
            "concurrency": 1, "retry": False, "version": 1, "max_turn_bytes": 16 << 20, "context": {}, **more,
        }  # fmt: skip
        self.send(Kind.LOAD, slot, load, first=self.requests)
        return self.result()

    def wire(self, slot: int, out: dict[str, Any] | None = None, channel: int | None = None) -> None:
        """in: channel = slot, wire `wSLOT`; out: port -> channel, or [channel, ids, fused slots]."""
        wires: dict[str, Any] = {"in": {str(slot if channel is None else channel): ["in", f"w{slot}"]}, "out": {}}
        for port, target in ({"out": slot} if out is None else out).items():
            number, ids, fused = target if isinstance(target, list) else [target, False, []]
            wires["out"][port] = {"channel": number, "ids": ids, "fused": [[t, "in", f"f{slot}-{t}"] for t in fused]}
        self.send(Kind.WIRES, slot, wires)

    def start(self, slot: int, code: str, out: dict[str, Any] | None = None, **more: Any) -> None:
        assert self.load(slot, code, **more)["ok"]
        self.wire(slot, out)

    def data(self, channel: int, *messages: Any, flags: int = 0, first: int = 0) -> None:
        parts = [m if isinstance(m, bytes) else json.dumps(m, separators=(",", ":")).encode() for m in messages]
        self.send(Kind.DATA, channel, join(parts), flags=flags, count=len(parts), first=first)

    def call(self, slot: int, hook: str, **more: Any) -> int:
        self.requests += 1
        self.send(Kind.CALL, slot, {"hook": hook, **more}, first=self.requests)
        return self.requests

    def transaction(self) -> Transaction:
        return Transaction(self)

    def until(self, handled: int) -> Transaction:
        """Transactions until so many handler calls have ended, as one."""
        whole = self.transaction()
        while sum(row[2] for row in whole.rows) < handled:
            whole.add(self.transaction())
        return whole

    def run(self, channel: int, *messages: Any, **more: Any) -> list[Any]:
        """Outputs on the channel of the same number for these messages."""
        self.data(channel, *messages, **more)
        return self.until(len(messages)).outputs.get(channel, [])

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_S)
        assert self.process.stderr
        self.process.stderr.close()
        os.close(self.input)
        os.close(self.output)


class Transaction:
    """The frames up to a COMMIT."""

    def __init__(self, host: Host) -> None:
        self.outputs: dict[int, list[Any]] = {}
        self.raw: dict[int, list[bytes]] = {}
        self.headers: dict[int, list[Any]] = {}
        self.context: dict[tuple[int, str], Any] = {}
        self.errors: list[tuple[Frame, dict[str, Any], bytes]] = []
        self.data_frames = 0
        while (frame := host.next()).kind != Kind.COMMIT:
            if frame.kind == Kind.DATA:
                messages, headers = split(frame.body, frame.flags)
                assert len(messages) == frame.count
                self.data_frames += 1
                self.raw.setdefault(frame.slot, []).extend(messages)
                self.outputs.setdefault(frame.slot, []).extend(map(json.loads, messages))
                self.headers.setdefault(frame.slot, []).extend(map(json.loads, headers or [b"null"] * frame.count))
            elif frame.kind == Kind.CONTEXT:
                key = frame.body[: frame.skip].decode()
                deleted = frame.flags & DELETED
                self.context[frame.slot, key] = KeyError if deleted else json.loads(frame.body[frame.skip :])
            else:
                assert frame.kind == Kind.ERROR, frame
                self.errors.append((frame, json.loads(frame.body[: frame.skip]), frame.body[frame.skip :]))
        self.rows: list[list[int]] = json.loads(frame.body)

    def add(self, other: Transaction) -> None:
        for channel, values in other.outputs.items():
            self.outputs.setdefault(channel, []).extend(values)
            self.raw.setdefault(channel, []).extend(other.raw[channel])
            self.headers.setdefault(channel, []).extend(other.headers[channel])
        self.context.update(other.context)
        self.errors += other.errors
        self.data_frames += other.data_frames
        self.rows += other.rows

    def types(self) -> list[str]:
        return [info["error"]["type"] for _, info, _ in self.errors]

    def row(self, slot: int) -> list[int]:
        """[consumed, handled, failed, pulled, sent, unwired] of a slot, summed."""
        return [sum(column) for column in zip(*(row[1:7] for row in self.rows if row[0] == slot), strict=True)]


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as path:
        yield path


@pytest.fixture(params=["orjson", "stdlib"])
def both(request: pytest.FixtureRequest, folder: str) -> Iterator[Host]:
    host = Host(folder, request.param)
    yield host
    host.close()


@pytest.fixture
def host(folder: str) -> Iterator[Host]:
    host = Host(folder)
    yield host
    host.close()


ECHO = "def run(m, c):\n    return m"


def test_hello_and_transcript(both: Host) -> None:
    assert both.hello["runtime"] == "python3"
    assert both.hello["pid"] == both.process.pid
    assert both.load(0, "def run(m, c):\n    return m * 2") == {"ok": True, "hooks": []}
    both.wire(0)
    both.send(Kind.DATA, 0, b"[1,\n2,\n3]", skip=1, count=2, first=7)
    assert both.next() == Frame(Kind.DATA, 0, b"[4,\n6]", count=2)
    assert json.loads(both.next(Kind.COMMIT).body)[0][:7] == [0, 2, 2, 0, 0, 2, 0]
    both.send(Kind.PAUSE, 0, first=2)
    assert both.next() == Frame(Kind.PAUSED, 0, first=2)
    both.send(Kind.PING, first=9)
    assert both.next() == Frame(Kind.PONG, first=9)
    both.send(Kind.STOP)
    assert both.process.wait(WAIT_S) == 0


def test_context_commit_and_roll_back(both: Host) -> None:
    code = """
def run(m, c):
    c.set('n', c.get('n', 0) + 1)
    c.set('list', [*c.get('list', []), m])
    c.send('odd', m)
    if m == 'bad':
        raise ValueError('no')
"""
    both.start(3, code, {"odd": 2}, context={"n": 5})
    both.data(3, 1, "bad", 2)
    done = both.until(3)
    assert done.outputs == {2: [1, 2]}
    assert done.context == {(3, "n"): 7, (3, "list"): [1, 2]}
    assert done.row(3) == [3, 3, 1, 0, 2, 0]
    frame, info, message = done.errors[0]
    assert (frame.slot, frame.count, frame.first, message) == (3, 1, 1, b"")
    assert (info["port"], info["id"], info["headers"]) == ("in", "w3#1", None)
    error = info["error"]
    assert (error["type"], error["message"], error["file"], error["line"]) == ("ValueError", "no", "m3.py", 7)
    assert "raise ValueError('no')" in error["stack"]
    assert "runtimes/python3" not in error["stack"]


def test_context_is_by_value_and_limited(both: Host) -> None:
    code = """
from flow import ContextError, DataError
def run(m, c):
    if m == 'alias':
        a = [1]; c.set('a', a); a.append(2)
        b = c.get('a'); b.append(3)
        return [c.get('a'), sorted(c.keys())]
    if m == 'delete':
        c.delete('a'); c.delete('never'); return [c.get('a'), c.get('a', 'gone'), c.keys()]
    if m == 'null':
        c.set('z', None); return [c.get('z', 'absent')]
    result = []
    for key, value in (('x', 'y' * (1 << 20)), ('x', float('nan')), ('x', {1: 2}), ('x', 2 ** 63), (3, 1), ('x', '\\ud800')):
        try: c.set(key, value); result.append('set')
        except (ContextError, DataError) as e: result.append(type(e).__name__)
    return result
"""  # noqa: E501
    both.start(0, code, context={"old": 1})
    assert both.run(0, "alias") == [[[1], ["a", "old"]]]
    both.data(0, "delete")
    done = both.transaction()
    assert done.outputs[0] == [[None, "gone", ["old"]]]
    assert done.context == {(0, "a"): KeyError}
    assert both.run(0, "null") == [[None]]
    expected = ["ContextError", "DataError", "DataError", "DataError", "ContextError", "DataError"]
    assert both.run(0, "limits") == [expected]


def test_whole_context_is_limited(host: Host) -> None:
    code = "def run(m, c):\n    for i in range(70):\n        c.set(str(i), 'y' * 1000000)"
    host.start(0, code, max_turn_bytes=1 << 30)
    host.data(0, 1)
    assert host.transaction().types() == ["ContextError"]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_context_set_with_concurrency_raises(host: Host, concurrency: int) -> None:
    host.start(0, "async def run(m, c):\n    c.set('a', 1)", concurrency=concurrency)
    host.data(0, 1)
    assert host.transaction().types() == (["ContextError"] if concurrency > 1 else [])


DATA = [
    0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 1.5, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1 / 3, True, False, "", "é\u2028\x00",  # noqa: E501
    "😀", [], {}, [None], {"a": None}, {"": 1}, "null", {"$bytes": "AAE="}, {"$$bytes": "x"}, {"$bytes": "", "b": 1}, {"$byte": 1},  # noqa: E501
    {"k": [{"$$$bytes": {"$bytes": "/w=="}}]}, "2024-01-01T00:00:00-01:00", {"a": {"b": [1, "2", 3.25, None, True]}},
]  # fmt: skip


@pytest.mark.parametrize("handler", [ECHO, "import copy\ndef run(m, c):\n    yield copy.deepcopy(m)"])
def test_values_survive(both: Host, handler: str) -> None:
    both.start(0, handler)
    for got, want in zip(both.run(0, *DATA), DATA, strict=True):
        assert repr(got) == repr(want)
    assert both.run(0, DATA) == [DATA]


def test_top_level_null_and_no_value(both: Host) -> None:
    code = """
import flow
def run(m, c):
    if m is flow.NULL: return flow.NULL
    if m == 1: return None
    if m == 2: return [flow.NULL, None]
    c.send('out', flow.NULL)
"""
    both.start(0, code)
    assert both.run(0, None, 1, 2, 3) == [None, [None, None], None]


def test_bytes_are_native(both: Host) -> None:
    code = """
def run(m, c):
    if m == 'make': return [b'\\x00\\xff', bytearray(b'a'), memoryview(b'b'), (1, 2)]
    if isinstance(m, bytes): return [len(m), {'$bytes': 'own'}]
    return [list(m), type(list(m.values())[0]).__name__]
"""
    both.start(0, code)
    got = both.run(0, "make", {"$bytes": "AAEC"}, {"$$bytes": "x"}, {"$$$bytes": 1})
    assert got[0] == [{"$bytes": "AP8="}, {"$bytes": "YQ=="}, {"$bytes": "Yg=="}, [1, 2]]
    assert got[1] == [3, {"$$bytes": "own"}]
    assert got[2:] == [[["$bytes"], "str"], [["$$bytes"], "int"]]


REFUSED = [
    "float('nan')", "[float('inf')]", "{'a': [-float('inf')]}", "2 ** 63", "[2 ** 64 - 1]", "-2 ** 63 - 1", "10 ** 30", "{1: 2}",  # noqa: E501
    "{None: 1}", "'\\ud800'", "{'\\udfff': 1}", "{1, 2}", "object()", "datetime.datetime.now()", "datetime.date(2024, 1, 1)",  # noqa: E501
    "uuid.uuid4()", "[uuid.uuid4()]", "Point(1)", "deep(121)", "cycle()", "1j", "lambda: 1", "b'x' if False else deep(120, b'x')",  # noqa: E501
]  # fmt: skip
MAKE = """
import collections, dataclasses, datetime, enum, uuid
Point = dataclasses.make_dataclass('Point', ['x'])
Pair = collections.namedtuple('Pair', 'a b')
class Text(str): pass
class Count(int): pass
class Real(float): pass
class Color(enum.IntEnum): RED = 1
def deep(n, value=1):
    for _ in range(n): value = [value]
    return value
def cycle():
    a = []; a.append(a); return a
def run(m, c):
    value = eval(m)
    c.send('b', value)
    return value
"""


def test_what_cannot_be_sent_is_refused(both: Host) -> None:
    both.start(0, MAKE, {"out": 0, "b": 1})
    both.data(0, *REFUSED)
    done = both.until(len(REFUSED))
    assert done.types() == ["DataError"] * len(REFUSED)
    assert done.outputs == {}
    # By number, for the index is that in a transaction: a slow machine commits between.
    assert [frame.first for frame, _, _ in done.errors] == list(range(len(REFUSED)))
    both.wire(0)
    both.data(0, *REFUSED)  # the same as a result
    assert both.until(len(REFUSED)).types() == ["DataError"] * len(REFUSED)


IMPORT_LATE = """
import pickle, sys
def run(m, c):
    if m == 'text': return 'a-b-c-d-e-f'
    if m == 'pickled': return [pickle.loads(PICKLED)]
    import uuid, orjson
    return orjson.dumps(uuid.UUID(int=1)).decode() if m == 'own' else uuid.UUID(int=1)
PICKLED = b'cuuid\\nUUID\\n)\\x81}X\\x03\\x00\\x00\\x00intK\\x01sb.'
"""


@pytest.mark.parametrize("first", ["imported", "pickled"])
def test_a_uuid_is_refused_from_the_first_one_on(host: Host, first: str) -> None:
    """The host begins to look for UUIDs when a module imports `uuid`; which orjson then knows as ever."""
    host.start(0, IMPORT_LATE)
    host.data(0, "text", first, "text", "imported", "own")
    done = host.until(5)
    assert done.types() == ["DataError"] * 2
    assert [frame.first for frame, _, _ in done.errors] == [1, 3]
    assert done.outputs[0] == ["a-b-c-d-e-f", "a-b-c-d-e-f", '"00000000-0000-0000-0000-000000000001"']


def test_who_imported_uuid_before_the_host_keeps_it() -> None:
    code = "import sys, uuid; from runtimes.python3 import codec, uuids"
    code += "; assert uuids.known and sys.modules['uuid'] is uuid"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_subclasses_count_as_their_base(both: Host) -> None:
    both.start(0, MAKE)
    cases = [
        "Pair(1, 2)",
        "Text('t')",
        "[Count(3)]",
        "Real(0.5)",
        "Color.RED",
        "collections.OrderedDict(a=1)",
        "{Text('k'): 1}",
    ]
    assert both.run(0, *cases) == [[1, 2], "t", [3], 0.5, 1, {"a": 1}, {"k": 1}]


def nested(depth: int, value: bytes = b"1", opening: bytes = b"[") -> bytes:
    if opening == b"[":
        return b"[" * depth + value + b"]" * depth
    return b'{"a":' * depth + value + b"}" * depth


def test_depth_both_ways(both: Host) -> None:
    both.start(0, MAKE)
    assert both.run(0, "deep(120)", "1") == [json.loads(nested(120)), 1]
    both.start(1, ECHO)
    for opening in (b"[", b"{"):
        good, bad = nested(120, opening=opening), nested(121, opening=opening)
        both.data(1, 1, good, bad, nested(5000), 2)
        done = both.until(5)
        assert done.outputs[1] == [1, json.loads(good), 2]
        assert [(f.count, t) for (f, _, _), t in zip(done.errors, done.types(), strict=True)] == [
            (2, "DataError"),
            (3, "DataError"),
        ]


def test_what_cannot_be_received_is_refused(both: Host) -> None:
    both.start(0, "def run(m, c):\n    return [type(m).__name__, repr(m)]")
    bad = [b"{", b"NaN", b"[1e999]", b'"\xff"', b'"\\ud800"', b'{"$bytes":5}', b'{"$bytes":"?"}', b"", b"01", b'"\x01"']
    both.data(0, 1, *bad, 2)
    done = both.until(len(bad) + 2)
    assert done.types() == ["DataError"] * len(bad)
    assert done.outputs[0] == [["int", "1"], ["int", "2"]]
    assert done.errors[0][1]["id"] == "w0#1"
    wide = [
        b"9223372036854775807",
        b"9223372036854775808",
        b"18446744073709551615",
        b"-9223372036854775809",
        b"1" * 400 + b".5e-395",
    ]
    got = both.run(0, *wide[:4], b'[{"a":18446744073709551615}]', b'{"a":1,"a":2}', b"-9223372036854775808")
    assert [kind for kind, _ in got] == ["int", "float", "float", "float", "list", "dict", "int"]
    assert got[4][1] == "[{'a': 1.8446744073709552e+19}]"
    assert got[5][1] == "{'a': 2}"


def test_any_json_array_is_read(both: Host) -> None:
    both.start(0, ECHO)
    both.send(Kind.DATA, 0, b' [ 1 ,  {"a" : [ 1,\n 2] }, null ] ', count=3)
    assert both.until(3).raw[0] == [b"1", b'{"a":[1,2]}', b"null"]


def test_a_body_that_is_no_array(both: Host) -> None:
    both.start(0, ECHO)
    both.send(Kind.DATA, 0, b"garbage", count=2)
    assert both.until(2).types() == ["DataError"] * 2


def test_large_message(both: Host) -> None:
    both.start(0, ECHO)
    message = {"text": "x" * (1 << 20), "list": list(range(10000))}
    assert both.run(0, message) == [message]
    assert both.run(0, 1) == [1]


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


def test_turn_too_large_plain(both: Host) -> None:
    both.start(0, "def run(m, c):\n    if m: c.set('a', m)\n    return 'x' * m", max_turn_bytes=1000)
    both.start(1, "def run(m, c):\n    while True: c.send('out', m)", max_turn_bytes=1000)
    both.data(0, 2000, 900, 995)
    done = both.until(3)
    assert done.types() == ["TurnTooLarge", "TurnTooLarge"]
    assert done.context == {(0, "a"): 900}
    both.data(1, "x")
    assert both.until(1).types() == ["TurnTooLarge"]


def test_long_fused_chain(host: Host) -> None:
    for slot in range(1200):
        assert host.load(slot, ECHO)["ok"]
    for slot in range(1200):
        host.wire(slot, {"out": [None, False, [slot + 1]] if slot < 1199 else 0})
    host.data(0, {"a": 1})
    assert host.until(1200).outputs == {0: [{"a": 1}]}


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


def test_load_errors_name_file_and_line(both: Host) -> None:
    answer = both.load(0, "def run(m, c):\n    return (", name="a.py")
    assert answer["ok"] is False
    assert (answer["error"]["type"], answer["error"]["file"], answer["error"]["line"]) == ("SyntaxError", "a.py", 2)
    error = both.load(0, "x = 1\n\nnope()\n", name="b.py")["error"]
    assert (error["type"], error["file"], error["line"]) == ("NameError", "b.py", 3)
    error = both.load(0, "import helper", files={"helper.py": "\n\n1 / 0"})["error"]
    assert (error["type"], error["file"], error["line"]) == ("ZeroDivisionError", "helper.py", 3)
    error = both.load(0, "import helper", files={"helper.py": "if"})["error"]
    assert (error["type"], error["file"], error["line"]) == ("SyntaxError", "helper.py", 1)
    assert both.load(0, "x = 1")["error"]["type"] == "TypeError"
    assert both.load(0, "raise SystemExit")["error"]["type"] == "SystemExit"
    assert both.load(0, "def start(c): pass") == {"ok": True, "hooks": ["start"]}


def test_siblings_belong_to_one_load(host: Host) -> None:
    code = "import helper, pkg.deep\nfrom pkg import name\ndef run(m, c):\n    import helper as h\n    return [h.NAME, pkg.deep.X, name]"  # noqa: E501
    for slot, name in enumerate(("a", "b", "c")):
        files = {
            "helper.py": f"import codec\nNAME = '{name}' + codec.C",
            "codec.py": f"C = '{slot}'",
            "pkg/__init__.py": "from .deep import X as name",
            "pkg/deep.py": f"X = {slot}",
        }
        host.start(slot, code, files=files, module="same")
    for slot, name in enumerate(("a", "b", "c")):
        assert host.run(slot, 1) == [[f"{name}{slot}", slot, slot]]
    assert host.load(3, "import helper")["error"]["type"] == "ModuleNotFoundError"
    for name in ("link", "codec", "engine", "host"):
        assert host.load(3, f"import {name}")["error"]["type"] == "ModuleNotFoundError"


def test_an_error_in_a_sibling_names_it(host: Host) -> None:
    code = "import helper, json\ndef run(m, c):\n    return helper.parse(m)"
    host.start(0, code, files={"helper.py": "import json\ndef parse(m):\n    return json.loads(m)"})
    host.data(0, "{")
    error = host.until(1).errors[0][1]["error"]
    assert (error["type"], error["file"], error["line"]) == ("JSONDecodeError", "helper.py", 3)


def test_dataclasses_and_pickle_work_in_modules(host: Host) -> None:
    code = """
from __future__ import annotations
import dataclasses, pickle
@dataclasses.dataclass
class P:
    x: int = 1
def run(m, c):
    return pickle.loads(pickle.dumps(P(m))).x
"""
    host.start(0, code)
    assert host.run(0, 4) == [4]


@pytest.mark.parametrize("prefix", ["", "async "])
def test_hooks(both: Host, prefix: str) -> None:
    code = f"""
{prefix}def run(m, c): return m
{prefix}def start(c):
    c.set('began', c.config)
    c.send('out', 'hello')
{prefix}def stop(c): raise ValueError('stuck')
{prefix}def migrate(c, from_version): c.set('from', from_version)
"""
    answer = both.load(0, code, config={"a": 1})
    assert answer["hooks"] == ["start", "stop", "migrate"]
    both.wire(0)
    both.call(0, "start", turns=0)
    done = both.transaction()
    assert (done.outputs, done.context) == ({0: ["hello"]}, {(0, "began"): {"a": 1}})
    assert done.row(0) == [0, 0, 0, 0, 1, 0]
    assert both.result() == {"ok": True, "source": False}
    both.call(0, "migrate", from_version=3)
    assert both.transaction().context == {(0, "from"): 3}
    assert both.result()["ok"]
    both.call(0, "stop")
    answer = both.result()
    assert answer["ok"] is False
    assert answer["error"]["type"] == "ValueError"
    both.start(1, ECHO)
    both.call(1, "stop")
    assert both.result() == {"ok": True}


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
    code = "import time\ndef start(c):\n    yield 1\n    time.sleep(5)\n    yield 2\ndef stop(c):\n    c.set('stopped', 1)\ndef run(m, c): return m"  # noqa: E501
    begin(host, code)
    host.send(Kind.PULL, 0, count=5)
    assert host.until(1).outputs[0] == [1]
    start = time.monotonic()
    host.data(0, "x")
    assert host.until(1).outputs[0] == ["x"]
    host.send(Kind.PAUSE, ALL_SLOTS, first=5)
    assert host.next() == Frame(Kind.PAUSED, ALL_SLOTS, first=5)
    assert time.monotonic() - start < 1
    host.call(0, "stop")
    assert host.transaction().context == {(0, "stopped"): 1}
    assert host.result()["ok"]
    assert time.monotonic() - start < 3


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
    host.send(Kind.PULL, 0, count=100000)
    host.send(Kind.PAUSE, 0, first=1)
    total = 0
    while (frame := host.next()).kind != Kind.PAUSED:
        total += frame.count if frame.kind == Kind.DATA else 0
    assert total < 100000
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
    limit = time.monotonic() + WAIT_S
    while not host.logs and time.monotonic() < limit:
        host.poll(0.05)
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


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("prefix", ["", "async "])
def test_recall_in_the_middle_of_a_batch(host: Host, prefix: str, single: bool) -> None:
    host.start(0, f"import time\n{prefix}def run(m, c):\n    time.sleep(0.005)\n    return m")
    if single:
        host.write(b"".join(encode(Frame(Kind.DATA, 0, b"[%d]" % n, count=1, first=n)) for n in range(600)))
    else:
        host.data(0, *range(600))
    time.sleep(0.1)
    start = time.monotonic()
    host.send(Kind.PAUSE, 0, first=8)
    got: list[Any] = []
    consumed = 0
    while (frame := host.next()).kind != Kind.PAUSED:
        if frame.kind == Kind.DATA:
            got += json.loads(frame.body)
        else:
            consumed += json.loads(frame.body)[0][1]
    assert time.monotonic() - start < 0.5  # 50 ms; generous for a loaded machine
    assert 0 < len(got) < 200
    assert got == list(range(consumed))
    assert frame == Frame(Kind.PAUSED, 0, first=8)
    host.data(0, "again", first=consumed)
    assert host.until(1).outputs[0] == ["again"]


def test_recall_waits_for_async_turns(host: Host) -> None:
    host.start(0, ASYNC, concurrency=2)
    host.data(0, 100, 50, 1, 1)
    time.sleep(0.02)
    host.send(Kind.PAUSE, 0, first=3)
    done = host.until(2)
    assert done.outputs[0] == [100, 50]
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
    done = host.until(3)
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


def test_prints_become_logs(both: Host) -> None:
    code = """
import sys, threading
print('top')
def run(m, c):
    print('a', m); print('no end', end=''); print(' of line')
    print('err', file=sys.stderr); sys.stdout.write('x\\ny\\n'); sys.stdout.buffer.write(b'raw\\n'); print('p', end='', flush=True)
    c.log('debug', 'text \\ud800')
    t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()
"""  # noqa: E501
    both.start(4, code)
    both.data(4, 1)
    both.until(1)
    limit = time.monotonic() + WAIT_S
    while len(both.logs) < 10 and time.monotonic() < limit:
        both.poll(0.05)
    info = [(4, "info", text) for text in ("top", "a 1", "no end of line")]
    assert both.logs[:3] == info
    assert both.logs[3:9] == [
        (4, "error", "err"), (4, "info", "x"), (4, "info", "y"), (4, "info", "raw"), (4, "info", "p"), (4, "debug", "text ?"),  # noqa: E501
    ]  # fmt: skip
    assert both.logs[9] == (ALL_SLOTS, "info", "thread")


def test_async_prints_know_their_slot(host: Host) -> None:
    code = "import asyncio\nasync def run(m, c):\n    await asyncio.sleep(m / 1000)\n    print(m)"
    host.start(0, code)
    host.start(1, code)
    host.data(0, 40)
    host.data(1, 5)
    host.until(2)
    assert sorted(host.logs) == [(0, "info", "40"), (1, "info", "5")]


def test_system_exit_is_an_error_of_the_turn(both: Host) -> None:
    both.start(0, "import sys\ndef run(m, c):\n    if m: sys.exit(3)\n    raise KeyboardInterrupt")
    both.data(0, 1, 0)
    assert both.until(2).types() == ["SystemExit", "KeyboardInterrupt"]
    both.start(1, "async def run(m, c):\n    raise SystemExit(3)")
    both.data(1, 1)
    assert both.until(1).types() == ["SystemExit"]


def test_unload_and_load_again(host: Host) -> None:
    for version in range(3):
        host.start(
            0,
            f"import helper\ndef run(m, c):\n    return [m, helper.V, {version}]",
            files={"helper.py": f"V = {version}"},
        )
        assert host.run(0, 1) == [[1, version, version]]
        host.requests += 1
        host.send(Kind.UNLOAD, 0, first=host.requests)
        assert host.result() == {"ok": True}


def test_transactions_are_cut_at_64_kib(host: Host) -> None:
    host.start(0, "def run(m, c):\n    return 'x' * 1000")
    host.data(0, *range(600))
    sizes: list[int] = []
    while sum(sizes) < 600:
        sizes.append(len(host.transaction().outputs[0]))
    assert max(sizes) <= 70


def test_end_of_input_ends_the_host(host: Host) -> None:
    os.close(host.input)
    host.input = os.open(os.devnull, os.O_RDONLY)
    assert host.process.wait(WAIT_S) == 0


def test_unknown_kind_ends_the_host(host: Host) -> None:
    host.write(b"\0\0\0\0\x63" + bytes(19))
    assert host.process.wait(WAIT_S) == 3


def test_stop_finishes_async_turns(host: Host) -> None:
    host.start(0, ASYNC)
    host.data(0, 100, 1)
    time.sleep(0.03)
    host.send(Kind.STOP)
    assert host.transaction().outputs[0] == [100]
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


def test_an_error_of_the_host_itself_is_told(host: Host) -> None:
    host.send(Kind.DATA, 77, b"[1]", count=1)
    assert host.process.wait(WAIT_S) == 1
    assert host.process.stderr
    assert b"KeyError" in host.process.stderr.read()


def test_interrupts_are_ignored(host: Host) -> None:
    host.process.send_signal(2)
    host.start(0, ECHO)
    assert host.run(0, 1) == [1]
