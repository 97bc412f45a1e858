# ruff: noqa: E501 - a module's code reads best on one line
"""The node host: what it says of errors, prints, and code that is left over."""

from __future__ import annotations

import json

import pytest

from runtimes.frames import ALL_SLOTS, Kind
from tests.runtimes.node.host import HOST, NEEDS_NODE, SLEEP, Account, Host

pytestmark = NEEDS_NODE


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


THROWN = {
    "'text'": ("Error", "text"),
    "5n": ("Error", "5n"),
    "null": ("Error", "null"),
    "undefined": ("Error", "undefined"),
    "Symbol('s')": ("Error", "Symbol(s)"),
    "{code: 5, list: [1, {a: new Map([[1, 2]])}]}": ("Error", "{ code: 5, list: [ 1, { a: Map(1) { 1 => 2 } } ] }"),
    "{message: 'm', code: 5}": ("Error", "{ message: 'm', code: 5 }"),
    "new (class Refused { why = 'no' })()": ("Refused", "Refused { why: 'no' }"),
    "{get message() { throw 1 }}": ("Error", "{ message: [Getter] }"),
    "Object.defineProperty(new Error('m'), 'name', {get() { throw 1 }})": ("Error", "an error that cannot be shown"),
    "Object.defineProperty(new Error('m'), 'message', {get() { throw 1 }})": ("Error", "an error that cannot be shown"),
    "require('node:vm').runInNewContext('new TypeError(`far`)')": ("TypeError", "far"),
    "new TypeError('fetch failed', {cause: new RangeError('port', {cause: 'x'})})": (
        "TypeError", "fetch failed (RangeError: port; x)",
    ),
    "new AggregateError([new Error('one'), 'two'], 'all')": ("AggregateError", "all (one; two)"),
    "process.exit(1)": ("ExitError", "process.exit(1) would end the other modules of this host too: throw an error instead"),
}  # fmt: skip


@pytest.mark.parametrize("form", ["() => { throw VALUE }", "async () => { await null; throw VALUE }"])
def test_what_is_thrown_is_shown_as_what_it_is(host: Host, form: str) -> None:
    cases = ", ".join(f"() => {form}".replace("VALUE", thrown) for thrown in THROWN)
    host.module(f"const cases = [{cases}]\nmodule.exports = (m) => cases[m]()()")
    errors = [info["error"] for _, info, _ in host.ask(*range(len(THROWN))).errors]
    assert [(error["type"], error["message"]) for error in errors] == [*THROWN.values()]
    assert not any(str(HOST.parent) in json.dumps(error) or "node:" in error.get("stack", "") for error in errors)


HINTS = {
    "require('no-such-package')": "Cannot find module 'no-such-package': name its package in the module's `dependencies:`",
    "require('./sibling')": "Cannot find module './sibling': name it in the module's `files:`",
    "await import('no-such-package')": "name its package in the module's `dependencies:`",
    "await import('./sibling.mjs')": "name it in the module's `files:`",
    "require('node:fs').readFileSync('data.csv')": "a relative path begins in the temporary folder: for a file of yours give the whole path,",
    "require('node:fs').readFileSync(__dirname + '/data.csv')": "open 'data.csv': name it in the module's `files:`",
    "Object.assign(new Error('no'), {code: 'EACCES', path: '/x', syscall: 'open'})": "where `limits: {writable: [...]}` says",
    "Object.assign(new Error('no'), {code: 'EROFS', path: '/x', syscall: 'mkdir'})": "where `limits: {writable: [...]}` says",
}


def test_errors_that_many_meet_say_what_to_do(host: Host) -> None:
    cases = ", ".join(f"async () => {{ throw {thrown} }}" for thrown in HINTS)
    host.module(f"const cases = [{cases}]\nmodule.exports = (m) => cases[m]()")
    errors = [info["error"] for _, info, _ in host.ask(*range(len(HINTS))).errors]
    for error, hint in zip(errors, HINTS.values(), strict=True):
        assert hint in error["message"]
        assert not any(word in error["message"] + error["stack"] for word in ("load-", "Require stack"))
    error = host.load("import x from './sibling.mjs'\nexport default x", 1)["error"]
    assert error["message"].endswith("name it in the module's `files:`"), error
    others = ["require('node:child_process').spawn('no-such-program')", "require('node:net').connect('/no/such')"]
    host.module("module.exports = (m) => new Promise((_, no) => eval(m).on('error', no))", 2)
    assert not any("`" in info["error"]["message"] for _, info, _ in host.ask(*others, slot=2).errors)


def logs(host: Host, count: int) -> list[tuple[int, str, str]]:
    """So many logs, whatever else comes."""
    account = Account()
    while len(account.logs) < count:
        account.add([host.read()])
    return account.logs


def test_stray_errors_do_not_end_the_host(host: Host) -> None:
    code = """(m) => {
      setTimeout(() => { throw new Error('stray') }, 1); Promise.reject(new Error('rejected')); setTimeout(() => { throw {a: 1} }, 9)
      setTimeout(() => process.exit(), 15)
    }"""
    host.module("(m) => m", 0)
    host.module(code, 1)
    host.data(1, slot=1)
    seen = sorted((slot, level, text.split("\n")[0]) for slot, level, text in logs(host, 4))
    assert seen == [
        (1, "error", "m:2: uncaught Error: rejected"),
        (1, "error", "m:2: uncaught Error: stray"),
        (1, "error", "m:3: uncaught ExitError: process.exit() would end the other modules of this host too: throw an error instead"),
        (ALL_SLOTS, "error", "uncaught Error: { a: 1 }"),
    ]  # fmt: skip
    host.ask(1)


def test_code_that_is_left_over_is_named_and_soon_silent(host: Host) -> None:
    code = """module.exports = (m, c) => {
      const tick = (does) => setInterval(does, 1)
      if (m === 'send') tick(() => c.send('out', 1))
      if (m === 'set') tick(() => c.set('a', 1))
      if (m === 'print') tick(() => console.log('tick'))
      if (m === 'await') (async () => { for (;;) { await new Promise((done) => setTimeout(done, 1)); console.error('tock') } })()
    }"""
    for slot, kind in enumerate(("send", "set", "print", "await")):
        host.module(code, slot)
        host.ask(kind, slot=slot)
        host.send(Kind.UNLOAD, slot, first=9)
        host.until(Kind.RESULT)
        seen = [text for number, _, text in logs(host, 3) if number == ALL_SLOTS]
        assert all(text.startswith(f"a timer or promise of an old version of m{slot} is left over") for text in seen)
        assert [("is not shown" in text) for text in seen] == [False, False, True]
        assert ("end its timers" in seen[0]) == (kind in ("send", "set"))
        host.silent(0.1)


def test_code_that_goes_on_after_stop_cannot_send(host: Host) -> None:
    code = """let timer
    module.exports = (m, c) => { timer ??= setInterval(() => c.send('out', 'late'), 1); return m }
    module.exports.stop = () => {}
    module.exports.start = () => {}"""
    host.module(code)
    host.ask(1)
    assert host.call("stop")[0]["ok"]
    texts = [text for _, _, text in logs(host, 3)]
    assert all("CreditError: m0 has been stopped: end its timers" in text for text in texts), texts
    assert [("is not shown" in text) for text in texts] == [False, False, True]
    host.silent(0.1)
    assert host.call("start")[0]["ok"]
    host.send(Kind.PULL, 0, count=3)
    assert host.ask(2).outputs[100][-1] == 2


@pytest.mark.parametrize(
    "fail", ["throw new RangeError('flush')", "await null; throw new RangeError('flush')", "process.exit(3)"]
)
def test_a_stop_that_fails_says_so(host: Host, fail: str) -> None:
    host.module(
        f"module.exports = (m) => m\nmodule.exports.stop = async (c) => {{ c.set('a', 1); c.send('out', 1)\n{fail} }}"
    )
    result, seen = host.call("stop")
    assert (result["ok"], result["error"]["file"], result["error"]["line"]) == (False, "m", 3)
    assert result["error"]["type"] in ("RangeError", "ExitError") and "stack" in result["error"]
    assert Account().add(seen).outputs == {}


def test_a_send_that_waits_ends_with_its_module(host: Host) -> None:
    code = """module.exports = (m, c) => { setTimeout(async () => {
      await c.send('out', 1).catch((error) => { console.log('ended:', error.name); throw error })
    }, 1); setTimeout(() => console.log('waits'), 20) }"""
    host.module(code)
    host.ask(1)
    assert logs(host, 1)[0][2] == "waits"
    host.send(Kind.UNLOAD, 0, first=9)
    texts = [text.split("\n")[0] for _, _, text in logs(host, 3)]
    assert texts[0] == "it ended before 1 of its messages, sent outside any turn, could be handed on"
    assert texts[1].endswith("is left over: ended: CreditError")
    assert texts[2].endswith("uncaught CreditError: m0 ended before this could be sent")


@pytest.mark.parametrize("hook", ["stop", "migrate"])
def test_a_hook_of_which_nothing_would_run_is_an_error(host: Host, hook: str) -> None:
    host.module(f"module.exports = (m) => m; module.exports.{hook} = function* () {{ yield 1 }}")
    result, _ = host.call(hook, from_version=1)
    assert result["error"]["message"] == f"{hook} is a generator: nothing of it would run"


def test_a_source_that_cannot_be_closed_does_not_keep_stop_from_running(host: Host) -> None:
    code = """exports.start = function* () { try { for (;;) yield 1 } finally { throw new Error('closing') } }
    exports.stop = (c) => { c.send('out', 'stopped'); if (c.config) throw new Error('stopping') }"""
    for slot, fails in enumerate((None, True)):
        host.module(code, slot, config=fails)
        host.call("start", slot)
        host.send(Kind.PULL, slot, count=1)
        host.until(Kind.COMMIT)
        result, seen = host.call("stop", slot)
        assert not result["ok"] and result["error"]["message"] == ("stopping" if fails else "closing")
        account = Account().add(seen)
        assert account.outputs.get(100 + slot) == (None if fails else ["stopped"])
        assert ["closing" in text for _, _, text in account.logs] == ([True] if fails else [])


@pytest.mark.parametrize(
    "again",
    [
        "spawnSync(process.execPath, process.argv.slice(1))",
        "await new Promise((done) => { const c = require('node:cluster'); c.fork().on('exit', (status) => done({status})) })",
        "await new Promise((done) => { const {Worker} = require('node:worker_threads'); new Worker(process.argv[1]).on('exit', (status) => done({status})) })",
    ],
)
def test_a_child_that_runs_the_host_again_is_ended(host: Host, again: str) -> None:
    host.module(
        f"const {{spawnSync}} = require('node:child_process')\nmodule.exports = async (m) => {{ const {{status}} = {again}; return [m, status > 0] }}"
    )
    assert host.ask(1, 2).outputs[100] == [[1, True], [2, True]]


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
