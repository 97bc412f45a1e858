# ruff: noqa: E501 - a module's code reads best on one line
"""The node host, driven over its two pipes as a runner does (runtimes/PROTOCOL.md)."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from runtimes import frames
from runtimes.frames import ALL_SLOTS, HELD, NO_INDEX, TURN_FLAG, Frame, Kind
from tests.runtimes.node.host import GATED, NEEDS_NODE, SLEEP, TIMEOUT_S, Account, Host

pytestmark = NEEDS_NODE


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


# ---------------------------------------------------------------- async turns


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
    code = "const turn = module.exports\nmodule.exports = async (m, c) => { c.send('out', 'a'); c.set('k', m); await turn(m, c); c.send('out', 'b') }"
    host.module(GATED + code)
    host.module("(m) => m", 1)
    host.data(1)
    host.begun(1)
    for i in range(5):
        account = host.ask(i, slot=1)
        assert account.outputs == {101: [i]}
        assert account.context == {}
    host.open()
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
    host.data(*range(2000))
    host.until(Kind.COMMIT)
    done = Account().add(host.pause(0)).count(0, "consumed")
    assert done < 1000  # of 10 s
    host.silent()
    assert host.ask(1).outputs[100] == [1]


def test_pause_waits_for_the_async_turns_begun_only(host: Host) -> None:
    host.module(GATED, concurrency=2)
    host.data(1, 2, 3, 4)
    host.begun(1, 2)
    assert Account().add(host.pause(0, opens=True)).outputs == {100: [1, 2]}
    host.silent(0.15)


def test_pause_of_every_slot(host: Host) -> None:
    host.module(GATED)
    host.module("(m) => m", 1)
    host.data(1, 2)
    host.begun(1)
    assert Account().add(host.pause(ALL_SLOTS, opens=True)).outputs == {100: [1]}
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
    host.module(GATED + "module.exports.stop = (c) => c.send('out', 'no')")
    host.data(1, 2)
    host.begun(1)
    host.send(Kind.STOP)
    host.open()
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
    host.until(Kind.COMMIT)
    account = Account().add(host.pause(0))
    assert len(account.outputs.get(100, [])) == account.count(0, "pulled")
    host.silent()


def test_credit_is_forgotten_by_a_pause(host: Host) -> None:
    host.module(
        """let go
        module.exports = () => go()
        module.exports.start = async function* (c) {
          for (let i = 0; ; i++) { c.log('info', `waits for ${i}`); await new Promise((next) => (go = next)); yield i }
        }"""
    )
    host.call("start")
    host.send(Kind.PULL, 0, count=5)
    host.next(Kind.LOG)
    assert host.pause(0)[0].kind == Kind.PAUSED  # a source that waits is no turn begun
    host.ask("go")
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
