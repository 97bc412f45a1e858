# ruff: noqa: E501 - a module's code reads best on one line
"""The core of runtimes/javascript where there is nothing of node: in a realm that has what a page's Worker has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtimes.frames import ALL_SLOTS, Kind
from tests.runtimes.node.host import NEEDS_NODE, Host
from tests.runtimes.node.test_values import IDENTITY

pytestmark = NEEDS_NODE

BARE_HOST = Path(__file__).parents[2] / "fixtures" / "hosts" / "javascript_bare.mjs"
BARE = ("node", "--experimental-vm-modules", "--no-warnings", str(BARE_HOST))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    started = Host(tmp_path, BARE)
    yield started
    started.close()


def test_load_data_commit_without_anything_of_node(host: Host) -> None:
    names = ["process", "Buffer", "require", "setImmediate", "global", "module", "performance"]
    kinds = ", ".join(f"typeof {name}" for name in names)
    host.module(f"export default (m, c) => {{ c.set('seen', m); return [m, {kinds}] }}")
    done = host.ask({"a": "é ☃ 🙂"}, 2)
    assert done.outputs[100] == [[m, *["undefined"] * 6, "object"] for m in ({"a": "é ☃ 🙂"}, 2)]
    assert done.context == {(0, "seen"): 2}
    assert done.counts[0][:6] == [2, 2, 0, 0, 2, 0]


def test_no_text_is_run_as_code(host: Host) -> None:
    host.module("export default () => { new Function('return 1')() }")
    assert host.ask(1).error()["type"] == "EvalError"


@pytest.mark.parametrize(
    "code", ["(m) => m", "(m, c) => c.send('out', m)", "async (m) => m", "function* (m) { yield m }"]
)
def test_values_arrive_as_they_are(host: Host, code: str) -> None:
    host.module(f"export default {code}")
    assert host.ask(*IDENTITY).outputs[100] == IDENTITY


def test_objects_of_one_shape_and_long_texts_over_a_fused_wire(host: Host) -> None:
    host.module("export default (m) => m", 1)
    host.module("export default (m) => m", 0, {"out": (100, [1])})
    sent = [{"n": n, "text": letter * (1 << n)} for n in range(21) for letter in ("x", "é")]
    done = host.ask(*sent)
    assert done.outputs == {100: sent, 101: sent}


def test_bytes_are_uint8array(host: Host) -> None:
    host.module("export default (m) => [m.constructor.name, m.length, m]")
    done = host.ask({"$bytes": "AAEC/w=="}, {"$bytes": ""}, {"$bytes": "?"})
    assert done.outputs[100] == [["Uint8Array", 4, {"$bytes": "AAEC/w=="}], ["Uint8Array", 0, {"$bytes": ""}]]
    assert done.error()["message"] == "$bytes without valid base64"


def test_what_is_no_utf_8_is_the_error_of_its_message(host: Host) -> None:
    host.module("export default (m) => m")
    host.raw('["é",\n"\xff",\n"☃"]'.encode().replace("\xff".encode(), b"\xff"), 3)
    done = host.collect(3)
    assert done.outputs[100] == ["é", "☃"]
    assert (done.error()["type"], done.indexes) == ("DataError", [1])


def test_errors_name_the_place_and_nothing_of_the_core(host: Host) -> None:
    host.module("export default (m) => {\n  throw new RangeError('far')\n}", name="far.mjs")
    error = host.ask(1).error()
    assert (error["type"], error["file"], error["line"], error["column"]) == ("RangeError", "far.mjs", 2, 9)
    assert ".mjs" not in error["stack"]
    assert host.load("export default (", 1)["error"]["type"] == "SyntaxError"
    host.module("export default (m) => { throw m === 1 ? 'text' : {toString: 1} }", 2)
    assert host.ask(1, slot=2).error() == {"type": "Error", "message": "text"}


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("new Date()", "a Date"), ("new Map()", "a Map"), ("new Set()", "a Set"), ("new Number(1)", "a Number"),
        ("new ArrayBuffer(1)", "an ArrayBuffer"), ("new Error('e')", "an Error"), ("NaN", "NaN"), ("1n << 64n", "an integer"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused(host: Host, value: str, what: str) -> None:
    host.module(f"export default () => ({{ at: {value} }})")
    error = host.ask(1).error()
    assert error["type"] == "DataError"
    assert error["message"].startswith(what) and "in at cannot be sent" in error["message"]


def test_sources_hooks_logs_and_pauses(host: Host) -> None:
    code = """export function* start(c) { console.log('begun', {a: 1}); for (let n = 0; n < 3; n++) { c.set('n', n); yield n } }
    export const stop = async (c) => { await null; c.send('out', 'end') }"""
    host.module(code)
    assert host.call("start")[0] == {"ok": True, "source": True}
    host.send(Kind.PULL, 0, count=2)
    seen = host.until(Kind.COMMIT)
    assert json.loads(seen[0].body) == {"level": "info", "text": "begun { a: 1 }"}
    values = [value for f in seen if f.kind == Kind.DATA for value in json.loads(f.body)]
    while len(values) < 2:  # one commit, or on a slow machine two
        values += [value for f in host.until(Kind.COMMIT) if f.kind == Kind.DATA for value in json.loads(f.body)]
    assert values == [0, 1]
    host.send(Kind.PULL, 0, count=5)
    host.until(Kind.FINISHED)
    assert b'"end"' in b"".join(frame.body for frame in host.call("stop")[1])
    host.pause()
    host.pause(ALL_SLOTS)


def test_numbers_beyond_53_bits_in_a_frame(host: Host) -> None:
    for number in (0, (1 << 32) + 5, (1 << 53) - 1, 1 << 53, (1 << 64) - 1):
        host.send(Kind.PING, first=number)
        assert host.next(Kind.PONG).first == number
    assert host.stop() == 0
