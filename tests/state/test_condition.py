"""The `when` of a breakpoint over JSON values."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from actors.state.condition import Condition, ConditionError

VALUES: list[Any] = [1, 1.5, "x", None, True, [1], {"a": 1}]


def holds(text: str, message: Any, headers: Any = None, context: Any = None) -> tuple[bool, str | None]:
    encoded = {key.encode(): json.dumps(value).encode() for key, value in (context or {}).items()}
    return Condition(text).holds(json.dumps(message).encode(), headers and json.dumps(headers).encode(), encoded)


@pytest.mark.parametrize(("text", "equals"), [
    ("1", 1), ("1.5", 1.5), ("'x'", "x"), ("null", None), ("true", True), ("[1.0]", [1]), ("{'a': 1.0}", {"a": 1}),
])  # fmt: skip
def test_values_of_all_kinds_can_be_compared(text: str, equals: Any) -> None:
    """A whole number equals a fraction, in containers too; a truth value is no number."""
    for value in VALUES:
        same = value == equals and isinstance(value, bool) == isinstance(equals, bool)
        assert holds(f"message == {text}", value) == (same, None)
        assert holds(f"message != {text}", value) == (not same, None)


def test_a_failing_operand_is_shown() -> None:
    for text in ("message.b == 1", "message.b != 1", "1 == message.b"):
        hit, why = holds(text, {"a": 1})
        assert hit
        assert why is not None and why.startswith("`when` failed: no such member in mapping: 'b'")


MESSAGE = {"a": 1, "items": [{"price": 2, "tags": ["x", "y"]}, {"price": 7, "tags": []}], "name": "aab", "big": 2**70}
CONTEXT = {"limit": 5, "seen": {"aab": True}, "large": [0] * 200_000}


@pytest.mark.parametrize(("text", "expected"), [
    ("message.items.exists(i, i.price > context.limit)", True),
    ("message.items.all(i, i.price > context['limit'])", False),
    ("message.items.filter(i, i.price > 5).size() == 1", True),
    ("message.items.map(i, i.price) == [2, 7]", True),
    ("message.items.exists(i, i.tags.exists(t, t == 'y' && i.price == 2))", True),
    ("message.items[1] == {'price': 7, 'tags': []}", True),
    ("message.items + [1] != message.items", True),
    ("'limit' in context && !('other' in context)", True),
    ("has(context.seen.aab) && !has(message.b)", True),
    ("message.name in context.seen", True),
    ("message.name.matches('^a+b$') && message.name.startsWith('aa')", True),
    ("headers.at == 'noon' && size(headers) == 1", True),
    ("message.big > 1 && size(context.large) == 200000", True),
    ("type(message.name) == string && int(message.a) == 1", True),
    ("message.a == 1 ? message.items.size() == 2 : false", True),
])  # fmt: skip
def test_what_people_ask(text: str, expected: bool) -> None:
    assert holds(text, MESSAGE, {"at": "noon"}, CONTEXT) == (expected, None)


def test_what_is_not_mentioned_is_not_looked_at() -> None:
    """Of a context the keys that are mentioned, of a message its parts."""
    context = {b"a": b"1", b"broken": b"{"}
    assert Condition("message.x == context.a").holds(b'{"x": 1}', b"{", context) == (True, None)
    assert Condition("headers.a == 'b'").holds(b"{", b'{"a": "b"}', context) == (True, None)


@pytest.mark.parametrize("text", [
    "message.all(a, message.all(b, message.all(c, a + b + c >= 0)))",
    "message.map(a, message.map(b, message.map(c, [a, b, c]))).size() > 0",
    "message.filter(a, context.large.exists(b, a == b + 1)).size() > 0",
])  # fmt: skip
def test_no_expression_takes_long(text: str) -> None:
    before = time.thread_time()
    assert holds(text, list(range(1000)), None, CONTEXT) == (True, "`when` failed: it takes more than 50 ms")
    assert time.thread_time() - before < 1  # with what it takes to compile it


def test_what_is_very_large_or_deep_is_not_looked_at() -> None:
    assert holds("message.a == 1", {"a": "x" * (1 << 20)})[1] == (
        "`when` failed: a value of 1048585 bytes; at most 1048576 are looked at"
    )
    deep = b"[" * 100_000 + b"]" * 100_000
    hit, why = Condition("message[0] == 1").holds(deep, None, {})
    assert hit and why is not None and why.startswith("`when` failed: ")


@pytest.mark.parametrize(("text", "says"), [
    ("mesage.a == 1", "`when` knows no mesage (column 1): there are message, headers, context"),
    ("message.a == b", "`when` knows no b (column 14): there are message, headers, context"),
    ("message.exists(i, j == 1)", "`when` knows no j (column 19): there are message, headers, context"),
    ("message.a.startWith('x')", "`when` knows no function startWith (column 11): did you mean startsWith?"),
    ("len(message) == 1", "`when` knows no function len (column 1)"),
    ("true", "`when` is the same for every message: it names neither message, headers nor context"),
    ("[1].all(message, message == 1)", "`when` is the same for every message"),
    ("message.a ==", "`when` is not a CEL expression"),
    ("(" * 900 + "message" + ")" * 900, "`when` is nested too deeply"),
    ("message.a == '" + "x" * 2000 + "'", "`when` has 2015 characters; at most 2000"),
])  # fmt: skip
def test_expressions_that_are_refused(text: str, says: str) -> None:
    with pytest.raises(ConditionError) as caught:
        Condition(text)
    assert str(caught.value).startswith(says)


def test_an_error_without_words_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when there is no memory left."""
    condition = Condition("message == 1")

    def fail(_given: object) -> None:
        raise MemoryError

    monkeypatch.setattr(condition._program, "evaluate", fail)
    assert condition.holds(b"1", None, {}) == (True, "`when` failed: MemoryError")
