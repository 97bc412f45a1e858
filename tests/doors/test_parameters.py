"""What is given to a call is checked, whichever way it comes: the refusal names the call, the parameter, what was given
and what is wanted; nothing waits for it afterwards.
"""

# ruff: noqa: E501 (the table of sentences)

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from actors.console import numbers
from actors.console.cli import main
from actors.doors import rpc
from actors.messages import calls
from actors.messages import client_to_runner as api
from actors.messages.parameters import MAX_SECONDS, method_of, parameters, request_problem
from tests.harness import Harness

BAD: list[tuple[type[api.Request], dict[str, Any], str]] = [
    (api.PauseFlow, {"flow_id": "f", "timeout_s": "x"}, "pauseFlow: timeoutS must be a number of seconds from 0 to 31,536,000 or null, not the text 'x'"),
    (api.PauseFlow, {"flow_id": "f", "timeout_s": -1e308}, "pauseFlow: timeoutS must be a number of seconds"),
    (api.PauseFlow, {"flow_id": "f", "timeout_s": 1e308}, "pauseFlow: timeoutS must be a number of seconds"),
    (api.PauseFlow, {"flow_id": "f", "timeout_s": float("inf")}, "pauseFlow: timeoutS must be a number of seconds"),
    (api.PauseFlow, {"flow_id": "f", "timeout_s": float("nan")}, "pauseFlow: timeoutS must be a number of seconds"),
    (api.PauseFlow, {"flow_id": "f", "timeout_s": True}, "pauseFlow: timeoutS must be a number of seconds"),
    (api.PauseFlow, {"flow_id": "f", "timeout_s": 10**400}, "not a number of more than 60 digits"),
    (api.PauseFlow, {"flow_id": ["f"]}, "pauseFlow: flowId must be text, not a list"),
    (api.PauseFlow, {"flow_id": "f" * 5000}, "pauseFlow: flowId is too long: 5,000 characters"),
    (api.SetBreakPointAtModule, {"flow_module_id": "f/a", "timeout_s": "1"}, "setBreakPointAtModule: timeoutS must be"),
    (api.SetBreakPointAtModule, {"flow_module_id": "f/a", "when": 1}, "setBreakPointAtModule: when must be text or null"),
    (api.SetBreakPointAtModule, {"flow_module_id": "f/a", "scope": "all"}, "setBreakPointAtModule: scope must be 'flow' or 'module', not the text 'all'"),
    (api.SetBreakPointAtModule, {"flow_module_id": "f/a", "log": "no"}, "setBreakPointAtModule: log must be true or false"),
    (api.RollbackFlow, {"flow_id": "f", "version": 0}, "rollbackFlow: version must be a whole number from 1 or null, not the number 0"),
    (api.RollbackFlow, {"flow_id": "f", "version": 1.5}, "rollbackFlow: version must be a whole number from 1"),
    (api.RollbackFlow, {"flow_id": "f", "context": None}, "rollbackFlow: context must be 'current' or 'snapshot', not empty"),
    (api.SendMessage, {"flow_module_id": 5, "message": 1}, "sendMessage: flowModuleId must be text, not the number 5"),
    (api.SendMessage, {"flow_module_id": "f/a", "port": {}, "message": 1}, "sendMessage: port must be text, not a mapping"),
    (api.AddOrUpdateFlow, {"flow": "f"}, "addOrUpdateFlow: flow must be an object, not the text 'f'"),
    (api.AddOrUpdateFlow, {"flow": {}, "plan": 1}, "addOrUpdateFlow: plan must be true or false, not the number 1"),
    (api.EditHeld, {"id": 3, "message": 1}, "editHeld: id must be text"),
    (api.ReadTap, {"tap_id": None}, "readTap: tapId must be text, not empty (null)"),
    (api.SingleStepFlow, {"flow_id": 0}, "singleStepFlow: flowId must be text or null"),
    (api.InstallDependencies, {"runtime_id": "python3", "dependencies": ["a", 1]}, "installDependencies: dependencies must be a list of texts"),
]  # fmt: skip


def test_every_way_in_refuses(runner: Harness) -> None:
    """And the flow can still be paused, stopped and removed."""
    runner.add("f", {"a": {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}})
    runner.start("f")
    for kind, given_, sentence in BAD:
        reply = runner.call(kind, **given_)
        assert not reply.ok
        assert reply.error is not None and sentence in reply.error
    for kind, fields_ in (
        (api.PauseFlow, {"timeout_s": 0.5}),
        (api.ResumeFlow, {}),
        (api.StopFlow, {}),
        (api.RemoveFlow, {}),
    ):
        runner.ok(kind, flow_id="f", **fields_)


@pytest.mark.parametrize(("kind", "given_", "sentence"), BAD)
def test_a_line_of_json_rpc_is_refused(kind: type[api.Request], given_: dict[str, Any], sentence: str) -> None:
    names = {parameter.name: parameter.camel for parameter in parameters(kind)}
    params = {names[name]: value for name, value in given_.items()}
    call = {"jsonrpc": "2.0", "id": 7, "method": method_of(kind), "params": params}
    text = json.dumps(call)
    if any(word in text for word in ("NaN", "Infinity", "0" * 300)):
        return  # no JSON, or for its parser another number
    calls, (answer,), _ = rpc.parse(text.encode(), lambda: "1")
    assert not calls
    error = json.loads(answer)["error"]
    assert error["code"] == rpc.BAD_PARAMS
    assert sentence in error["message"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("x" * 5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=5,
)  # fmt: skip


@given(st.data())
def test_whatever_is_given_is_taken_or_named(data: st.DataObject) -> None:
    """A request is refused with a parameter's name, or every parameter is what its class says."""
    kind = data.draw(st.sampled_from(sorted(api.REQUESTS.values(), key=lambda kind: kind.__name__)))
    given_ = {field.name: data.draw(JSON, field.name) for field in structs.fields(kind) if field.name != "request_id"}
    problem = request_problem(kind(**given_))
    if problem is not None:
        assert any(f": {parameter.camel} " in problem for parameter in parameters(kind))
        assert len(problem) < 300
        return
    for name, value in given_.items():
        if name == "timeout_s" and value is not None:
            assert 0 <= value <= MAX_SECONDS
        if name.endswith("_id") and value is not None:
            assert isinstance(value, str)


def test_what_lacks_is_named() -> None:
    with pytest.raises(calls.BadRequestError, match="sendMessage lacks flowModuleId and message; its parameters: "):
        calls.make_request("sendMessage", {}, "1")


@pytest.mark.parametrize("text", ["-1", "-1e308", "1e308", "nan", "inf", "-inf", "x", "", "1e9"])
@pytest.mark.parametrize(
    "command",
    [["pause", "f", "--timeout"], ["break", "f/a", "--timeout"], ["run", "f.yaml", "--for"], ["down", "--timeout"]],
)
def test_seconds_on_the_command_line(command: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as status:
        main([*command[:-1], f"{command[-1]}={text}"])
    assert status.value.code == 2
    assert f"a number of seconds from 0 to 31,536,000 is wanted, not {text!r}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "9" * 30])
@pytest.mark.parametrize("command", [["tap", "f/a", "-n"], ["rollback", "f", "--version"]])
def test_counts_on_the_command_line(command: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as status:
        main([*command, text] if not text.startswith("-") else [*command[:-1], f"{command[-1]}={text}"])
    assert status.value.code == 2
    assert "a whole number from 1 is wanted" in capsys.readouterr().err


def test_one_limit() -> None:
    assert numbers.MAX_SECONDS == MAX_SECONDS
