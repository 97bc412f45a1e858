"""The Runner API as MCP tools: each request class is one; what it may destroy, and what comes before it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from actors.messages import client_to_authoring as authoring
from actors.messages import client_to_runner as api
from actors.messages.calls import make_request
from actors.messages.parameters import parameters

READ_TAP_WAIT_S = 5.0
_READS = {
    "ping", "listRunners", "listRuntimes", "listFlows", "listFlowsForRuntime", "listVersions", "listHeld",
    "listDependencies", "listStarters", "flowState", "explain", "getContext", "readLog", "readTap", "deadLetters",
    "audit", "lastReceipt", "subscribe", "unsubscribe",
}  # fmt: skip
_OVERWRITES = {"saveFlow"}  # a file
_DESTROYS = (
    api.AddOrUpdateFlow, api.RollbackFlow, api.RemoveFlow, api.DropHeld, api.EditHeld, api.DropDeadLetter,
    api.EditDeadLetter, api.RemoveDependencies, api.CollectDependencies,
)  # fmt: skip
_REPEATABLE = (
    api.StartFlow, api.StopFlow, api.PauseFlow, api.ResumeFlow, api.SetBreakPointAtModule, api.EditHeld,
    api.EditDeadLetter, api.InstallDependencies,
)  # fmt: skip

INSTRUCTIONS = """\
A runner runs flows: graphs of modules (small functions in python3, node, go, rust, sbcl ...) joined by wires.
To look: listFlows, then flowState, why, audit, readLog; the resource flow://FLOW is its document, flow://FLOW/MODULE \
the text of a module.
To write one: the resource schema://flow says what a flow file may have. check, then test, then addOrUpdateFlow with \
"plan": true, then without it, then startFlow if it is new.
To change one that runs: take its document from flow://FLOW, change it, addOrUpdateFlow with "plan": true, read what \
the plan says, then without. Queues and contexts stay. rollbackFlow takes it back.
When messages fail: deadLetters, mend the module, addOrUpdateFlow, replayDeadLetter.
To debug: setBreakPointAtModule or pauseFlow, listHeld, singleStepFlow as often as needed, editHeld or dropHeld, \
removeBreakPointAtModule, resumeFlow. A flow that is paused stands still for everybody: do not leave it so.
"""

_ORDER: dict[type[api.Request], str] = {
    api.AddOrUpdateFlow: (
        "Call it with plan true first, read what would happen to each module, then without. expectedVersion refuses "
        "the update if somebody else has changed the flow since. A module has its text in `code`; a path in `file` "
        "cannot be read here. A new flow is stopped: startFlow comes next. lastReceipt says what was done; "
        "rollbackFlow takes it back. A module that is no longer there loses its context."
    ),
    api.StartFlow: "After addOrUpdateFlow of a new flow, or after stopFlow.",
    api.StopFlow: "Before removeFlow, or to hold a flow for long; startFlow goes on.",
    api.RemoveFlow: "There is no way back: contexts, queues and dead letters of the flow go. stopFlow keeps them.",
    api.RollbackFlow: "listVersions first, for what there is to go back to. `snapshot` also puts contexts back.",
    api.SendMessage: "The flow has to be there; the module handles it when the flow runs.",
    api.FlowState: "Begin here when you look at a flow; then why, deadLetters, readLog.",
    api.DeadLetters: "Then mend the module (addOrUpdateFlow) or the message (editDeadLetter), then replayDeadLetter.",
    api.EditDeadLetter: "deadLetters gives the ids. replayDeadLetter comes next.",
    api.ReplayDeadLetter: "deadLetters gives the ids. Mend what has failed first, or it fails again.",
    api.DropDeadLetter: "deadLetters gives the ids. There is no way back.",
    api.SetBreakPointAtModule: "Then wait until flowState says that the flow is paused; listHeld shows the message.",
    api.RemoveBreakPointAtModule: "resumeFlow comes next, if the flow is paused.",
    api.PauseFlow: "Then listHeld, singleStepFlow; resumeFlow at the end.",
    api.SingleStepFlow: "pauseFlow, or a breakpoint that was hit, comes first. {} : nothing was waiting.",
    api.ListHeld: "pauseFlow, or a breakpoint that was hit, comes first.",
    api.EditHeld: "pauseFlow and listHeld come first: they give the id.",
    api.DropHeld: "pauseFlow and listHeld come first: they give the id. There is no way back.",
    api.ReleaseHeld: "pauseFlow and listHeld come first: they give the id.",
    api.TapPort: "Then readTap with the id that it returns, as often as needed; then endTap.",
    api.ReadTap: f"tapPort comes first. Without waitS it waits {READ_TAP_WAIT_S:g} s for a message.",
    api.EndTap: "After the last readTap.",
    api.Subscribe: "For programs that are told; to look once, flowState is better. unsubscribe ends it.",
    api.Unsubscribe: "After subscribe, whose id it takes.",
    api.InstallDependencies: "listDependencies shows what is there already. addOrUpdateFlow installs by itself, too.",
    api.RemoveDependencies: "listDependencies first: it gives the id, and says which flows use it.",
    api.DrainRunner: "listRunners first. Before a machine is taken away; `end` lets modules come back.",
    api.MoveModule: "listRunners first: it says which there are.",
    api.RestartRunner: "listRunners first: it says which there are.",
    authoring.ShadowModule: "Before addOrUpdateFlow of a changed module: what would come out otherwise?",
    authoring.EndShadow: "After shadowModule, which then answers.",
    authoring.SaveFlow: "After addOrUpdateFlow, if the file is to have it too: the file is overwritten.",
    api.LastReceipt: "After addOrUpdateFlow or rollbackFlow.",
    api.ListVersions: "Before rollbackFlow.",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """As clients see it (`shown`), and the request that its arguments make: raises BadRequestError."""

    shown: dict[str, Any]
    request: Callable[[dict[str, Any]], api.Request]


def tool(
    name: str, description: str, schema: dict[str, Any], *, reads: bool = True, destroys: bool = False,
    repeatable: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """What is said of a tool. `repeatable`: to call it twice is as good as once."""
    annotations = {
        "readOnlyHint": reads, "destructiveHint": destroys, "idempotentHint": reads or repeatable,
        "openWorldHint": False,
    }  # fmt: skip
    return {"name": name, "description": description, "inputSchema": schema, "annotations": annotations}


def object_schema(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """Of arguments by name; others are refused."""
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


@cache
def api_tools() -> dict[str, Tool]:
    """By name: every call of the API, and `why`."""
    found = {method: _of_call(method, kind) for method, kind in api.REQUESTS.items()}
    explain = _of_call("explain", api.Explain)
    why = "Why does a flow not do what it should? In sentences, the cause first. The first thing to ask."
    found["why"] = Tool({**explain.shown, "name": "why", "description": why}, explain.request)
    return found


def _of_call(method: str, kind: Any) -> Tool:
    properties, required = {}, []
    for one in parameters(kind):
        properties[one.camel] = _schema(one.type, one.words)
        if one.is_needed:
            required.append(one.camel)
    description = " ".join((kind.__doc__ or "").split())
    if kind in _ORDER:
        description += f"\n{_ORDER[kind]}"
    shown = tool(
        method, description, object_schema(properties, required), reads=method in _READS,
        destroys=kind in _DESTROYS or method in _OVERWRITES, repeatable=kind in _REPEATABLE,
    )  # fmt: skip
    return Tool(shown, lambda arguments: make_request(method, _patient(kind, arguments), ""))


def _schema(type: Any, words: str) -> dict[str, Any]:
    """JSON Schema of a parameter; it says what it may be where no type says so."""
    schema: dict[str, Any] = msgspec.json.schema(type)
    return schema if schema else {"description": words}


def _patient(kind: type[api.Request], arguments: dict[str, Any]) -> dict[str, Any]:
    """An agent cannot do anything else while it waits: not for ever."""
    return {"waitS": READ_TAP_WAIT_S, **arguments} if kind is api.ReadTap else arguments
