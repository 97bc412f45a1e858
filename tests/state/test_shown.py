"""What people are shown of a message: its value, or its text where no value can be read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.console.calls import value_of
from actors.console.errors import UserError
from actors.doors import rpc
from actors.messages import client_to_runner as api
from actors.messages.module_to_module import Deliver
from actors.messages.runner_to_client import Reply
from actors.state.shown import MAX_SHOWN_BYTES, MAX_SHOWN_DEPTH, View, is_nested_deeper, shown
from runtimes.frames import join
from tests.ends.test_files import in_shell
from tests.harness import Harness

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


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(VALUES, st.integers(0, 6), st.booleans())
def test_nesting_is_found_without_decoding(value: Any, levels: int, ascii: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii).encode(errors="surrogatepass")
    assert is_nested_deeper(data, levels) == (depth_of(value) > levels)


@pytest.mark.parametrize("data", [nested(1000), b"x" * (2 << 20), b"no json", b"\xff", b"", b"[1,"])
def test_what_cannot_be_shown_can_be_answered(data: bytes) -> None:
    view = View().message(data, None)
    assert view["message"]["$undecoded"].encode()[:3] == data.replace(b"\xff", b"\\xff")[:3]
    line = rpc.answer(1, Reply(request_id="", ok=True, value=[view]))
    assert json.loads(line)["result"] == [view]


def test_an_answer_that_cannot_be_written_is_a_refusal() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert json.loads(rpc.answer(1, Reply(request_id="", ok=True, value=deep)))["error"]["code"] == rpc.REFUSED


def test_an_answer_has_room_for_so_much() -> None:
    view, value = View(), b'"' + b"x" * (MAX_SHOWN_BYTES // 3) + b'"'
    assert [isinstance(view.value(value), dict) for _ in range(5)] == [False, False, True, True, True]
    context = View().context({b"a": value, b"b": value, b"c": b"1", b"d": value}, frozenset({b"d"}))
    assert [key for key, one in context.items() if isinstance(one, dict)] == ["b"]


def deliver(runner: Harness, bodies: list[bytes]) -> None:
    """Into the mailbox, as a host that keeps to nothing would."""
    record = runner.record("f")
    runner.send("f/a", "first")  # makes the wire
    record.activity.pending += len(bodies)
    runner.system.tell(record.modules["a"], Deliver("api->a.in", join(bodies), 0, 0, len(bodies), 1))


def test_every_view_of_messages_of_every_kind(runner: Harness) -> None:
    """Held messages, steps, dead letters: each is answered, and is no more than it may be."""
    bodies = [nested(300), nested(1000), b'"%s"' % (b"x" * (3 << 20)), b"no json", b"[1,2]"]
    code = """
def start(c):
    for i in range(15):
        c.set("k%d" % i, "x" * 900_000)


def run(m, c):
    c.set("big", "x" * 1_000_000)
    c.set("n", c.get("n", 0) + 1)
    return m
"""
    runner.add("f", {"a": {"runtime": "python3", "code": code}})
    runner.start("f")
    runner.ok(api.PauseFlow, flow_id="f")
    deliver(runner, bodies)
    held = runner.ok(api.ListHeld, flow_id="f")
    assert [isinstance(one["message"], dict) for one in held] == [False, True, True, True, True, False]
    waves = []
    while wave := runner.ok(api.SingleStepFlow, flow_id="f"):
        waves.append(wave["f/a"])
        assert len(json.dumps(wave)) < 6 << 20
    assert len(waves) == 6
    first = waves[0]
    assert first["context"]["n"] == 1 and "n" not in first["inputStates"][0]["context"]
    assert sum(isinstance(value, dict) for value in first["context"].values()) == 15
    letters = runner.ok(api.DeadLetters, flow_id="f")
    assert [isinstance(letter["message"], dict) for letter in letters] == [True, True, True]
    runner.ok(api.StopFlow, flow_id="f")
    runner.ok(api.RemoveFlow, flow_id="f")


def test_a_message_nested_too_deep_is_refused_where_it_comes_in(runner: Harness) -> None:
    runner.add("f", {"a": {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}})
    for levels, ok in ((120, True), (121, False), (900, False), (5000, False)):
        message: Any = 1
        for _ in range(levels):
            message = [message]
        reply = runner.call(api.SendMessage, flow_module_id="f/a", message=message)
        assert reply.ok == ok
        assert ok or "nested deeper than 120 levels" in str(reply.error)


@pytest.mark.parametrize("levels", [2000, 100_000])
def test_the_command_line_says_it_too(levels: int) -> None:
    """Where it cannot even be decoded."""
    with pytest.raises(UserError, match="the message is nested deeper than 120 levels"):
        value_of(nested(levels).decode())
