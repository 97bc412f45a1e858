"""A session with a flow that is only written down: what editors may say, in any order, and forged frames."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.dap.places import Places, of_document
from actors.dap.session import Session
from actors.dap.target import DapError, GoneError
from actors.dap.wire import Frames, WireError, frame
from tests.dap.test_official_client import FLOW

MODULES = {"double": {"runtime": "python3"}, "add": {"runtime": "python3"}}


class Written:
    """In the place of a flow that runs."""

    flow_id = "debugged"

    def __init__(self, path: Path) -> None:
        self.places = Places(path, path.read_text(), MODULES)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.debug: dict[str, Any] = {"pausedBy": None, "hits": [], "breakpoints": {}}
        self.letters: list[dict[str, Any]] = []
        self.held: list[dict[str, Any]] = []
        self.refuses: dict[str, DapError] = {}
        self.is_closed = False

    def call(self, method: str, **params: Any) -> Any:
        self.calls.append((method, params))
        if method in self.refuses:
            raise self.refuses[method]
        match method:
            case "flowState":
                wires: dict[str, Any] = {"double.out->add.in": {}}
                return {"debug": self.debug, "modules": MODULES, "deadLetters": len(self.letters), "wires": wires}
            case "readLog":
                return {"lines": [], "after": "1"}
            case "listHeld":
                return self.held
            case "deadLetters":
                return self.letters
            case "getContext":
                return {"sum": 1}
            case "pauseFlow":
                self.debug["pausedBy"] = "pauseFlow"
            case "resumeFlow":
                self.debug["pausedBy"] = None
        return {} if method == "singleStepFlow" else True

    def begin(self) -> None:
        self.calls.append(("begin", {}))

    def close(self) -> None:
        self.is_closed = True

    @property
    def asked(self) -> list[str]:
        return [name for name, _ in self.calls]


class Editor:
    def __init__(self, folder: Path) -> None:
        (folder / "flow.yaml").write_text(FLOW)
        self.path = str(folder / "flow.yaml")
        self.target = Written(folder / "flow.yaml")
        self.said: list[dict[str, Any]] = []
        self.session = Session(lambda _kind, _arguments: self.target, self.said.append, lambda wave: f"{wave}")

    def ask(self, command: str, **arguments: Any) -> Any:
        """The response's body, or its refusal's text."""
        self.session.handle({"seq": 7, "type": "request", "command": command, "arguments": arguments})
        answer = [one for one in self.said if one["type"] == "response"][-1]
        assert (answer["request_seq"], answer["command"]) == (7, command)
        return answer["body"] if answer["success"] else answer["message"]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [one["body"] for one in self.said if one.get("event") == name]

    def begun(self) -> Editor:
        self.ask("initialize")
        self.ask("attach")
        self.ask("configurationDone")
        return self


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    return Editor(tmp_path)


def held(module: str, number: int, message: Any) -> dict[str, Any]:
    id = f"debugged/{module}/double.out->{module}.in#{number}"
    return {"id": id, "flowModuleId": f"debugged/{module}", "port": "in", "message": message, "headers": None}


def test_numbers_of_messages_grow_by_one(editor: Editor) -> None:
    editor.begun()
    assert [one["seq"] for one in editor.said] == [*range(1, len(editor.said) + 1)]
    names = [one.get("event") or one["command"] for one in editor.said]
    assert names == ["initialize", "attach", "initialized", "configurationDone"]
    assert editor.target.asked[-1] == "begin"


def test_a_breakpoint_that_was_missed_between_two_looks_is_seen(editor: Editor) -> None:
    """Continue, and the next message is held before anybody has looked: the same words, another stop."""
    editor.begun()
    for count in (1, 2):
        editor.target.debug |= {"pausedBy": "the breakpoint at add", "hits": ["add"]}
        editor.session.tick()
        editor.session.tick()
        assert [one["reason"] for one in editor.events("stopped")] == ["breakpoint"] * count
        editor.ask("continue", threadId=1)


def test_what_others_do_is_told(editor: Editor) -> None:
    editor.begun()
    editor.target.debug["pausedBy"] = "pauseFlow"
    editor.session.tick()
    assert editor.events("stopped")[0]["reason"] == "pause"
    editor.target.debug["pausedBy"] = None
    editor.session.tick()
    assert editor.events("continued")


def test_a_runner_that_goes_ends_the_session(editor: Editor) -> None:
    editor.begun()
    editor.target.refuses["readLog"] = GoneError("the runner has gone")
    editor.session.tick()
    assert editor.events("terminated")
    assert "gone" in editor.events("output")[-1]["output"]
    assert editor.session.is_over
    assert editor.target.is_closed
    editor.session.tick()
    assert len(editor.events("terminated")) == 1


def test_breakpoints_are_those_of_the_last_call(editor: Editor) -> None:
    editor.begun()
    editor.target.calls.clear()
    source = {"path": editor.path}
    first = editor.ask("setBreakpoints", source=source, breakpoints=[{"line": 3}, {"line": 10}])["breakpoints"]
    assert [(one["verified"], one["line"]) for one in first] == [(True, 3), (True, 9)]
    again = editor.ask("setBreakpoints", source=source, breakpoints=[{"line": 9, "condition": "message.n > 1"}])
    assert again["breakpoints"][0]["id"] == first[1]["id"]
    editor.ask("setFunctionBreakpoints", breakpoints=[{"name": "double"}])
    editor.ask("setBreakpoints", source=source, breakpoints=[])
    assert [(name, params["flowModuleId"].partition("/")[2]) for name, params in editor.target.calls] == [
        ("setBreakPointAtModule", "double"), ("setBreakPointAtModule", "add"),
        ("removeBreakPointAtModule", "double"), ("setBreakPointAtModule", "add"),
        ("setBreakPointAtModule", "double"), ("removeBreakPointAtModule", "add"),
    ]  # fmt: skip
    editor.ask("disconnect")
    assert editor.target.calls[-2] == ("removeBreakPointAtModule", {"flowModuleId": "debugged/double"})


def test_a_breakpoint_that_is_refused_is_not_verified(editor: Editor) -> None:
    editor.begun()
    editor.target.refuses["setBreakPointAtModule"] = DapError("debugged/double is a source")
    (one,) = editor.ask("setBreakpoints", source={"path": editor.path}, breakpoints=[{"line": 3}])["breakpoints"]
    assert not one["verified"]
    assert "is a source" in one["message"]
    (one,) = editor.ask("setBreakpoints", source={"path": "/elsewhere.py"}, breakpoints=[{"line": 3}])["breakpoints"]
    assert not one["verified"]


def test_parts_of_messages_are_edited_as_a_whole(editor: Editor) -> None:
    editor.begun()
    editor.target.held = [held("add", 1, {"a": [1, {"b": 2}]}), held("add", 2, "x")]
    editor.ask("pause")
    stop = editor.events("stopped")[-1]
    frames = editor.ask("stackTrace", threadId=stop["threadId"])["stackFrames"]
    assert len(frames) == 2
    scopes = {one["name"]: one for one in editor.ask("scopes", frameId=frames[0]["id"])["scopes"]}
    assert list(scopes) == ["Message", "Headers", "Context", "Mailbox"]
    number = scopes["Message"]["variablesReference"]
    for name in ("message", "a", "[1]"):
        found = {one["name"]: one for one in editor.ask("variables", variablesReference=number)["variables"]}
        number = found[name]["variablesReference"]
    assert editor.ask("setVariable", variablesReference=number, name="b", value='"two"')["value"] == '"two"'
    edit = ("editHeld", {"id": "debugged/add/double.out->add.in#1", "message": {"a": [1, {"b": "two"}]}})
    assert editor.target.calls[-1] == edit
    mailbox = scopes["Mailbox"]["variablesReference"]
    assert editor.ask("setVariable", variablesReference=mailbox, name="double.out->add.in#2", value="7")["value"] == "7"
    assert editor.target.calls[-1][1] == {"id": "debugged/add/double.out->add.in#2", "message": 7}
    assert "cannot be changed" in editor.ask("setVariable", variablesReference=mailbox, name="nothing", value="7")
    editor.ask("continue", threadId=1)
    assert "moved" in editor.ask("variables", variablesReference=mailbox)
    assert "moved" in editor.ask("scopes", frameId=frames[0]["id"])


def test_who_leaves_lets_the_flow_go_on(editor: Editor) -> None:
    editor.begun()
    editor.ask("pause")
    editor.session.close()
    assert editor.target.asked[-1] == "resumeFlow"
    assert editor.target.is_closed


def test_a_flow_whose_file_is_not_known_shows_its_document() -> None:
    places = of_document({"id": "f", "state": "running", "modules": {"a": {"code": "x\ny"}, "b": {}}, "wires": []})
    lines = places.text.split("\n")
    assert '"a"' in lines[places.line_of("a") - 1]
    assert places.module_at(None, places.line_of("b")) == "b"
    assert places.module_at(None, 1) is None
    assert "running" not in places.text


def test_a_modules_own_file_is_a_place_for_breakpoints(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("id: f\nmodules:\n  a: {runtime: python3, file: lib/a.py}\n")
    places = Places(path, path.read_text(), {"a"})
    assert places.module_at(str(tmp_path / "lib" / "a.py"), 17) == "a"
    assert places.module_at(str(tmp_path / "a.py"), 17) is None


COMMANDS = [
    "initialize", "launch", "attach", "setBreakpoints", "setFunctionBreakpoints", "setExceptionBreakpoints", "threads",
    "configurationDone", "stackTrace", "scopes", "variables", "setVariable", "evaluate", "source", "continue", "next",
    "stepIn", "stepOut", "pause", "breakpointLocations", "cancel", "restart", "x",
]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["line", "name", "path"]), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["source", "breakpoints", "lines", "threadId", "frameId", "variablesReference", "name", "value", "filters", "start",
     "count", "filter", "startFrame", "levels", "expression", "line", "endLine"]
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(COMMANDS), VALUES | st.dictionaries(NAMES, VALUES)), max_size=12))
def test_every_request_is_answered_once(tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[str, Any]]) -> None:
    editor = Editor(tmp_path_factory.getbasetemp())
    editor.target.held = [held("add", 1, [1])]
    for seq, (command, arguments) in enumerate(asked):
        editor.session.handle({"seq": seq, "type": "request", "command": command, "arguments": arguments})
        editor.session.tick()
    answers = [one for one in editor.said if one["type"] == "response"]
    assert [one["request_seq"] for one in answers] == [*range(len(asked))]
    assert "internal error" not in json.dumps(editor.said)


# frames --------------------------------------------------------------------------------------------------------------


@given(st.lists(st.dictionaries(st.text(), st.integers()), max_size=5), st.integers())
def test_frames_come_whole_however_they_are_cut(messages: list[dict[str, int]], seed: int) -> None:
    data, frames, found, rng = b"".join(map(frame, messages)), Frames(), [], random.Random(seed)
    while data:
        cut = rng.randint(1, len(data))
        found += frames.feed(data[:cut])
        data = data[cut:]
    assert found == messages


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: 2\r\n\r\n[]", b"Content-Length: 1\r\n\r\n{", b"Content-Length: x\r\n\r\n", b"A: b\r\n\r\n",
        b"Content-Length: 99999999999\r\n\r\n", b"x" * 5000, b"Content-Length: -1\r\n\r\n", b"\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_frame_is_said(data: bytes) -> None:
    with pytest.raises(WireError):
        Frames().feed(data)
