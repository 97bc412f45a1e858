"""What people are shown of a message: its value, or its text where no value can be read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages import client_to_runner as api
from actors.shown import MAX_SHOWN_DEPTH, shown
from tests.harness import Harness
from tests.test_ends import in_shell

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_a_value_is_itself(value: Any) -> None:
    assert shown(json.dumps(value, ensure_ascii=False).encode()) == value
    flat = [[], [value], *[{}] * MAX_SHOWN_DEPTH, '"[[\\"{'] + [[["\\"]]] * MAX_SHOWN_DEPTH  # many, but not deep
    assert shown(json.dumps(flat).encode()) == flat


def nested(depth: int, opener: str = "[") -> bytes:
    return (opener * depth + "1" + {"[": "]", '{"a":': "}"}[opener] * depth).encode()


@pytest.mark.parametrize("opener", ["[", '{"a":'])
def test_what_is_nested_deep_is_text(opener: str) -> None:
    assert json.dumps(shown(nested(MAX_SHOWN_DEPTH, opener))).replace(" ", "").encode() == nested(
        MAX_SHOWN_DEPTH, opener
    )
    for depth in (MAX_SHOWN_DEPTH + 1, 1000, 100_000):
        text = nested(depth, opener)
        assert shown(text) == {"$undecoded": text.decode(), "reason": f"nested deeper than {MAX_SHOWN_DEPTH}"}
    assert "$undecoded" in shown(b"{]") and "$undecoded" in shown(b"\xff")


def test_a_dead_letter_nested_deep_is_listed_and_counts(tmp_path: Path) -> None:
    flow = tmp_path / "f.json"
    flow.write_text(
        json.dumps({"id": "f", "modules": {"a": {"runtime": "python3", "code": "def run(m, c): return m"}}})
    )
    (tmp_path / "in").write_bytes(b"1\n" + nested(1000) + b"\n2\n")
    done = in_shell(tmp_path, flow, "-i a.in=in -o a.out=-")
    assert (done.returncode, done.stdout) == (1, "1\n2\n")
    assert "runner: " not in done.stderr and "dead letter at f/a: " in done.stderr


def test_every_view_of_a_message_nested_deep(runner: Harness) -> None:
    """Dead letters, held messages, steps: each is answered."""
    runner.add(
        "f", {"a": {"runtime": "python3", "code": "def run(m, c):\n    c.set('k', 1)\n    raise ValueError(1)\n"}}
    )
    runner.start("f")
    runner.ok(api.PauseFlow, flow_id="f")
    for depth in (1, 300, 900):
        runner.send("f/a", json.loads(nested(depth)))
    held = runner.ok(api.ListHeld, flow_id="f")
    assert ["$undecoded" in str(entry)[:200] for entry in held] == [False, True, True]
    for _ in range(3):
        runner.ok(api.SingleStepFlow, flow_id="f")
    assert [bool(letter["message"] == [1]) for letter in runner.ok(api.DeadLetters, flow_id="f")] == [
        True,
        False,
        False,
    ]
