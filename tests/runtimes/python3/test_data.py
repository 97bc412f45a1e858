"""Values and contexts of the python3 host, with both JSON libraries where it matters."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from runtimes.frames import (
    Kind,
)
from tests.runtimes.python3.host import ECHO, Host


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
