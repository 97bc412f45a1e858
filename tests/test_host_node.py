# ruff: noqa: E501 - a module's code reads best on one line
"""The node host, driven over its two pipes as a runner does (runtimes/PROTOCOL.md)."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtimes import frames
from runtimes.frames import ALL_SLOTS, HEADERS, HELD, NO_INDEX, REDELIVERED, TURN_FLAG, Frame, Kind

HOST = Path(__file__).parents[1] / "runtimes" / "node" / "host.js"
TIMEOUT_S = 20.0

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="apt-get install nodejs"),
    pytest.mark.timeout(60),
]


class Host:
    """A started host and the runner's ends of its pipes."""

    def __init__(self, folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        paths = [str(folder / name) for name in ("input", "output")]
        for path in paths:
            os.mkfifo(path)
        self.input = os.open(paths[0], os.O_RDWR | os.O_NONBLOCK)
        self.output = os.open(paths[1], os.O_RDONLY | os.O_NONBLOCK)
        environment = {"PATH": os.environ["PATH"], "TMPDIR": str(work), "HOME": str(work)}
        self.stderr = (folder / "stderr").open("wb")
        self.process = subprocess.Popen(
            ["node", str(HOST), *paths], cwd=work, env=environment, stdin=subprocess.DEVNULL, stderr=self.stderr
        )
        self.decoder = frames.Decoder()
        self.frames: list[Frame] = []
        self.requests = 0
        self.hello = json.loads(self.next(Kind.HELLO).body)
        for path in paths:
            Path(path).unlink()

    def send(self, kind: int, slot: int = 0, body: bytes = b"", **fields: int) -> None:
        data = memoryview(frames.encode(Frame(kind, slot, body, **fields)))
        while data:
            self._pump()
            _, writable, _ = select.select([], [self.input], [], 0.05)
            if writable:
                data = data[os.write(self.input, data) :]

    def _pump(self, timeout_s: float = 0) -> None:
        if select.select([self.output], [], [], timeout_s)[0]:
            data = os.read(self.output, 1 << 20)
            assert data or self.process.wait(TIMEOUT_S) is not None
            self.frames += self.decoder.feed(data)

    def read(self, timeout_s: float = TIMEOUT_S) -> Frame:
        """The next frame, whatever it is."""
        end = time.monotonic() + timeout_s
        while not self.frames:
            left = end - time.monotonic()
            assert left > 0, "the host does not answer"
            self._pump(left)
        return self.frames.pop(0)

    def next(self, kind: Kind) -> Frame:
        """The next frame, which is of this kind; logs fail with their text."""
        frame = self.read()
        assert frame.kind == kind, frame
        return frame

    def until(self, *kinds: Kind) -> list[Frame]:
        """All frames up to the first of one of these kinds."""
        seen = [self.read()]
        while seen[-1].kind not in kinds:
            seen.append(self.read())
        return seen

    def silent(self, seconds: float = 0.1) -> None:
        self._pump(seconds)
        assert not self.frames

    def load(self, code: str, slot: int = 0, **fields: Any) -> Any:
        spec = {
            "flow": "f",
            "module": f"m{slot}",
            "name": "m",
            "code": code,
            "files": {},
            "config": None,
            "ports": None,
        }
        spec |= {"concurrency": 1, "retry": False, "version": 1, "max_turn_bytes": 16 << 20, "context": {}} | fields
        self.requests += 1
        self.send(Kind.LOAD, slot, json.dumps(spec).encode(), first=self.requests)
        result = self.until(Kind.RESULT)[-1]
        assert (result.slot, result.first) == (slot, self.requests)
        return json.loads(result.body)

    def wires(self, slot: int = 0, out: dict[str, Any] | None = None, channel: int | None = None) -> None:
        """The in-port `in` on channel = slot; `out` maps ports to a channel or to (channel, fused slots[, ids])."""
        ports = {}
        for name, end in (out or {}).items():
            number, fused, *ids = end if isinstance(end, tuple) else (end, [])
            ports[name] = {
                "channel": number,
                "ids": bool(ids),
                "fused": [[target, "in", f"m{slot}.{name}->m{target}.in"] for target in fused],
            }
        body = {"in": {str(slot if channel is None else channel): ["in", f"w{slot}"]}, "out": ports}
        self.send(Kind.WIRES, slot, json.dumps(body).encode())

    def module(self, code: str, slot: int = 0, out: dict[str, Any] | None = None, **fields: Any) -> None:
        result = self.load(code, slot, **fields)
        assert result["ok"], result
        self.wires(slot, {"out": 100 + slot} if out is None else out)

    def data(self, *messages: Any, slot: int = 0, first: int = 1, **fields: int) -> None:
        body = frames.join([json.dumps(m, separators=(",", ":"), ensure_ascii=False).encode() for m in messages])
        self.send(Kind.DATA, slot, body, first=first, count=len(messages), **fields)

    def raw(self, body: bytes, count: int = 1, slot: int = 0, **fields: int) -> None:
        self.send(Kind.DATA, slot, body, first=1, count=count, **fields)

    def pause(self, slot: int = 0) -> list[Frame]:
        self.requests += 1
        self.send(Kind.PAUSE, slot, first=self.requests)
        seen = self.until(Kind.PAUSED)
        assert (seen[-1].slot, seen[-1].first) == (slot, self.requests)
        return seen

    def call(self, hook: str, slot: int = 0, **fields: Any) -> tuple[Any, list[Frame]]:
        self.requests += 1
        self.send(Kind.CALL, slot, json.dumps({"hook": hook, "turns": 0} | fields).encode(), first=self.requests)
        seen = self.until(Kind.RESULT)
        return json.loads(seen[-1].body), seen[:-1]

    def collect(self, done: int, slot: int = 0) -> Account:
        """Transactions until a slot has consumed this many messages."""
        account = Account()
        while account.count(slot, "consumed") < done:
            account.add(self.until(Kind.COMMIT))
        return account

    def ask(self, *messages: Any, slot: int = 0) -> Account:
        self.data(*messages, slot=slot)
        return self.collect(len(messages), slot)

    def stop(self) -> int:
        self.send(Kind.STOP)
        return self.process.wait(TIMEOUT_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)
        for fd in (self.input, self.output):
            os.close(fd)
        self.stderr.close()


COUNTS = ("consumed", "handled", "failed", "pulled", "sent", "unwired", "busy_us", "fused")


class Account:
    """What some transactions said."""

    def __init__(self) -> None:
        self.outputs: dict[int, list[Any]] = {}
        self.headers: dict[int, list[Any]] = {}
        self.context: dict[tuple[int, str], Any] = {}
        self.errors: list[tuple[Frame, Any, bytes]] = []
        self.logs: list[tuple[int, str, str]] = []
        self.counts: dict[int, list[int]] = {}
        self.commits = 0

    def count(self, slot: int, name: str) -> int:
        return self.counts.get(slot, [0] * 8)[COUNTS.index(name)]

    def add(self, seen: list[Frame]) -> Account:
        for frame in seen:
            if frame.kind == Kind.DATA:
                messages, headers = frames.split(frame.body, frame.flags)
                assert len(messages) == frame.count
                self.outputs.setdefault(frame.slot, []).extend(json.loads(m) for m in messages)
                headers = headers or [b"null"] * len(messages)
                self.headers.setdefault(frame.slot, []).extend(json.loads(h) for h in headers)
            elif frame.kind == Kind.CONTEXT:
                key, value = frame.body[: frame.skip].decode(), frame.body[frame.skip :]
                self.context[frame.slot, key] = json.loads(value) if value else "DELETED"
            elif frame.kind == Kind.ERROR:
                self.errors.append((frame, json.loads(frame.body[: frame.skip]), frame.body[frame.skip :]))
            elif frame.kind == Kind.LOG:
                log = json.loads(frame.body)
                self.logs.append((frame.slot, log["level"], log["text"]))
            elif frame.kind == Kind.COMMIT:
                self.commits += 1
                for slot, *counts in json.loads(frame.body):
                    before = self.counts.get(slot, [0] * 8)
                    self.counts[slot] = [a + b for a, b in zip(before, counts, strict=True)]
        return self

    def error(self, index: int = 0) -> Any:
        return self.errors[index][1]["error"]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    started = Host(tmp_path)
    yield started
    started.close()


# ---------------------------------------------------------------- the link


def test_hello_ping_and_stop(host: Host) -> None:
    assert host.hello["protocol"] == 1
    assert host.hello["runtime"] == "node"
    assert host.hello["pid"] == host.process.pid
    host.send(Kind.PING, first=(1 << 64) - 1)
    assert host.next(Kind.PONG).first == (1 << 64) - 1
    assert host.stop() == 0


def test_transcript_of_a_batch(host: Host) -> None:
    assert host.load("(m) => m * 2") == {"ok": True, "hooks": []}
    host.wires(0, {"out": 0})
    host.send(Kind.DATA, 0, b"[1,\n2,\n3]", skip=1, count=2, first=7)
    assert host.next(Kind.DATA) == Frame(Kind.DATA, 0, b"[4,\n6]", count=2)
    assert json.loads(host.next(Kind.COMMIT).body)[0][:7] == [0, 2, 2, 0, 0, 2, 0]
    assert host.pause(0)[0].kind == Kind.PAUSED


def test_transcript_of_a_failing_turn(host: Host) -> None:
    code = "(m, c) => { c.set('n', c.get('n', 0) + 1); if (m === 'bad') throw new TypeError('no'); c.send('odd', m) }"
    host.module(code, 3, {"odd": 2}, context={"n": 5})
    host.data(1, "bad", 2, slot=3, first=0)
    seen = host.until(Kind.COMMIT)
    assert [f.kind for f in seen] == [Kind.DATA, Kind.CONTEXT, Kind.ERROR, Kind.COMMIT]
    assert seen[0] == Frame(Kind.DATA, 2, b"[1,\n2]", count=2)
    assert seen[1] == Frame(Kind.CONTEXT, 3, b"n7", skip=1)
    account = Account().add(seen)
    frame, info, message = account.errors[0]
    assert (frame.slot, frame.count, frame.first, message) == (3, 1, 1, b"")
    assert (info["error"]["type"], info["error"]["message"]) == ("TypeError", "no")
    assert (info["port"], info["id"], info["headers"]) == ("in", "w3#1", None)
    assert account.counts[3][:6] == [3, 3, 1, 0, 2, 0]


def test_frames_in_small_portions(host: Host) -> None:
    host.module("(m) => m")
    data = frames.encode(Frame(Kind.DATA, 0, b'["a",\n"b"]', count=2))
    for i in range(0, len(data), 5):
        os.write(host.input, data[i : i + 5])
        time.sleep(0.002)
    assert host.collect(2).outputs[100] == ["a", "b"]


@pytest.mark.parametrize("header", [Frame(77), Frame(Kind.HELLO)])
def test_unknown_kind_ends_the_host(host: Host, header: Frame) -> None:
    os.write(host.input, frames.encode(header))
    assert host.process.wait(TIMEOUT_S) == 3


def test_oversized_body_ends_the_host(host: Host) -> None:
    os.write(host.input, frames.HEADER.pack((64 << 20) + 1, Kind.DATA, 0, 0, 0, 1, 0))
    assert host.process.wait(TIMEOUT_S) == 3


def test_end_of_input_ends_the_host_with_an_endless_timer(host: Host) -> None:
    host.module("setInterval(() => {}, 1000); module.exports = () => new Promise(() => {})")
    host.data(1)
    os.close(host.input)
    host.process.wait(TIMEOUT_S)
    host.input = os.open(os.devnull, os.O_RDONLY)


def test_internal_error_is_told_on_stderr(host: Host, tmp_path: Path) -> None:
    host.data(1, slot=9)
    assert host.process.wait(TIMEOUT_S) == 1
    assert "channel 9" in (tmp_path / "stderr").read_text()


def test_a_message_of_a_mebibyte_and_a_batch_that_fills_the_pipes(host: Host) -> None:
    host.module("(m) => m")
    big = "x" * (1 << 20)
    assert host.ask(big).outputs[100] == [big]
    many = [{"i": i, "text": "y" * 3000} for i in range(2000)]
    assert host.ask(*many).outputs[100] == many


# ---------------------------------------------------------------- loading


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("m", "(m) => m + 1"),
        ("m", "(m) => m + 1; // a comment"),
        ("m", "function add(m) { return m + 1 }"),
        ("m", "async (m) => m + 1;\n"),
        ("m", "function* (m) { yield m + 1 }"),
        ("m", "async function* (m) { yield m + 1 }"),
        ("m", "const one = 1\nmodule.exports = (m) => m + one"),
        ("m", "exports.default = (m) => m + 1"),
        ("m", "const one = 1\nexport default (m) => m + one"),
        ("m", "import path from 'node:path'\nexport default (m) => m + path.sep.length"),
        ("m", "const one = await Promise.resolve(1)\nexport default async (m) => m + one"),
        ("m.js", "module.exports = (m) => m + require('path').sep.length"),
        ("m.js", "export default (m) => m + 1"),
        ("m.cjs", "module.exports = (m) => m + 1"),
        ("m.mjs", "export default (m) => m + 1"),
        ("m", "(m) => require('node:os').EOL.length + m"),
        ("m", "module.exports = async (m) => (await import('node:path')).sep.length + m"),
    ],
)
def test_forms_of_a_module(host: Host, name: str, code: str) -> None:
    host.module(code, name=name)
    assert host.ask(1, 2).outputs[100] == [2, 3]


@pytest.mark.parametrize(
    "code",
    [
        "module.exports = (m) => m; module.exports.start = () => {}; module.exports.stop = () => {}",
        "export default (m) => m\nexport const start = () => {}\nexport function stop() {}",
        "exports.start = () => {}; exports.stop = () => {}",
    ],
)
def test_hooks_are_reported(host: Host, code: str) -> None:
    assert host.load(code) == {"ok": True, "hooks": ["start", "stop"]}


@pytest.mark.parametrize("form", ["cjs", "mjs"])
def test_siblings_are_each_loads_own(host: Host, form: str) -> None:
    for slot, word in enumerate(["old", "new"]):
        if form == "cjs":
            code = "const h = require('./lib/h.js')\nmodule.exports = (m) => h.word + ++h.n"
            files = {"lib/h.js": f"exports.word = '{word}'; exports.n = 0"}
        else:
            code = "import { next } from './lib/h.mjs'\nexport default (m) => next()"
            files = {"lib/h.mjs": f"let n = 0; export const next = () => '{word}' + ++n"}
        host.module(code, slot, name=f"m.{form}", files=files)
    assert host.ask(1, 2, slot=0).outputs[100] == ["old1", "old2"]
    assert host.ask(1, slot=1).outputs[101] == ["new1"]


def test_packages_come_from_node_modules_of_the_working_directory(host: Host, tmp_path: Path) -> None:
    package = tmp_path / "work" / "node_modules" / "one"
    package.mkdir(parents=True)
    (package / "index.js").write_text("module.exports = 1")
    host.module("const one = require('one')\nmodule.exports = (m) => m + one")
    host.module("import one from 'one'\nexport default (m) => m + one", 1)
    assert host.ask(1).outputs[100] == [2]
    assert host.ask(1, slot=1).outputs[101] == [2]


def test_a_sibling_may_not_leave_the_folder(host: Host) -> None:
    assert host.load("(m) => m", files={"../../x.js": ""})["error"]["type"] == "LoadError"


@pytest.mark.parametrize(
    ("name", "code", "kind", "place"),
    [
        ("parse.js", "\nmodule.exports = (m) => m +;", "SyntaxError", ("parse.js", 2, 28)),
        ("parse", "(m) => {\n  m + ;\n}", "SyntaxError", ("parse", 2, 7)),
        ("parse.mjs", "export default (m) => {\n  const x = ;\n}", "SyntaxError", ("parse.mjs", 2, 13)),
        ("parse", "export default (m) => m\nlet a = 1, a = 2", "SyntaxError", ("parse", 2, 12)),
        ("parse.js", "\n  null.x", "TypeError", ("parse.js", 2, 8)),
        ("parse", "import fs from 'node:fs'\nnull.x\nexport default 1", "TypeError", ("parse", 2, 6)),
        ("parse.js", "require('./h.js')", "SyntaxError", ("h.js", 3, 4)),
        ("parse.mjs", "import './h.mjs'", "SyntaxError", ("h.mjs", 3, 4)),
    ],
)
def test_load_errors_name_the_place(host: Host, name: str, code: str, kind: str, place: tuple[str, int, int]) -> None:
    result = host.load(code, name=name, files={"h" + name[5:]: "\n\nif }"} if "h." in code else {})
    error = result["error"]
    assert not result["ok"]
    assert error["type"] == kind
    assert (error["file"], error["line"], error["column"]) == place
    assert "load-" not in error["stack"] + error["message"]


def test_load_without_a_handler(host: Host) -> None:
    for code in ("const x = 1", "export const x = 1", "42", ""):
        assert host.load(code)["error"]["type"] == "LoadError"
    assert host.load("throw undefined")["ok"] is False
    assert host.load("(m) => m")["ok"]  # the slot is still free


def test_runtime_errors_name_the_place(host: Host) -> None:
    host.module("(m) => m.a.b")
    host.module("import x from 'node:fs'\nexport default (m) => {\n  throw new RangeError('far')\n}", 1, name="far.mjs")
    host.module("class Odd extends Error {}\nmodule.exports = () => { throw new Odd('x') }", 2)
    host.module("() => { throw 'text' }", 3)
    error = host.ask({}).error()
    assert (error["type"], error["file"], error["line"], error["column"]) == ("TypeError", "m", 1, 12)
    assert "host" not in error["stack"]
    error = host.ask({}, slot=1).error()
    assert (error["type"], error["file"], error["line"], error["column"]) == ("RangeError", "far.mjs", 3, 9)
    assert host.ask({}, slot=2).error()["type"] == "Odd"
    assert host.ask({}, slot=3).error() == {"type": "Error", "message": "text"}


def test_unload_frees_the_slot(host: Host, tmp_path: Path) -> None:
    host.module("(m) => 'one'", name="m.js")
    assert len(list((tmp_path / "work").iterdir())) == 1
    host.send(Kind.UNLOAD, 0, first=99)
    result = host.next(Kind.RESULT)
    assert (result.first, result.body) == (99, b'{"ok":true}')
    assert not list((tmp_path / "work").iterdir())
    host.module("(m) => 'two'", name="m.js")
    assert host.ask(1).outputs[100] == ["two"]


def test_frames_sent_before_the_load_has_ended(host: Host) -> None:
    spec = {"flow": "f", "module": "m", "name": "m.mjs", "code": "await 0\nexport default (m) => m", "config": None}
    spec |= {"ports": None, "concurrency": 1, "max_turn_bytes": 1 << 20, "files": {}, "context": {}}
    host.send(Kind.LOAD, 0, json.dumps(spec).encode(), first=1)
    host.wires(0, {"out": 1})
    host.data(5)
    assert [f.kind for f in host.until(Kind.COMMIT)] == [Kind.RESULT, Kind.DATA, Kind.COMMIT]


# ---------------------------------------------------------------- values


DEEP = 120


def nested(depth: int) -> Any:
    value: Any = 1
    for i in range(depth):
        value = [value] if i % 2 else {"a": value}
    return value


IDENTITY = [
    None, False, True, 0, -1, 1.5, "", [], {}, [None], {"a": None}, "null", "NaN", "é ☃ 🙂", "\ufffd", "a\nb,\n[c]\u2028",
    (1 << 53) - 1, 1 << 53, (1 << 53) + 1, -(1 << 53) - 1, (1 << 63) - 1, -(1 << 63), [(1 << 60) + 1, "12345678901234567890"],
    {"id": 9007199254740993, "text": 'say "9007199254740993", \\', "back\\": "\\", "x": 1.2345678901234567},
    0.30000000000000004, 1e300, 5e-324, 123456789012345678901234567890.0, "$bytes", {"$bytes": ""}, {"$bytes": "AAEC/w=="},
    {"$$bytes": 1}, {"$$bytes": {"$bytes": "AA=="}}, {"$bytes": "AA==", "b": 1}, {"$bytes": "?", "b": 1}, {"__proto__": {"a": [1]}, "b": 2},
    {"constructor": 1, "toString": 2, "then": 3, "next": 4, "": 5}, nested(DEEP), {"2": "b", "1": "a"}, [[], [[]], {}],
]  # fmt: skip


@pytest.mark.parametrize(
    "code", ["(m) => m", "(m, c) => c.send('out', m)", "async (m) => m", "function* (m) { yield m }"]
)
def test_identity_returns_the_corpus(host: Host, code: str) -> None:
    host.module(code)
    assert host.ask(*IDENTITY).outputs[100] == IDENTITY


def test_identity_over_a_fused_wire_and_through_the_context(host: Host) -> None:
    host.module("(m, c) => { c.set('k', m); return c.get('k') }", 1)
    host.module("(m) => m", 2)
    host.module("(m) => m", 0, {"out": (None, [1, 2])})
    account = host.ask(*IDENTITY)
    assert account.outputs[101] == IDENTITY
    assert account.outputs[102] == IDENTITY


def test_escaped_identity_keeps_surrogate_pairs(host: Host) -> None:
    host.module("(m) => m")
    host.raw(b'["\\ud83d\\ude00",\n"\\u0041",\n{"\\u0024bytes":"QQ=="}]', 3)
    assert host.collect(3).outputs[100] == ["😀", "A", {"$bytes": "QQ=="}]


@pytest.mark.parametrize("count", [1, 4, 30])
def test_unreadable_messages_fail_alone(host: Host, count: int) -> None:
    host.module("(m) => 'ok'")
    pad = [b'"fill"'] * (count - 1)
    for bad in (
        b"NaN", b"[1,]", b'"\xff"', b'"\xed\xa0\x80"', b'"\\ud800"', b'{"\\udc00":1}', b"1e400", b"-" + b"9" * 400,
        json.dumps(nested(DEEP + 1)).encode(), b'{"$bytes":"?"}', b'{"$bytes":1}', b"",
    ):  # fmt: skip
        host.raw(frames.join([*pad, bad, b"7"]), count + 1)
        account = host.collect(count + 1)
        assert account.outputs[100] == ["ok"] * count, bad
        frame, info, message = account.errors[0]
        assert (info["error"]["type"], frame.count, frame.first, message) == ("DataError", count - 1, count, b""), bad
        assert account.counts[0][:3] == [count + 1, count + 1, 1]


def test_unreadable_messages_with_headers(host: Host) -> None:
    host.module("(m, c) => c.headers")
    host.raw(b'[[null,\n{"x-a":"\xc3\xa9"}],\n\n["\xff",\n1]]', 2, flags=HEADERS)
    account = host.collect(2)
    assert account.outputs[100] == [{"x-a": "é"}]
    assert account.error()["type"] == "DataError"


def test_values_as_javascript_sees_them(host: Host) -> None:
    host.module("(m) => [typeof m, m instanceof Uint8Array, m === null, Object.keys(Object(m)).join()]")
    messages = [(1 << 53) - 1, 1 << 53, 1 << 63, 1.5, None, {"$bytes": "QUI="}, {"$$bytes": "QUI="}, {"__proto__": 1}]
    assert [a[0] for a in host.ask(*messages).outputs[100]] == [
        "number", "bigint", "number", "number", "object", "object", "object", "object",
    ]  # fmt: skip
    assert host.ask(*messages).outputs[100][5:] == [
        ["object", True, False, "0,1"],
        ["object", False, False, "$bytes"],
        ["object", False, False, "__proto__"],
    ]
    assert host.ask(None).outputs[100] == [["object", False, True, ""]]
    host.module("(m) => m.a", 1)
    host.raw(b'[{"a":1,"a":2}]', slot=1)
    assert host.collect(1, 1).outputs[101] == [2]
    host.module("(m) => [m.a, Object.is(m.a, -0)]", 2)
    assert repr(host.ask({"a": -0.0}, {"a": 0}, slot=2).outputs[102]) == "[[-0.0, True], [0, False]]"


REFUSED = [
    "NaN", "[NaN]", "{a: -Infinity}", "'\\ud800'", "['\\udc00']", "{'\\ud800': 1}", "2n ** 63n", "() => 1", "Symbol()", "{f() {}}",
    "{s: Symbol()}", "[undefined]", "[,1]", "new Map([[1, 2]])", "{a: new Set()}", "/x/", "new Error('x')", "new Float64Array(1)",
    "new ArrayBuffer(2)", "new Date(NaN)", "new Date(0)", "[{a: new Date(0)}]", "new (class extends Date {})(0)", "(() => { const a = []; a.push(a); return a })()", "{a: 1n << 64n}", "Promise",
    "{then() {}}.then", "new Number(1)", "[new String('s')]", "Object(1n)", "new URLSearchParams('a=1')", "new Headers({a: '1'})",
    "new Response('x')", "new FormData()", "new Blob(['x'])", "new (class { x = 1 })()", "new (class { #x = 1 })()", "[1].values()",
    "{a: new Map([[1, 2]]).entries()}", "{*[Symbol.iterator]() { yield 1 }}", "Object.create({x: 1})", "new (class extends Array {})(1)",
    "Math", "new WeakMap()", "new DataView(new ArrayBuffer(1))", "{toJSON() { return new Date(0) }}", "{toJSON() {}}", "new Proxy(new Map(), {})",
    "new (class { toJSON() { return this } })()", "new Array(4294967295)", "Object.defineProperty({}, 'x', {value: 1})", "{async *f() {}}",
]  # fmt: skip


@pytest.mark.parametrize(
    "form", ["(m) => VALUE", "(m, c) => c.send('out', VALUE)", "async (m) => [VALUE]", "(m, c) => c.set('a', [VALUE])"]
)
def test_values_that_no_message_can_carry(host: Host, form: str) -> None:
    for fused, slot in ((False, 0), (True, 2)):
        cases = ",\n".join(f"() => ({value})" for value in REFUSED)
        host.module("(m) => 'reached'", slot + 1)
        code = f"const cases = [{cases}]\nmodule.exports = {form.replace('VALUE', 'cases[m]()')}"
        host.module(code, slot, {"out": (None, [slot + 1]) if fused else 50})
        account = host.ask(*range(len(REFUSED)), slot=slot)
        types = {value: error[1]["error"]["type"] for value, error in zip(REFUSED, account.errors, strict=False)}
        assert types == dict.fromkeys(REFUSED, "DataError")
        assert not account.outputs


def test_refusals_say_where_and_what_to_send_instead(host: Host) -> None:
    cases = {
        "{when: new Date(0)}": "a Date in when cannot be sent: send d.toISOString()",
        "[1, {'price': NaN}]": "NaN in [1].price cannot be sent",
        "{a: [new Map()]}": "a Map in a[0] cannot be sent: send Object.fromEntries(it)",
        "new Set()": "a Set cannot be sent: send Array.from(it)",
        "new (class Point {})()": "a Point cannot be sent: send a plain object, { ...it }, or give the class a toJSON()",
        "{x: Object(1)}": "a Number in x cannot be sent: send it.valueOf()",
        "{x: new TypeError('t')}": "a TypeError in x cannot be sent: send its message",
        "{x: Promise.resolve(1)}": "a Promise in x cannot be sent: send what it resolves to (await it)",
        "{x: {f() {}}}": "a function in x.f cannot be sent",
        "[1, undefined]": "undefined inside a value in [1] cannot be sent",
    }
    host.module(f"const cases = [{','.join(f'() => ({case})' for case in cases)}]\nmodule.exports = (m) => cases[m]()")
    account = host.ask(*range(len(cases)))
    assert [error[1]["error"]["message"] for error in account.errors] == list(cases.values())


def test_values_that_are_converted(host: Host) -> None:
    code = """
    const vm = require('node:vm')
    class Money { toJSON() { return {cents: 5n} } }
    const big = { a: 2 ** 60, b: 5n, c: [2n ** 62n] }
    const values = [{a: undefined, b: [1]}, {toJSON() { return [1] }}, new Money(), new URL('http://a/'), Buffer.from('AB'),
      new Uint8Array([65, 66, 67]).subarray(1), Object.assign(Object.create(null), {a: 1}), big, -0, 1e21, vm.runInNewContext('({a: [1]})'),
      {[Symbol('s')]: 1, a: 1}, Object.freeze({a: Object.freeze([1])}), {__proto__: null, ['__proto__']: {a: 1}}, {get a() { return [1] }}]
    module.exports = (m) => values[m]"""
    expected = [
        {"b": [1]}, [1], {"cents": 5}, "http://a/", {"$bytes": "QUI="}, {"$bytes": "QkM="}, {"a": 1},
        {"a": 1 << 60, "b": 5, "c": [1 << 62]}, 0, 1e21, {"a": [1]}, {"a": 1}, {"a": [1]}, {"__proto__": {"a": 1}}, {"a": [1]},
    ]  # fmt: skip
    host.module("(m) => m", 1)
    look = """(m) => {
      const seen = (v) => typeof v !== 'object' || v === null ? typeof v : [Object.prototype.toString.call(v), Object.isFrozen(v) && !!Object.keys(v).length,
        v instanceof Object, Object.getOwnPropertySymbols(v).length, ...Object.keys(v).map((k) => [k, seen(Object.getOwnPropertyDescriptor(v, k).value)])]
      return seen(m)
    }"""
    host.module(look, 2)
    host.module(look, 3, {"out": 103})
    host.module(code, 0, {"out": (100, [1, 2])})
    for _ in range(5):  # objects that come again are copied by another way
        account = host.ask(*range(len(expected)))
        assert account.outputs[100] == expected
        assert account.outputs[101] == expected
        host.data(*expected, slot=3)
        assert account.outputs[102] == host.collect(len(expected), 3).outputs[103]


def test_nothing_null_and_arrays(host: Host) -> None:
    host.module("(m) => m === 'nothing' ? undefined : m")
    account = host.ask("nothing", None, [1, 2], [])
    assert account.outputs[100] == [None, [1, 2], []]
    assert account.counts[0][:6] == [4, 4, 0, 0, 3, 0]


# ---------------------------------------------------------------- context and sends


def test_context_api(host: Host) -> None:
    code = """(m, c) => ({port: c.port, id: c.messageId, module: c.moduleId, flow: c.flowId, again: c.redelivered,
      headers: c.headers, config: c.config, keys: c.keys(), a: c.get('a'), b: c.get('b', 'none')})"""
    host.module(code, config={"x": [1]}, context={"a": {"n": (1 << 53) + 1}})
    host.data(0, first=41)
    expected = {"port": "in", "id": "w0#41", "module": "m0", "flow": "f", "again": False, "headers": {}}
    expected |= {"config": {"x": [1]}, "keys": ["a"], "a": {"n": (1 << 53) + 1}, "b": "none"}
    assert host.collect(1).outputs[100] == [expected]
    host.data(0, first=41, flags=REDELIVERED)
    assert host.collect(1).outputs[100] == [expected | {"again": True}]


def test_context_is_by_value(host: Host) -> None:
    code = """(m, c) => {
      const list = c.get('list', [])
      list.push(m)
      const before = c.get('list', []).length
      c.set('list', list)
      list.push('later')
      c.set('gone', 1); c.delete('gone'); c.delete('never')
      return [before, c.get('list').length, c.keys().join()]
    }"""
    host.module(code, context={"old": 1})
    account = host.ask(1, 2)
    assert account.outputs[100] == [[0, 1, "old,list"], [1, 2, "old,list"]]
    assert account.context == {(0, "list"): [1, 2], (0, "gone"): "DELETED"}


def test_context_of_a_failed_call_is_rolled_back(host: Host) -> None:
    code = """(m, c) => {
      const n = c.get('n', 0); c.set('n', n + 1); c.delete('keep'); c.send('out', 'early')
      if (m === 'bad') throw new Error(String(c.get('n')))
      return [n, c.get('keep', 'deleted')]
    }"""
    host.module(code, context={"keep": 1})
    account = host.ask("bad", "bad", 1)
    assert account.outputs[100] == ["early", [0, "deleted"]]
    assert [account.error(i)["message"] for i in range(2)] == ["1", "1"]
    assert account.context == {(0, "n"): 1, (0, "keep"): "DELETED"}


def test_context_limits(host: Host) -> None:
    host.module("(m, c) => { c.set(m.key, 'x'.repeat(m.size)); return 'ok' }", max_turn_bytes=1 << 30)
    assert host.ask({"key": "a", "size": (1 << 20) - 2}).outputs[100] == ["ok"]
    assert host.ask({"key": "a", "size": 1 << 20}).error()["type"] == "ContextError"
    account = host.ask(*[{"key": f"k{i}", "size": (1 << 20) - 2} for i in range(64)])
    assert [error[1]["error"]["type"] for error in account.errors] == ["ContextError"] * 2  # "a" and 62 others fit
    assert host.ask({"key": "k1", "size": 3}, {"key": "z", "size": 1000}).outputs[100] == ["ok", "ok"]


def test_headers_are_inherited_or_given(host: Host) -> None:
    code = """(m, c) => {
      if (m === 'own') c.send('out', 1, {client: 'c', 'x-a': 'b'})
      else if (m === 'none') c.send('out', 1, {})
      else if (m === 'bad') c.send('out', 1, {cookie: 'x'})
      else if (m === 'long') c.send('out', 1, {'x-a': 'x'.repeat(5000)})
      else return c.headers
    }"""
    host.module(code)
    messages = [b'"plain"', b'"own"', b'"none"', b'"bad"', b'"long"', b'"plain"']
    headers = [b"null"] + [b'{"client":"me"}'] * 4 + [b'{"client":"me","id":"up#1"}']
    host.raw(frames.join(messages, headers), 6, flags=HEADERS)
    account = host.collect(6)
    assert account.headers[100] == [None, {"client": "c", "x-a": "b"}, None, {"client": "me"}]
    assert account.outputs[100] == [{}, 1, 1, {"client": "me"}]
    assert [account.error(i)["type"] for i in range(2)] == ["HeaderError", "HeaderError"]
    assert account.errors[0][1]["headers"] == {"client": "me"}


def test_ids_of_outputs(host: Host) -> None:
    host.module("(m, c) => c.messageId", 1)
    host.module(
        "(m, c) => { c.send('x', 0); c.send('no', 0); return c.messageId }",
        0,
        {"out": (100, [1], True), "x": (7, [], True)},
    )
    host.raw(frames.join([b"1", b"2"], [b"null", b'{"id":"a/b.3","client":"me"}']), 2, flags=HEADERS)
    account = host.collect(2)
    assert account.outputs[100] == ["w0#1", "a/b.3"]
    assert account.headers[100] == [{"id": "w0#1/m0.2"}, {"client": "me", "id": "a/b.3/m0.2"}]
    assert [h["id"] for h in account.headers[7]] == ["w0#1/m0.0", "a/b.3/m0.0"]
    assert account.outputs[101] == ["w0#1/m0.2", "a/b.3/m0.2"]
    assert account.headers[101] == [None, {"client": "me"}]


def test_ports_declared_and_not(host: Host) -> None:
    code = "(m, c) => { c.send(m, 1); return 2 }"
    host.module(code, 0, {"out": 100})
    account = host.ask("side", "out")
    assert account.outputs[100] == [2, 1, 2]
    assert account.counts[0][:6] == [2, 2, 0, 0, 3, 1]
    host.module(code, 1, {}, ports={"in": ["in"], "out": ["a"]})
    account = host.ask("side", "a", "error", slot=1)
    assert account.error()["type"] == "PortError"
    assert account.counts[1][:6] == [3, 3, 1, 0, 0, 4]


def test_generators_send_in_the_same_turn(host: Host) -> None:
    host.module(
        "function* (m, c) { yield m; c.send('out', 'sent'); yield undefined; if (m > 1) throw new Error('late'); yield [m] }"
    )
    account = host.ask(1, 2)
    assert account.outputs[100] == [1, "sent", [1]]
    assert account.error()["message"] == "late"
    assert account.counts[0][:6] == [2, 2, 1, 0, 3, 0]


def test_a_turn_over_its_limit_is_rolled_back(host: Host) -> None:
    host.module("(m, c) => { c.set('seen', c.get('seen', 0) + 1); return c.get('seen') }", 1)
    code = "function* (m, c) { c.set('n', m); for (let i = 0; i < m; i++) yield 'x'.repeat(1000) }"
    host.module(code, 0, {"out": (100, [1])}, max_turn_bytes=10_000)
    account = host.ask(3, 1e9, 9, 2)
    assert len(account.outputs[100]) == 14
    assert account.outputs[101] == list(range(1, 15))
    assert [account.error(0)["type"], len(account.errors)] == ["TurnTooLarge", 1]
    assert account.counts[0][:6] == [4, 4, 1, 0, 14, 0]
    assert account.context == {(0, "n"): 2, (1, "seen"): 14}


@pytest.mark.parametrize(
    "form",
    [
        "return v",
        "return [v].values().next().value",
        "c.send('out', v)",
        "c.send('nowhere', v); return 1",
        "return (async () => v)()",
    ],
)
@pytest.mark.parametrize("targets", [0, 1, 2])
def test_a_call_that_sends_too_much_fails_alone(host: Host, form: str, targets: int) -> None:
    host.module("(m) => m.length ?? m", 1, max_turn_bytes=10_000)
    host.module("(m) => m.length ?? m", 2, max_turn_bytes=10_000)
    code = f"(n, c) => {{ c.set('n', n); const v = 'é'.repeat(n); {form} }}"
    host.module(code, 0, {"out": (None if targets else 100, [1, 2][:targets])}, max_turn_bytes=10_000)
    account = host.ask(4990, 4999, 100)  # two bytes each, with the quotes, and one of the context
    assert [(frame.slot, info["error"]["type"]) for frame, info, _ in account.errors] == [(0, "TurnTooLarge")]
    sent = [4990, 100] if "1" not in form.rsplit(";", maxsplit=1)[-1] else [1, 1]
    if targets:
        assert [account.outputs[100 + number] for number in range(1, targets + 1)] == [sent] * targets
    assert account.context == {(0, "n"): 100}


def test_a_value_without_end_is_refused_at_once(host: Host) -> None:
    host.module("(m) => m", 1)
    bomb = "let v = []; for (let i = 0; i < 60; i++) v = [v, v]; "
    code = f"(m, c) => {{ {bomb} if (m === 0) return v; if (m === 1) c.send('nowhere', v); else c.set('v', v) }}"
    host.module(code, 0, {"out": (100, [1])})
    host.module(code, 2)
    for slot in (0, 2):
        errors = [info["error"]["type"] for _, info, _ in host.ask(0, 1, 2, slot=slot).errors]
        assert errors == ["TurnTooLarge", "TurnTooLarge", "ContextError"]


def test_outputs_keep_their_order_whatever_their_form(host: Host) -> None:
    """Plain values go to a frame by another way than the others, those of async turns, those sent, and those with headers."""
    code = """(m, c) => {
      const out = { m, text: 'é"' }
      if (m % 5 === 1) return { ...out, big: 2n ** 60n }
      if (m % 7 === 2) return Promise.resolve(out)
      if (m % 11 === 3) { c.send('out', out); c.send('odd', m); return undefined }
      if (m % 13 === 4) { c.send('odd', m); return out }
      if (m % 17 === 5) throw new Error('no')
      if (m % 19 === 6) return { ...out, long: 'ü'.repeat(150000) }
      if (m % 23 === 7) return new Proxy(out, { get: (of, key) => { c.log('info', key); return of[key] } })
      if (m % 29 === 8) return { ...out, late: { get inner() { c.set('n', { m }); return 1 } } }
      return out
    }"""
    forms = {"big": 5, "promise": 7, "sent": 11, "odd": 13, "fails": 17, "long": 19, "proxy": 23, "getter": 29}
    names = list(forms)

    def form(m: int) -> str:
        return next((name for i, name in enumerate(names, 1) if m % forms[name] == i), "plain")

    def output(m: int) -> Any:
        more = {"big": {"big": 2**60}, "long": {"long": "ü" * 150000}, "getter": {"late": {"inner": 1}}}
        return {"m": m, "text": 'é"'} | more.get(form(m), {})

    count = 600
    for slot in (0, 1):
        host.module(code, slot, {"out": 100 + slot, "odd": 200 + slot})
    headers = [b'{"client":"me"}' if 200 <= m < 300 else b"null" for m in range(count)]
    for slot in (0, 1):
        host.raw(frames.join([b"%d" % m for m in range(count)], headers), count, slot, flags=HEADERS)
    account = Account()
    while any(account.count(slot, "consumed") < count for slot in (0, 1)):
        account.add(host.until(Kind.COMMIT))
    assert {form(m) for m in range(count)} == {*forms, "plain"}
    stay = [m for m in range(count) if form(m) != "fails"]
    for slot in (0, 1):
        assert account.outputs[100 + slot] == [output(m) for m in stay]
        assert account.headers[100 + slot] == [{"client": "me"} if 200 <= m < 300 else None for m in stay]
        assert account.outputs[200 + slot] == [m for m in stay if form(m) in ("sent", "odd")]
        assert account.count(slot, "failed") == count - len(stay)
        assert account.context[slot, "n"] == {"m": max(m for m in stay if form(m) == "getter")}


def test_a_returned_value_over_the_limit_is_rolled_back(host: Host) -> None:
    host.module("(m) => 'é'.repeat(m)", max_turn_bytes=10_000)
    account = host.ask(1, 5100, 4990, 11_000, 2)
    assert [len(text) for text in account.outputs[100]] == [1, 4990, 2]
    assert [error["error"]["type"] for _, error, _ in account.errors] == ["TurnTooLarge"] * 2


# ---------------------------------------------------------------- fused modules


def test_a_fused_diamond(host: Host) -> None:
    join = "(m, c) => { c.set('n', c.get('n', 0) + 1); return [m, c.get('n')] }"
    host.module(join, 3)
    host.module("(m) => { m.via.push('left'); return m }", 1, {"out": (None, [3])})
    host.module("(m) => { m.via.push('right'); return m }", 2, {"out": (None, [3])})
    host.module("(m) => ({ via: [m] })", 0, {"out": (100, [1, 2])})
    account = host.ask("a", "b")
    assert account.outputs[100] == [{"via": ["a"]}, {"via": ["b"]}]
    paths = [[["a", "left"], 1], [["a", "right"], 2], [["b", "left"], 3], [["b", "right"], 4]]
    assert account.outputs[103] == [[{"via": via}, n] for via, n in paths]
    assert account.context == {(3, "n"): 4}
    assert [account.counts[s][:6] for s in range(4)] == [
        [2, 2, 0, 0, 2, 0], [0, 2, 0, 0, 2, 0], [0, 2, 0, 0, 2, 0], [0, 4, 0, 0, 4, 0],
    ]  # fmt: skip


def test_fused_outputs_run_depth_first_in_order(host: Host) -> None:
    host.module("(m) => console.log(m + 'c')", 2)
    host.module("(m) => { console.log(m + 'b'); return m + 'b' }", 1, {"out": (None, [2])})
    host.module("function* (m) { yield 1; yield 2 }", 0, {"out": (None, [1, 2])})
    assert [text for _, _, text in host.ask(0).logs] == ["1b", "1bc", "1c", "2b", "2bc", "2c"]


def test_what_a_fused_target_gets_is_its_own(host: Host) -> None:
    host.module("(m) => { m.n++; return m }", 1)
    host.module(
        "(m, c) => { const v = {n: 1}; c.send('out', v); v.n = 5; c.send('out', v); return v }", 0, {"out": (None, [1])}
    )
    assert host.ask(0).outputs[101] == [{"n": 2}, {"n": 6}, {"n": 6}]


KEEPERS = {
    "a table": "const t = {price: {eur: [20]}}\nmodule.exports = () => t.price",
    "the message": "const kept = []\nmodule.exports = (m) => { kept.push(m); return kept[0].v ?? m }",
    "config": "module.exports = (m, c) => c.config",
    "a sent value": "const t = {eur: [20]}\nmodule.exports = (m, c) => c.send('out', t)",
    "a yielded value": "const t = {eur: [20]}\nmodule.exports = function* () { yield t }",
    "an async one": "const t = {eur: [20]}\nmodule.exports = async () => t",
}


@pytest.mark.parametrize("keeper", KEEPERS)
def test_nothing_is_changed_behind_its_owners_back(host: Host, keeper: str) -> None:
    host.module("(m) => { m.eur[0] *= 2; m.more = [1]; return [m.eur[0], Object.keys(m).length] }", 1)
    config = {"eur": [20]} if keeper == "config" else None
    host.module(KEEPERS[keeper], 0, {"out": (None, [1])}, config=config)
    assert host.ask(*[{"eur": [20]}] * 3).outputs[101] == [[40, 2]] * 3


def test_a_value_is_checked_on_a_port_without_a_wire_too(host: Host) -> None:
    host.module("(m, c) => { if (m) c.send('aside', [NaN]); else return new Map() }", 0, {"other": 5})
    assert [error[1]["error"]["type"] for error in host.ask(0, 1).errors] == ["DataError", "DataError"]
    host.module("(m, c) => { c.send('aside', [1]); return {} }", 1, {"other": 5})
    assert host.ask(0, slot=1).count(1, "unwired") == 2


@pytest.mark.parametrize(
    "way",
    [
        "return v",
        "c.send('out', v)",
        "return (async () => v)()",
        "return (function* () { yield v; v.n = 5; yield v })()",
    ],
)
@pytest.mark.parametrize(
    "fail", ["throw new Error('x')", "return new Promise((_, no) => setTimeout(() => no(new Error('x')), 1))"]
)
def test_a_failed_fused_message_is_kept_as_it_was_sent(host: Host, way: str, fail: str) -> None:
    host.module(f"(m) => {{ m.n++; m.list.push(m.n); {fail} }}", 1)
    host.module("(m) => m", 2)
    code = f"let n = 0\nmodule.exports = (m, c) => {{ const v = {{n: n, list: [5n, {{a: n}}]}}; setTimeout(() => {{ v.n = 99 }}, 0); n++; {way} }}"
    host.module(code, 0, {"out": (None, [1, 2])})
    account = host.ask(0, 0)
    messages = [json.loads(message) for _, _, message in account.errors]
    wanted = [{"n": n, "list": [5, {"a": n}]} for n in (0, 1)]
    if "yield" in way:
        wanted = [{**each, "n": n} for each in wanted for n in (each["n"], 5)]
    assert messages == wanted == account.outputs[102]


def test_context_values_are_the_same_after_a_death(host: Host) -> None:
    code = "(m, c) => { if (m) c.set('n', 2 ** 60); return [typeof c.get('n'), c.get('n')] }"
    host.module(code)
    assert host.ask(1, 0).outputs[100] == [["bigint", 1 << 60]] * 2


def test_a_fused_failure_leaves_what_ran_in_front(host: Host) -> None:
    host.module("(m) => { m.seen = true; throw new Error('fused') }", 1)
    host.module("(m) => m", 2)
    host.module("(m, c) => { c.set('n', 1); return {m} }", 0, {"out": (100, [1, 2])})
    account = host.ask(7)
    assert account.outputs == {100: [{"m": 7}], 102: [{"m": 7}]}
    frame, info, message = account.errors[0]
    assert (frame.slot, frame.count, info["port"], info["id"]) == (1, NO_INDEX, "in", "w0#1/m0.0")
    assert json.loads(message) == {"m": 7}
    assert account.context == {(0, "n"): 1}
    assert account.counts[1][:6] == [0, 1, 1, 0, 0, 0]
    assert [account.count(s, "fused") for s in range(3)] == [0, 1, 1]


def test_rewiring_after_a_pause(host: Host) -> None:
    host.module("(m) => m + 1", 1)
    host.module("(m) => m", 0, {"out": (None, [1])})
    assert host.ask(1).outputs == {101: [2]}
    host.pause(0)
    host.wires(0, {"out": 5})
    assert host.ask(1).outputs == {5: [1]}


# ---------------------------------------------------------------- async turns

SLEEP = "const sleep = (ms) => new Promise((done) => setTimeout(done, ms))\n"


def test_async_turns_of_a_slot_run_one_at_a_time(host: Host) -> None:
    code = (
        SLEEP + "let now = 0\nmodule.exports = async (m) => { now++; await sleep(m); const n = now--; return [m, n] }"
    )
    host.module(code)
    assert host.ask(20, 1, 5).outputs[100] == [[20, 1], [1, 1], [5, 1]]


def test_concurrent_turns_overlap_and_commit_in_order(host: Host) -> None:
    code = (
        SLEEP
        + """let now = 0, most = 0
    module.exports = async (m, c) => {
      most = Math.max(most, ++now); await sleep(m); now--
      if (m === 7) c.set('k', 1)
      return [m, most]
    }"""
    )
    host.module("(m, c) => { c.set('last', m[0]); return m[0] }", 1)
    host.module(code, 0, {"out": (100, [1])}, concurrency=3)
    account = host.ask(60, 1, 30, 2, 7, 3)
    assert [m for m, _ in account.outputs[100]] == [60, 1, 30, 2, 3]
    assert max(most for _, most in account.outputs[100]) == 3
    assert account.outputs[101] == [60, 1, 30, 2, 3]
    assert account.error()["type"] == "ContextError"
    assert account.errors[0][0].first == 5
    assert account.context == {(1, "last"): 3}


def test_slots_interleave_but_their_transactions_are_whole(host: Host) -> None:
    host.module(
        SLEEP
        + "module.exports = async (m, c) => { c.send('out', 'a'); c.set('k', m); await sleep(80); c.send('out', 'b') }"
    )
    host.module("(m) => m", 1)
    host.data(1)
    for i in range(5):
        account = host.ask(i, slot=1)
        assert account.outputs == {101: [i]}
        assert account.context == {}
    account = host.collect(1)
    assert account.outputs == {100: ["a", "b"]}
    assert account.context == {(0, "k"): 1}


def test_async_in_a_fused_part_keeps_order_and_atomicity(host: Host) -> None:
    counter = "(m, c) => { const n = c.get('n', 0) + 1; c.set('n', n); return [m, n] }"
    host.module(counter, 3, {"out": 50})
    slow = SLEEP + "module.exports = async (m) => { await sleep(m[1]); return m[0] }"
    host.module(slow, 1, {"out": (None, [3])})
    host.module("(m) => m[0]", 2, {"out": (None, [3])})
    host.module("(m) => m", 0, {"out": (None, [3, 1])})
    host.module("async (m) => m", 4, {"out": (None, [3])})
    host.data(["x", 60], ["y", 5])
    host.data("p", "q", slot=4, first=1)
    account = Account()
    while account.count(0, "consumed") < 2 or account.count(4, "consumed") < 2:
        seen = host.until(Kind.COMMIT)
        before = len(account.outputs.get(50, []))
        account.add(seen)
        # no change is committed without its output
        assert account.context[3, "n"] == len(account.outputs[50]) >= before
    wanted = [[["x", 60], "x", ["y", 5], "y"], ["p", "q"]]
    values = [value for value, _ in account.outputs[50]]
    for own in wanted:
        assert [v for v in values if v in own] == own
    assert [n for _, n in account.outputs[50]] == list(range(1, 7))
    assert values.index("x") - values.index(["x", 60]) == 1  # nobody enters the group in the middle of a turn


def test_async_generator_and_error(host: Host) -> None:
    code = (
        SLEEP + "module.exports = async function* (m) { yield 1; await sleep(1); if (m) throw new Error('x'); yield 2 }"
    )
    host.module(code)
    account = host.ask(0, 1, 0)
    assert account.outputs[100] == [1, 2, 1, 2]
    assert account.error()["message"] == "x"


def test_quick_async_turns_share_commits(host: Host) -> None:
    host.module("async (m) => m")
    account = host.ask(*range(600))
    assert account.outputs[100] == list(range(600))
    assert account.commits < 60


# ---------------------------------------------------------------- pause, retry, announce


def test_pause_in_the_middle_of_a_long_batch(host: Host) -> None:
    host.module("(m) => { const end = Date.now() + 5; while (Date.now() < end); return m }")
    host.data(*range(600))
    host.until(Kind.COMMIT)
    started = time.monotonic()
    seen = host.pause(0)
    assert time.monotonic() - started < 0.5  # 3 s would be the whole batch
    done = Account().add(seen).count(0, "consumed")
    assert done < 100
    host.silent()
    assert host.ask(1).outputs[100] == [1]


def test_pause_waits_for_the_async_turns_begun_only(host: Host) -> None:
    host.module(SLEEP + "module.exports = async (m) => { await sleep(60); return m }", concurrency=2)
    host.data(1, 2, 3, 4)
    time.sleep(0.02)
    account = Account().add(host.pause(0))
    assert account.outputs[100] == [1, 2]
    host.silent(0.15)


def test_pause_of_every_slot(host: Host) -> None:
    host.module(SLEEP + "module.exports = async (m) => { await sleep(50); return m }")
    host.module("(m) => m", 1)
    host.data(1, 2)
    time.sleep(0.02)
    assert Account().add(host.pause(ALL_SLOTS)).outputs == {100: [1]}
    assert host.pause(ALL_SLOTS)[0].kind == Kind.PAUSED


def test_a_hanging_turn_does_not_keep_the_others_from_answering(host: Host) -> None:
    host.module("() => new Promise(() => {})")
    host.module("(m) => m", 1)
    host.data(1)
    assert host.ask(2, slot=1).outputs == {101: [2]}
    host.pause(1)
    host.send(Kind.PING, first=5)
    assert host.next(Kind.PONG).first == 5


def test_work_is_committed_every_ten_milliseconds(host: Host) -> None:
    host.module("(m) => { const end = performance.now() + 1; while (performance.now() < end); return m }")
    account = host.ask(*range(100))
    assert account.commits >= 5
    assert account.count(0, "busy_us") >= 90_000


def test_output_is_committed_at_64_kib(host: Host) -> None:
    host.module("(m) => 'x'.repeat(1000)")
    host.data(*range(600))
    sizes = []
    done = 0
    while done < 600:
        seen = host.until(Kind.COMMIT)
        sizes.append(sum(len(f.body) for f in seen if f.kind == Kind.DATA))
        done += json.loads(seen[-1].body)[0][1]
    assert max(sizes) < 70_000


def test_retry_holds_the_failed_message(host: Host) -> None:
    code = "(m, c) => { c.set('n', c.get('n', 0) + 1); if (m === 'bad') throw new Error('no'); return m }"
    host.module(code, retry=True)
    host.data(1, 2, "bad", 4, 5)
    account = Account().add(host.until(Kind.COMMIT))
    frame = account.errors[0][0]
    assert (frame.flags, frame.count, frame.first) == (HELD, 2, 3)
    assert account.counts[0][:6] == [2, 3, 1, 0, 2, 0]
    assert account.context == {(0, "n"): 2}
    host.data(6, first=6)  # was under way already
    host.silent()
    assert len(host.pause(0)) == 1
    host.data("better", 4, first=3)
    assert host.collect(2).outputs[100] == ["better", 4]


def test_retry_with_concurrency_forgets_what_was_begun_behind(host: Host) -> None:
    code = SLEEP + "module.exports = async (m) => { await sleep(m); if (m === 30) throw new Error('no'); return m }"
    host.module(code, retry=True, concurrency=3)
    host.data(40, 30, 60, 1)
    account = Account()
    while not account.errors:
        account.add(host.until(Kind.COMMIT))
    assert account.outputs[100] == [40]
    assert account.errors[0][0].count in (0, 1)
    assert len(host.pause(0)) == 1
    host.silent(0.15)
    assert host.ask(2).outputs[100] == [2]


@pytest.mark.parametrize("code", ["(m) => m", "async (m) => m"])
def test_announced_turns(host: Host, code: str) -> None:
    host.module(code)
    host.data(1, 2, first=5, flags=TURN_FLAG)
    kinds = [(f.kind, f.first) for f in [host.read() for _ in range(6)]]
    assert kinds == [(Kind.TURN, 5), (Kind.DATA, 0), (Kind.COMMIT, 0), (Kind.TURN, 6), (Kind.DATA, 0), (Kind.COMMIT, 0)]


def test_stop_ends_the_turns_begun(host: Host) -> None:
    host.module(
        SLEEP
        + "module.exports = async (m) => { await sleep(50); return m }\nmodule.exports.stop = (c) => c.send('out', 'no')"
    )
    host.data(1, 2)
    time.sleep(0.02)
    host.send(Kind.STOP)
    assert host.collect(1).outputs[100] == [1]
    assert host.process.wait(TIMEOUT_S) == 0


# ---------------------------------------------------------------- hooks and sources


def test_hooks_are_transactions(host: Host) -> None:
    code = """module.exports = (m) => m
    module.exports.start = async (c) => { await null; c.set('started', true); c.send('out', ['hello', c.messageId]) }
    module.exports.stop = (c) => { c.set('x', 1); throw new Error('cannot stop') }
    module.exports.migrate = (c, from) => c.set('from', from)"""
    host.module("(m) => m", 1)
    host.module(code, 0, {"out": (100, [1])})
    result, seen = host.call("start")
    account = Account().add(seen)
    assert result == {"ok": True, "source": False}
    assert account.outputs[100] == account.outputs[101]
    assert account.context == {(0, "started"): True}
    assert account.counts[0][:6] == [0, 0, 0, 0, 1, 0]
    assert account.counts[1][:6] == [0, 1, 0, 0, 1, 0]
    result, seen = host.call("migrate", from_version=3)
    assert Account().add(seen).context == {(0, "from"): 3}
    result, seen = host.call("stop")
    assert (result["ok"], result["error"]["message"], seen) == (False, "cannot stop", [])
    host.module("(m) => m", 2)
    assert host.call("stop", 2)[0]["ok"]


def test_a_hook_runs_between_turns(host: Host) -> None:
    code = (
        SLEEP
        + """let busy = false
    module.exports = async (m) => { if (busy) throw new Error('overlap'); busy = true; await sleep(5); busy = false; return m }
    module.exports.stop = async (c) => { if (busy) throw new Error('overlap'); busy = true; await sleep(20); busy = false }"""
    )
    host.module(code)
    host.data(1, 2, 3)
    result, seen = host.call("stop")
    account = Account().add(seen)
    assert result["ok"]
    while account.count(0, "consumed") < 3:
        account.add(host.until(Kind.COMMIT))
    assert account.outputs[100] == [1, 2, 3]


@pytest.mark.parametrize("kind", ["function*", "async function*"])
def test_a_source_is_pulled_by_credit(host: Host, kind: str) -> None:
    code = f"""exports.start = {kind} (c) {{
      for (let i = c.get('next', 0); i < 7; i++) {{ c.set('next', i + 1); yield i }}
      c.set('done', true)
    }}"""
    host.module("(m, c) => [m, c.messageId]", 1)
    host.module(code, 0, {"out": (100, [1], True)}, context={"next": 1})
    assert host.call("start", turns=40)[0] == {"ok": True, "source": True}
    host.silent()
    host.send(Kind.PULL, 0, count=2)
    account = Account()
    while account.count(0, "pulled") < 2:
        account.add(host.until(Kind.COMMIT))
    assert account.outputs[100] == [1, 2]
    assert account.outputs[101] == [[1, "m0.start#40/m0.0"], [2, "m0.start#41/m0.0"]]
    assert account.headers[100] == [{"id": "m0.start#40/m0.0"}, {"id": "m0.start#41/m0.0"}]
    assert account.context == {(0, "next"): 3}
    assert account.counts[0][:6] == [0, 2, 0, 2, 2, 0]
    host.silent()
    host.send(Kind.PULL, 0, count=100)
    seen = host.until(Kind.FINISHED)
    account = Account().add(seen)
    assert seen[-1] == Frame(Kind.FINISHED, 0, b'{"ok":true}')
    assert account.outputs[100] == [3, 4, 5, 6]
    assert account.context == {(0, "next"): 7, (0, "done"): True}
    assert account.counts[0][:6] == [0, 4, 0, 4, 4, 0]


@pytest.mark.parametrize("kind", ["function*", "async function*"])
def test_a_source_that_raises(host: Host, kind: str) -> None:
    host.module(f"exports.start = {kind} (c) {{ yield 1; c.set('lost', 1); throw new Error('dry') }}")
    host.call("start", turns=3)
    host.send(Kind.PULL, 0, count=9)
    seen = host.until(Kind.FINISHED)
    account = Account().add(seen)
    assert seen[-1].body == b'{"ok":false}'
    frame, info, message = account.errors[0]
    assert (frame.count, frame.first, message, info["error"]["message"]) == (NO_INDEX, 4, b"", "dry")
    assert (account.outputs, account.context) == ({100: [1]}, {})


def test_an_endless_sync_source_lets_the_host_answer(host: Host) -> None:
    host.module("exports.start = function* () { for (let i = 0; ; i++) yield i }")
    host.call("start")
    host.send(Kind.PULL, 0, count=1 << 30)
    started = time.monotonic()
    host.until(Kind.COMMIT)
    seen = host.pause(0)
    assert time.monotonic() - started < 2
    account = Account().add(seen)
    assert len(account.outputs.get(100, [])) == account.count(0, "pulled")
    host.silent()


def test_credit_is_forgotten_by_a_pause(host: Host) -> None:
    code = SLEEP + "exports.start = async function* () { for (let i = 0; ; i++) { await sleep(30); yield i } }"
    host.module(code)
    host.call("start")
    host.send(Kind.PULL, 0, count=5)
    started = time.monotonic()
    assert host.pause(0)[0].kind == Kind.PAUSED  # a source that waits is no turn begun
    assert time.monotonic() - started < 1
    host.silent(0.1)
    host.send(Kind.PULL, 0, count=1)
    assert Account().add(host.until(Kind.COMMIT)).outputs[100] == [0]
    host.silent(0.1)


@pytest.mark.parametrize("kind", ["function*", "async function*"])
def test_stop_closes_the_source(host: Host, kind: str) -> None:
    code = f"""let closed = false
    exports.start = {kind} () {{ try {{ for (;;) yield 1 }} finally {{ closed = true }} }}
    exports.stop = (c) => c.set('closed', closed)"""
    host.module(code)
    host.call("start")
    host.send(Kind.PULL, 0, count=2)
    host.until(Kind.COMMIT)
    seen = host.pause(0)
    result, after = host.call("stop")
    assert result["ok"]
    assert Account().add(after).context == {(0, "closed"): True}
    assert Kind.FINISHED not in {f.kind for f in seen + after}
    host.send(Kind.PULL, 0, count=2)
    host.silent()


def test_sends_outside_a_turn(host: Host) -> None:
    code = (
        SLEEP
        + """module.exports = (m) => m
    module.exports.start = (c) => {
      (async () => {
        await sleep(5)
        for (let i = 0; i < 4; i++) { const value = {i}; const sent = c.send('out', value, {client: 'c'}); value.i = 'x'; if (await sent !== undefined) throw new Error() }
        c.set('sent', 4)
      })()
    }"""
    )
    host.module("(m) => m.i", 1)
    host.module(code, 0, {"out": (100, [1], True)})
    host.call("start", turns=7)
    host.silent()  # no credit
    host.send(Kind.PULL, 0, count=3)
    account = Account()
    while account.count(0, "pulled") < 3:
        account.add(host.until(Kind.COMMIT))
    assert account.outputs == {100: [{"i": 0}, {"i": 1}, {"i": 2}], 101: [0, 1, 2]}
    assert account.headers[100][0] == {"client": "c", "id": "m0.start#7/m0.0"}
    host.silent()
    host.send(Kind.PULL, 0, count=3)
    account = Account()
    while not account.context:
        account.add(host.until(Kind.COMMIT))
    assert account.outputs[100] == [{"i": 3}]
    assert account.context == {(0, "sent"): 4}


def test_too_many_waiting_sends_raise(host: Host) -> None:
    code = """module.exports = (m, c) => setTimeout(() => {
      let n = 0
      try { for (;;) { c.send('out', n); n++ } } catch (error) { c.log('info', error.name + n) }
    }, 1) && undefined"""
    host.module(code)
    host.ask(1)
    assert Account().add([host.next(Kind.LOG)]).logs == [(0, "info", "CreditError1024")]


def test_a_context_kept_for_later_sends_a_turn_of_its_own(host: Host) -> None:
    host.module(
        SLEEP
        + "module.exports = async (m, c) => { setTimeout(() => c.send('out', 'late'), 10); if (m > 1) await sleep(80) }"
    )
    host.send(Kind.PULL, 0, count=5)
    host.data(1, 2)
    account = host.collect(2)
    while account.count(0, "pulled") < 1:
        account.add(host.until(Kind.COMMIT))
    assert account.outputs[100] == ["late", "late"]  # the second call has not ended when it sends
    assert account.counts[0][:6] == [2, 3, 0, 1, 2, 0]


# ---------------------------------------------------------------- prints and strays


def test_prints_become_logs(host: Host) -> None:
    code = """(m, c) => { console.log('a', {b: 1}); console.warn('w'); console.error('e'); console.debug('d'); console.info('i')
      process.stdout.write('raw\\n'); process.stderr.write('err'); c.log('warn', 'own') }"""
    host.module(code, 4)
    assert host.ask(1, slot=4).logs == [
        (4, "info", "a { b: 1 }"), (4, "warning", "w"), (4, "error", "e"), (4, "debug", "d"), (4, "info", "i"),
        (4, "info", "raw"), (4, "error", "err"), (4, "warning", "own"),
    ]  # fmt: skip


def test_prints_of_interleaved_async_modules_know_their_slot(host: Host) -> None:
    for slot in (0, 1):
        host.module(
            SLEEP
            + "module.exports = async (m) => { console.log('before'); await sleep(m); console.log('after ' + m) }",
            slot,
        )
    host.data(1, 20)
    host.data(5, 5, slot=1)
    account = Account()
    while account.count(0, "consumed") + account.count(1, "consumed") < 4:
        account.add(host.until(Kind.COMMIT))
    assert sorted((s, t) for s, _, t in account.logs if t != "before") == [
        (0, "after 1"),
        (0, "after 20"),
        (1, "after 5"),
        (1, "after 5"),
    ]
    assert sorted(s for s, _, t in account.logs if t == "before") == [0, 0, 1, 1]


def test_stray_errors_do_not_end_the_host(host: Host) -> None:
    code = """(m) => { setTimeout(() => { throw new Error('stray') }, 1); Promise.reject(new Error('rejected')) }"""
    host.module(code)
    host.data(1)
    account = Account()
    while len(account.logs) < 2:
        account.add([host.read()])
    assert sorted(text.split("\n")[0] for _, _, text in account.logs) == [
        "uncaught: Error: rejected",
        "uncaught: Error: stray",
    ]
    assert {level for _, level, _ in account.logs} == {"error"}
    host.ask(1)


def test_printing_while_loading(host: Host) -> None:
    for code in ("console.log('top'); module.exports = (m) => m", "console.log('top'); export default (m) => m"):
        host.send(
            Kind.LOAD,
            6,
            json.dumps({"flow": "f", "module": "m", "name": "m", "code": code, "max_turn_bytes": 9}).encode(),
            first=1,
        )
        seen = host.until(Kind.RESULT)
        assert Account().add(seen).logs == [(6, "info", "top")]
