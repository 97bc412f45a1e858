"""The Runner API: a request per class. Its camelCase name is the JSON-RPC method, its fields the parameters."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal

from actors.messages.parameters import Expression, Number, Seconds, Text, camel, method_of, parameters, request_problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Base of all requests; `request_id` comes back in the Reply."""

    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Request):
    """Base of the requests whose answer is true, or false with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Command):
    """True at once, whatever else goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRuntimes(Request):
    """The runtimes this runner knows: id, name, version, available, reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFlows(Request):
    """All flows with their state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFlowsForRuntime(Request):
    """The flows that have a module of this runtime."""

    runtime_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOrUpdateFlow(Command):
    """Add a flow (stopped until startFlow), or update the one of the same id; with `plan`, only say what that does."""

    flow: dict[str, Any]
    plan: bool = False
    expected_version: Number | None = None  # refused, if the flow is at another one by now


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackFlow(Command):
    """Update a flow to the version before, or to one of the last 5; contexts as they are, or as they were then."""

    flow_id: Text
    context: Literal["current", "snapshot"] = "current"
    version: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFlow(Command):
    """Stop a flow and forget it with its contexts."""

    flow_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFlow(Command):
    """Start a flow, or go on where it was stopped."""

    flow_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class StopFlow(Command):
    """Stop a flow; mailboxes and contexts stay."""

    flow_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage(Command):
    """Send one message to an in-port of a module, `flow/module`."""

    flow_module_id: Text
    port: Text = "in"
    message: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowState(Request):
    """State, rates, mailbox, errors and latency per module of a flow, and its hosts."""

    flow_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters(Request):
    """The messages of a flow that could not be handled."""

    flow_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDeadLetter(Command):
    """Send a dead letter to its module again; it is newly accepted there."""

    id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit(Request):
    """Per module of every flow: accepted = completed + queued + dropped + deadLettered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastReceipt(Request):
    """The receipt of the last addOrUpdateFlow of a flow."""

    flow_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBreakPointAtModule(Command):
    """Hold a message before the module handles it, and pause. `when`: a CEL expression; `log`: only log it."""

    flow_module_id: Text
    when: Expression | None = None
    scope: Literal["flow", "module"] = "flow"
    log: bool = False
    timeout_s: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveBreakPointAtModule(Command):
    """Take a breakpoint away; a paused flow stays paused."""

    flow_module_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseFlow(Command):
    """Stop; true when nothing moves any more. After `timeout_s` without a debugging call it goes on (0: never)."""

    flow_id: Text
    timeout_s: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeFlow(Command):
    """Go on; messages at breakpoints pass them."""

    flow_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleStepFlow(Request):
    """One wave of a paused flow: each module takes its oldest message, each source is pulled once."""

    flow_id: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListHeld(Request):
    """The messages that wait in the paused modules of a flow, the oldest first."""

    flow_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class EditHeld(Command):
    """Put another message in the place of a held one."""

    id: Text
    message: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DropHeld(Command):
    """Drop a held message; it is counted."""

    id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHeld(Command):
    """Let the oldest held message of a module be handled; everything else stays held."""

    id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class TapPort(Request):
    """Look on at what leaves an out-port of a module, `flow/module`; returns the id of the tap."""

    flow_module_id: Text
    port: Text = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTap(Request):
    """What has come since the last call, or comes next: `{messages, dropped}`; the dropped ones came after those."""

    tap_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTap(Command):
    """Take a tap away; at a runner's socket it ends with its connection."""

    tap_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDependencies(Request):
    """The environments of a runtime: id, dependencies, locked versions, state, size, and which flows use them."""

    runtime_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallDependencies(Request):
    """Make the environment of these dependencies, or wait for it; the answer is its id. Progress comes meanwhile."""

    runtime_id: Text
    dependencies: list[Text]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelDependencies(Command):
    """Stop the installation of these dependencies; the calls that wait for it are refused."""

    runtime_id: Text
    dependencies: list[Text]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveDependencies(Command):
    """Remove an environment; refused while a flow uses it."""

    runtime_id: Text
    environment_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectDependencies(Request):
    """Remove every environment and build that nothing uses, of one runtime or of all: what was removed."""

    runtime_id: Text | None = None


REQUESTS: dict[str, type[Request]] = {
    method_of(kind): kind
    for kind in [*Request.__subclasses__(), *Command.__subclasses__()]
    if kind.__name__ != "Command"
}


class BadRequestError(Exception):
    """A call that names no method, or has the wrong parameters."""


def make_request(method: str, params: dict[str, Any] | list[Any], request_id: str) -> Request:
    """The request for a JSON-RPC call. Raises BadRequestError with a sentence."""
    kind: Any = REQUESTS.get(method)
    if kind is None:
        raise BadRequestError(f"there is no method {method!r}; there are {', '.join(sorted(REQUESTS))}")
    names = {parameter.camel: parameter.name for parameter in parameters(kind)}
    if isinstance(params, list):
        if len(params) > len(names):
            raise BadRequestError(f"{method} takes at most {len(names)} parameters: {', '.join(names)}")
        params = dict(zip(names, params, strict=False))
    unknown = [name for name in params if name not in names]
    if unknown:
        raise BadRequestError(f"{method} has no parameter {unknown[0]!r}; it has {', '.join(names) or 'none'}")
    try:
        request: Request = kind(request_id=request_id, **{names[name]: value for name, value in params.items()})
    except TypeError:
        needed = [camel(one.name) for one in fields(kind) if one.default is MISSING and camel(one.name) not in params]
        raise BadRequestError(f"{method} lacks {' and '.join(needed)}; its parameters: {', '.join(names)}") from None
    if (problem := request_problem(request)) is not None:
        raise BadRequestError(problem)
    return request
