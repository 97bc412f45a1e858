"""The debugger's verbs: what they print for people, their JSON, their exit status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.console.debug_text import debug_lines, held_text, step_text, value_text
from tests.console.test_cli import as_json, ok, refused
from tests.deployments import Plant

COUNT = """
def run(message, context):
    if message == "bad":
        raise ValueError("a bad message")
    context.set("n", context.get("n", 0) + 1)
    return [message, context.get("n")]
"""


@pytest.fixture
def debugged(up: Plant, tmp_path: Path) -> Iterator[Plant]:
    """A flow `d`: a -> b, two counters."""
    modules = {name: {"runtime": "python3", "code": COUNT} for name in "ab"}
    path = tmp_path / "d.json"
    path.write_text(json.dumps({"id": "d", "modules": modules, "wires": ["a -> b"]}))
    ok(up, "apply", str(path))
    yield up
    up.cli("remove", "d")


def until_paused(up: Plant) -> None:
    with up.client() as client:
        while client.flow_state("d")["debug"]["pausedBy"] is None:
            pass


def test_breakpoint_step_and_held_messages(debugged: Plant) -> None:
    up = debugged
    set_it = ("break", "d/b", "--when", "message[0] == 'x'")
    assert ok(up, *set_it) == "d/b: breakpoint set: pauses the flow when message[0] == 'x'\n"
    ok(up, "send", "d/a", "-", stdin='1\n"x"\n2\n')
    until_paused(up)
    state = ok(up, "state", "d")
    assert "d: running\npaused by the breakpoint at b\n" in state
    assert "breakpoint at b when message[0] == 'x', pauses the flow\n" in state
    head, *rows, last = ok(up, "held", "list", "d").splitlines()
    assert head.split() == ["NO", "ID", "MESSAGE"] and last == "* waits at a breakpoint"
    (waits,) = (row.split(maxsplit=2)[1:] for row in rows if row.startswith("*"))  # the last one may still be before it
    assert waits == ["'d/b/a.out->b.in#1'", '["x", 2]']
    ok(up, "send", "d/a", "3")  # injected: it waits like all others
    ids = [view["id"] for view in as_json(up, "held", "list", "d") if view["message"] == 3]
    assert ids == ["d/a/api->a.in#3"]
    assert ok(up, "held", "edit", ids[0], "33") == f"{ids[0]}: edited\n"
    stepped = ok(up, "step")
    assert '  took in: ["x", 2]\n' in stepped
    assert "  context n: 1 -> 2\n" in stepped
    assert "headers" not in stepped, "only the user's own"
    taken = []
    while wave := as_json(up, "step", "d"):
        taken += [state["message"] for state in wave.get("d/b", {}).get("inputStates", [])]
    assert taken[-1] == [33, 4]
    assert ok(up, "step") == "nothing is pending\n"
    assert ok(up, "held", "list", "d") == "no message is held\n"
    assert ok(up, "unbreak", "d/b") == "d/b: breakpoint removed\n"
    assert ok(up, "resume", "d") == "d: goes on\n"
    assert "is not paused" in refused(up, "step", "d")
    assert refused(up, "step") == "runner: no flow is paused\n"
    assert as_json(up, "audit")["d/b"]["completed"] == 4


def test_drop_and_release(debugged: Plant) -> None:
    up = debugged
    assert ok(up, "pause", "d", "--timeout", "0") == "d: paused\n"
    ok(up, "send", "d/a", "-", stdin='1\n"bad"\n')
    first, second = [view["id"] for view in as_json(up, "held", "list", "d")]
    assert "no held message was shown as 77" in refused(up, "held", "drop", "77")
    assert "order first" in refused(up, "held", "release", second)
    assert ok(up, "held", "release", first) == f"{first}: released\n"
    with up.client() as client:
        while len(client.list_held("d")) != 2 or client.flow_state("d")["modules"]["b"]["queued"] != 1:
            pass  # until it is at b
    stepped = as_json(up, "step", "d")
    assert stepped["d/a"]["errors"][0]["type"] == "ValueError"
    ok(up, "send", "d/a", "4")
    (left,) = as_json(up, "held", "list", "d")
    assert as_json(up, "held", "drop", str(left["number"])) == {"ok": True, "id": left["id"]}
    ok(up, "resume", "d")
    assert as_json(up, "audit")["d/a"]["dropped"] == 1


def test_a_breakpoint_that_only_logs(debugged: Plant) -> None:
    assert ok(debugged, "break", "d/a", "--log") == "d/a: breakpoint set: only logs\n"
    assert "breakpoint at a, only logs\n" in ok(debugged, "state", "d")
    ok(debugged, "break", "d/a", "--scope", "module")
    assert "breakpoint at a, pauses the module\n" in ok(debugged, "state", "d")


def test_every_digit_is_shown(debugged: Plant) -> None:
    """Of integers that are no doubles, beside doubles that have many digits."""
    text = "[3544790567247868102, 0.2345678901234568, -9223372036854775808]"
    ok(debugged, "pause", "d")
    ok(debugged, "send", "d/a", text)
    assert text in ok(debugged, "held", "list", "d")
    assert [view["message"] for view in as_json(debugged, "held", "list", "d")] == [json.loads(text)]
    assert f"took in: {text}" in ok(debugged, "step")


def test_resuming_a_stopped_flow_does_not_say_that_it_goes_on(debugged: Plant) -> None:
    ok(debugged, "stop", "d")
    ok(debugged, "pause", "d")
    assert ok(debugged, "resume", "d") == "d: not paused any more, but stopped\n"


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["break", "d"], 2, "a module is named FLOW/MODULE, not 'd'"),
        (["break", "d/c"], 1, "no module 'c'; it has a, b"),
        (["break", "d/a", "--when", "1 +"], 1, "`when` is not a CEL expression"),
        (["break", "d/a", "--scope", "all"], 2, "invalid choice"),
        (["unbreak", "nope/a"], 1, "there is no flow 'nope'"),
        (["unbreak", "d/a"], 1, "d/a has no breakpoint"),
        (["pause", "nope"], 1, "there is no flow 'nope'"),
        (["resume", "nope"], 1, "there is no flow 'nope'"),
        (["step", "nope"], 1, "there is no flow 'nope'"),
        (["held"], 2, "{list,edit,drop,release}"),
        (["held", "list", "nope"], 1, "there is no flow 'nope'"),
        (["held", "drop", "d/a/x-"], 2, "put the id in quotes"),
        (["held", "drop", "d/a/api->a.in#7"], 1, "is not paused"),
        (["held", "edit", "d/a/api->a.in#7", "{"], 2, "not JSON"),
    ],
)
def test_mistakes(debugged: Plant, words: list[str], status: int, says: str) -> None:
    assert says in refused(debugged, *words, status=status)


def test_texts() -> None:
    assert step_text({"f/a": {"running": True}}) == "f/a: still works on its message"
    state = {"port": "in", "message": 1, "headers": {"id": "7", "x-y": "z"}, "context": {"gone": 1, "same": 2}}
    part = {
        "inputStates": [state], "outputStates": [], "errors": [{"type": "E", "message": "m"}], "ms": 1.0, "pending": 0,
        "context": {"same": 2, "new": 3},
    }  # fmt: skip
    assert step_text({"f/a": part}).splitlines() == [
        "f/a  (1.0 ms, pending 0)",
        '  took in: 1  headers {"x-y": "z"}',
        "  error E: m",
        "  context gone: 1 -> deleted",
        "  context new: 3",
    ]
    assert value_text("x" * 300).endswith("... (302 characters)")
    view = {"id": "f/a/w#1", "number": 1, "flowModuleId": "f/a", "message": 1, "headers": None, "atBreakpoint": False}
    assert "and 7 more in f/a" in held_text([view | {"more": 7}])
    assert "f/a: `when` failed" in held_text([view | {"error": "`when` failed"}])
    debug = {"pausedBy": None, "pausedModules": [], "breakpoints": {}, "resumedByItself": "paused by x: it goes on"}
    assert list(debug_lines(debug, 2)) == ["paused by x: it goes on"]
    debug |= {"pausedBy": "the breakpoint at a", "pausedModules": ["a"]}
    assert list(debug_lines(debug, 2)) == ["paused by the breakpoint at a (only a)"]
