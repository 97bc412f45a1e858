"""The Runner API: a request per class. Its camelCase name is the JSON-RPC method, its fields the parameters."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Base of all requests; `request_id` comes back in the Reply."""

    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Request):
    """Base of the requests whose answer is true, or false with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRuntimes(Request):
    """The runtimes this runner knows: id, name, version, available, reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFlows(Request):
    """All flows with their state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFlowsForRuntime(Request):
    """The flows that have a module of this runtime."""

    runtime_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOrUpdateFlow(Command):
    """Add a flow (stopped until startFlow), or update the one of the same id; with `plan`, only say what that does."""

    flow: dict[str, Any]
    plan: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackFlow(Command):
    """Update a flow to the version before, or to one of the last 5; contexts as they are, or as they were then."""

    flow_id: str
    context: str = "current"
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFlow(Command):
    """Stop a flow and forget it with its contexts."""

    flow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFlow(Command):
    """Start a flow, or go on where it was stopped."""

    flow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopFlow(Command):
    """Stop a flow; mailboxes and contexts stay."""

    flow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage(Command):
    """Send one message to an in-port of a module, `flow/module`."""

    flow_module_id: str
    port: str = "in"
    message: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowState(Request):
    """State, rates, mailbox, errors and latency per module of a flow, and its hosts."""

    flow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters(Request):
    """The messages of a flow that could not be handled."""

    flow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDeadLetter(Command):
    """Send a dead letter to its module again; it is newly accepted there."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit(Request):
    """Per module of every flow: accepted = completed + queued + dropped + deadLettered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastReceipt(Request):
    """The receipt of the last addOrUpdateFlow of a flow."""

    flow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBreakPointAtModule(Command):
    """Hold a message before the module handles it, and pause. `when`: a CEL expression; `log`: only log it."""

    flow_module_id: str
    when: str | None = None
    scope: str = "flow"
    log: bool = False
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveBreakPointAtModule(Command):
    """Take a breakpoint away; a paused flow stays paused."""

    flow_module_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseFlow(Command):
    """Stop; true when nothing moves any more. After `timeout_s` without a debugging call it goes on (0: never)."""

    flow_id: str
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeFlow(Command):
    """Go on; messages at breakpoints pass them."""

    flow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleStepFlow(Request):
    """One wave of a paused flow: each module takes its oldest message, each source is pulled once."""

    flow_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListHeld(Request):
    """The messages that wait in the paused modules of a flow, the oldest first."""

    flow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EditHeld(Command):
    """Put another message in the place of a held one."""

    id: str
    message: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DropHeld(Command):
    """Drop a held message; it is counted."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHeld(Command):
    """Let the oldest held message of a module be handled; everything else stays held."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TapPort(Request):
    """Look on at what leaves an out-port of a module, `flow/module`; returns the id of the tap."""

    flow_module_id: str
    port: str = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTap(Request):
    """What has come since the last call, or comes next: `{messages, dropped}`; the dropped ones came after those."""

    tap_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTap(Command):
    """Take a tap away; at a runner's socket it ends with its connection."""

    tap_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDependencies(Request):
    """The environments of a runtime: id, dependencies, locked versions, state, size, and which flows use them."""

    runtime_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallDependencies(Request):
    """Make the environment of these dependencies, or wait for it; the answer is its id. Progress comes meanwhile."""

    runtime_id: str
    dependencies: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelDependencies(Command):
    """Stop the installation of these dependencies; the calls that wait for it are refused."""

    runtime_id: str
    dependencies: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveDependencies(Command):
    """Remove an environment; refused while a flow uses it."""

    runtime_id: str
    environment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectDependencies(Request):
    """Remove every environment and build that nothing uses, of one runtime or of all: what was removed."""

    runtime_id: str | None = None


REQUESTS: dict[str, type[Request]] = {
    kind.__name__[0].lower() + kind.__name__[1:]: kind
    for kind in [*Request.__subclasses__(), *Command.__subclasses__()]
    if kind.__name__ != "Command"
}
_TYPES: dict[str, tuple[Any, str]] = {
    "str": (str, "text"),
    "dict[str, Any]": (dict, "an object"),
    "bool": (bool, "true or false"),
    "list[str]": (list, "a list of text"),
}


def camel(name: str) -> str:
    """`flow_module_id` -> `flowModuleId`."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


class BadRequestError(Exception):
    """A call that names no method, or has the wrong parameters."""


def make_request(method: str, params: dict[str, Any] | list[Any], request_id: str) -> Request:
    """The request for a JSON-RPC call. Raises BadRequestError with a sentence."""
    kind = REQUESTS.get(method)
    if kind is None:
        raise BadRequestError(f"there is no method {method!r}; there are {', '.join(sorted(REQUESTS))}")
    wanted = {camel(field.name): field for field in fields(kind) if field.name != "request_id"}
    names = {name: field.name for name, field in wanted.items()}
    if isinstance(params, list):
        if len(params) > len(names):
            raise BadRequestError(f"{method} takes at most {len(names)} parameters: {', '.join(names)}")
        params = dict(zip(names, params, strict=False))
    unknown = [name for name in params if name not in names]
    if unknown:
        raise BadRequestError(f"{method} has no parameter {unknown[0]!r}; it has {', '.join(names) or 'none'}")
    for name, value in params.items():
        allowed, words = _TYPES.get(str(wanted[name].type), (object, ""))
        if not isinstance(value, allowed):
            raise BadRequestError(f"{method}: {name} must be {words}")
    try:
        return kind(request_id=request_id, **{names[name]: value for name, value in params.items()})
    except TypeError:
        needed = ", ".join(names)
        raise BadRequestError(f"{method} needs the parameters {needed}") from None
