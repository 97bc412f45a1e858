"""The Runner API: a request per class. Its camelCase name is the JSON-RPC method, its fields the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from actors.messages.client_to_authoring import EndShadow, ListStarters, SaveFlow, ShadowModule
from actors.messages.client_to_dependencies import (
    CancelDependencies,
    CollectDependencies,
    InstallDependencies,
    ListDependencies,
    RemoveDependencies,
)
from actors.messages.parameters import Expression, Number, Seconds, Text, method_of
from actors.messages.request import Command, Request

__all__ = [
    "CancelDependencies",
    "CollectDependencies",
    "Command",
    "EndShadow",
    "InstallDependencies",
    "ListDependencies",
    "ListStarters",
    "RemoveDependencies",
    "Request",
    "SaveFlow",
    "ShadowModule",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Command):
    """True at once, whatever else goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRunners(Request):
    """The runners: name, process, machine, how often each has been started, its flows, its links to the others."""


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
class RestartRunner(Command):
    """End a runner of a deployment in order, and start it again with its flows; the others hold what is for it."""

    name: Text
    changed: bool = False  # be what `runner up` has written down, which starts one that is new


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveModule(Command):
    """Move a module, `flow/module`, to another runner of the deployment, with all that it has; the flow goes on."""

    flow_module_id: Text
    runner: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainRunner(Command):
    """Move all modules off a runner. It stays up; nothing is placed there by itself, until `end` or `runner up`."""

    name: Text
    end: bool = False
    remove: bool = False  # if `runner up` has written down that it is not to be: end it, and forget it


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
    """State, rates, mailbox, errors and latency per module of a flow, and its hosts; at once without `rates`."""

    flow_id: Text
    rates: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain(Request):
    """Sentences: what holds a flow back, or what is wrong with it; the first begins with the module that causes it."""

    flow_id: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetContext(Request):
    """The context of a module as of its last commit."""

    flow_module_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLog(Request):
    """The last lines of the log: `{lines, after}`; of a flow or of one of its modules; those that came `after`."""

    flow_id: Text | None = None
    module_id: Text | None = None
    after: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe(Request):
    """Be told a flow's figures as they change, and what happens to it, until unsubscribe; returns an id."""

    flow_id: Text
    every_ms: Number = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe(Command):
    """Be told nothing more; at a runner's socket a subscription ends with its connection."""

    subscription_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters(Request):
    """The messages of a flow that could not be handled."""

    flow_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class EditDeadLetter(Command):
    """Put another message in the place of a dead letter's; it stays one until it is replayed."""

    id: Text
    message: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DropDeadLetter(Command):
    """Forget a dead letter; it stays counted as one."""

    id: Text


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
class ListVersions(Request):
    """The versions of a flow that are kept, the oldest first: number, document, and which of them runs."""

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
    wait_s: Seconds | None = None  # then the answer has no messages


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTap(Command):
    """Take a tap away; at a runner's socket it ends with its connection."""

    tap_id: Text


REQUESTS: dict[str, type[Request]] = {
    method_of(kind): kind
    for kind in [*Request.__subclasses__(), *Command.__subclasses__()]
    if kind.__name__ != "Command"
}
