# ruff: noqa: E501 - a module's code reads best on one line
"""The node host: values, what is sent and kept, and fused modules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtimes import frames
from runtimes.frames import HEADERS, NO_INDEX, REDELIVERED, Kind
from tests.runtimes.node.host import NEEDS_NODE, Account, Host

pytestmark = NEEDS_NODE


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
        place = (account.indexes[0], frame.first)  # however many commits the machine makes of it
        assert (info["error"]["type"], place, message) == ("DataError", (count - 1, count), b""), bad
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


def test_what_a_fused_call_sends_is_weighed_whatever_it_is_made_of(host: Host) -> None:
    host.module("(m) => 'behind'", 1, max_turn_bytes=100_000)
    values = ["Array(n).fill(-1.2345678901234567e-300)", "Array(n).fill({'': -1.2345678901234567e-300})", "Array(n).fill('\\u0001'.repeat(9))",
              "Array(n).fill(-(2n ** 62n))", "Array(n).fill({a: 0.1, b: 0.2})", "Array(n).fill(Buffer.alloc(0))", "Array(n).fill('\\u20ac')"]  # fmt: skip
    code = f"(m) => {{ const n = m[1]; return [{', '.join('() => ' + value for value in values)}][m[0]]() }}"
    for at in range(len(values)):
        host.module(code, 2, max_turn_bytes=1 << 30)
        [value] = host.ask([at, 1000], slot=2).outputs[102]
        size = len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()) / 1000
        fits = int(99_000 / size)
        host.module(code, 0, {"out": (None, [1])}, max_turn_bytes=100_000)
        account = host.ask(*[[at, 1]] * 3, [at, fits], [at, int(fits * 1.2)])
        assert [info["error"]["type"] for _, info, _ in account.errors] == ["TurnTooLarge"], (values[at], size)
        for slot in (0, 2):
            host.pause(slot)
            host.send(Kind.UNLOAD, slot, first=9)
            host.until(Kind.RESULT)


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


@pytest.mark.parametrize("value", ["'x'.repeat(99999)", "Array(9999).fill(1)", "[Buffer.alloc(99999)]"])
@pytest.mark.parametrize("more", ["c.send('out', 1)", "c.send('nowhere', 1)", "c.set('k', 1)"])
@pytest.mark.parametrize("targets", [0, 1])
def test_a_call_that_has_sent_too_much_does_nothing_more(host: Host, value: str, more: str, targets: int) -> None:
    """Although it catches that, and whether or not what was too much has been written somewhere."""
    host.module("(m) => m", 1)
    code = f"(m, c) => {{\n  try {{ c.send('out', {value}) }} catch {{}}\n  {more}\n}}"
    host.module(code, 0, {"out": (None if targets else 100, [1][:targets])}, max_turn_bytes=10_000)
    error = host.ask(1).error()
    assert (error["type"], error["line"]) == ("TurnTooLarge", 3)
