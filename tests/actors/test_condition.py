"""The `when` of a breakpoint over JSON values."""

from __future__ import annotations

from typing import Any

import pytest

from actors.condition import Condition

VALUES: list[Any] = [1, 1.5, "x", None, True, [1], {"a": 1}]


@pytest.mark.parametrize(("text", "equals"), [
    ("1", 1), ("1.5", 1.5), ("'x'", "x"), ("null", None), ("true", True), ("[1.0]", [1]), ("{'a': 1.0}", {"a": 1}),
])  # fmt: skip
def test_values_of_all_kinds_can_be_compared(text: str, equals: Any) -> None:
    """A whole number equals a fraction, in containers too; a truth value is no number."""
    for value in VALUES:
        same = value == equals and isinstance(value, bool) == isinstance(equals, bool)
        assert Condition(f"message == {text}").holds(value, {}, {}) == (same, None)
        assert Condition(f"message != {text}").holds(value, {}, {}) == (not same, None)


def test_a_failing_operand_is_shown() -> None:
    for text in ("message.b == 1", "message.b != 1", "1 == message.b"):
        hit, why = Condition(text).holds({"a": 1}, {}, {})
        assert hit
        assert why is not None and why.startswith("`when` failed: no such member in mapping: 'b'")
