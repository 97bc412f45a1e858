"""What a client may say to the MCP server, well formed or not. No runner: what is asked of one is written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.mcp.server import Done, McpServer, OwnTool
from actors.mcp.tools import api_tools, object_schema, tool
from actors.messages import client_to_runner as api
from actors.messages.runner_to_client import Reply


class Talk:
    """A server, what it has said, and what it has asked."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.asked: list[tuple[api.Request, Done]] = []
        self.stopped: list[str] = []
        own = {"slow": OwnTool(tool("slow", "-", object_schema({}, [])), self._slow)}
        self.server = McpServer(lambda request, done: self.asked.append((request, done)), own)

    def _slow(self, _arguments: dict[str, Any], done: Done) -> Callable[[], None]:
        self.slow_done = done
        return lambda: self.stopped.append("slow")

    def take(self, message: Any) -> bool:
        line = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.server.take(line, lambda answer: self.said.append(json.loads(answer)))

    def request(self, method: str, id: Any = 1, **params: Any) -> Any:
        self.take({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        return self.said[-1] if self.said else None


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"{", -32700), (b"[" * 5000, -32700), (b"\xff", -32700), (b"1", -32600), (b"[]", -32600), (b"null", -32600),
        ([1] * 257, -32600), ({"id": 1, "method": "ping"}, -32600), ({"jsonrpc": "2.0", "id": 1}, -32600),
        ({"jsonrpc": "2.0", "id": None, "method": "ping"}, -32600),
        ({"jsonrpc": "2.0", "id": [], "method": "ping"}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": 7}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "nothing"}, -32601),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call"}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "nothing"}}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "why", "arguments": 1}}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": 1}}, -32602),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(message: Any, code: int) -> None:
    talk = Talk()
    assert talk.take(message)
    assert [one["error"]["code"] for one in talk.said] == [code]
    assert not talk.asked


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": {"no": "id"}}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": 7},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "removeFlow"}},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        [{"jsonrpc": "2.0", "method": "notifications/initialized"}],
    ],
)
def test_nobody_answers_a_notification(message: Any) -> None:
    talk = Talk()
    assert not talk.take(message)
    assert (talk.said, talk.asked) == ([], [])


LEAVES = st.none() | st.booleans() | st.integers() | st.text()
NAMES = st.sampled_from(["jsonrpc", "id", "method", "params", "name", "arguments", "_meta", "uri"])
WORDS = st.sampled_from(["2.0", "tools/call", "initialize", "resources/read", "flowState", "flow://a"])


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner | WORDS)))
def test_whatever_is_said_it_goes_on(message: Any) -> None:
    talk = Talk()
    talk.take(message)
    for _, done in talk.asked:
        done(Reply(request_id="", ok=True, value=[]))
    assert all("internal error" not in json.dumps(one) for one in talk.said)
    assert talk.request("ping", id=99) == {"jsonrpc": "2.0", "id": 99, "result": {}}


@pytest.mark.parametrize(
    ("wanted", "given_"),
    [("2025-11-25",) * 2, ("2024-11-05",) * 2, ("1999-01-01", "2025-11-25"), (None, "2025-11-25")],
)
def test_the_version_is_agreed_on(wanted: Any, given_: str) -> None:
    assert Talk().request("initialize", protocolVersion=wanted)["result"]["protocolVersion"] == given_


def test_a_version_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    answer = Talk().request("tools/list", _meta={"io.modelcontextprotocol/protocolVersion": "2031-01-01"})
    assert answer["error"]["code"] == -32022
    assert "2026-07-28" in answer["error"]["data"]["supported"]


def test_a_batch_has_one_answer_when_all_have_come() -> None:
    talk = Talk()
    call = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "flowState", "arguments": {"flowId": "f"}}}
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert talk.take([{**call, "id": 1}, note, {**call, "id": 2}, 7])
    for _, done in reversed(talk.asked):
        assert talk.said == []
        done(Reply(request_id="", ok=True, value={"state": "running"}))
    assert [one["id"] for one in talk.said[0]] == [None, 2, 1]


def test_who_cancels_gets_no_answer() -> None:
    talk = Talk()
    for id, name in ((1, "flowState"), (2, "slow")):
        talk.request("tools/call", id=id, name=name, arguments={"flowId": "f"} if name == "flowState" else {})
    for id in (1, 2, 2):
        talk.take({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
    assert talk.stopped == ["slow"]
    talk.asked[0][1](Reply(request_id="", ok=True, value={}))
    talk.slow_done(Reply(request_id="", ok=True, value={}))
    assert talk.said == []


def test_a_refusal_is_for_the_model_to_read() -> None:
    talk = Talk()
    talk.request("tools/call", name="addOrUpdateFlow", arguments={"flow": {}})
    talk.asked[0][1](Reply(request_id="", ok=False, error="no", data=["a.yaml:3: unknown field 'modles'"]))
    result = talk.said[0]["result"]
    assert result["isError"]
    assert "modles" in result["content"][0]["text"]


def test_what_orjson_cannot_write_is_written() -> None:
    talk = Talk()
    talk.request("tools/call", name="getContext", arguments={"flowModuleId": "f/m"})
    talk.asked[0][1](Reply(request_id="", ok=True, value={"big": 2**70, "half": "\ud800"}))
    assert json.loads(talk.said[0]["result"]["content"][0]["text"]) == {"big": 2**70, "half": "\ud800"}


# tools ---------------------------------------------------------------------------------------------------------------


def test_what_changes_is_not_marked_as_reading() -> None:
    marks = {name: one.shown["annotations"] for name, one in api_tools().items()}
    reading = {name for name, its in marks.items() if its["readOnlyHint"]}
    assert reading >= {"flowState", "listHeld", "deadLetters", "audit", "explain", "why", "readTap", "getContext"}
    commands = {name for name in reading if issubclass(api.REQUESTS.get(name, api.Ping), api.Command)}
    assert commands <= {"ping", "why", "unsubscribe"}
    assert not reading & {"singleStepFlow", "installDependencies", "collectDependencies", "saveFlow", "shadowModule"}
    assert marks["saveFlow"]["destructiveHint"]
    destroys = {name for name, its in marks.items() if its["destructiveHint"]}
    assert not destroys & reading
    wanted = {name for name in api.REQUESTS if name.startswith(("remove", "drop", "edit", "collect"))}
    assert destroys >= wanted - {"removeBreakPointAtModule"}


def test_what_has_an_order_says_it() -> None:
    shown = {name: one.shown["description"] for name, one in api_tools().items()}
    assert "plan true first" in shown["addOrUpdateFlow"]
    for name, before in (
        ("singleStepFlow", "pauseFlow"), ("editHeld", "listHeld"), ("readTap", "tapPort"),
        ("startFlow", "addOrUpdateFlow"), ("shadowModule", "addOrUpdateFlow"),
        ("replayDeadLetter", "deadLetters"), ("rollbackFlow", "listVersions"), ("moveModule", "listRunners"),
    ):  # fmt: skip
        assert before in shown[name].partition("\n")[2], name


@pytest.mark.parametrize("name", sorted(api_tools()))
def test_arguments_by_the_schema_make_the_request(name: str) -> None:
    made = api_tools()[name]
    schema = made.shown["inputSchema"]
    samples = {"string": "current", "object": {}, "array": [], "integer": 1, "number": 1, "boolean": False}
    arguments = {one: samples.get(schema["properties"][one].get("type"), 1) for one in schema["required"]}
    assert isinstance(made.request(arguments), api.REQUESTS["explain" if name == "why" else name])
