"""The Runner API: a request per class. Its camelCase name is the JSON-RPC method, its fields the parameters."""

from __future__ import annotations

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


class Ping(Command, frozen=True, kw_only=True):
    """True at once, whatever else goes on."""


class ListRunners(Request, frozen=True, kw_only=True):
    """The runners: name, process, machine, how often each has been started, its flows, its links to the others."""


class ListRuntimes(Request, frozen=True, kw_only=True):
    """The runtimes this runner knows: id, name, version, available, reason."""


class ListFlows(Request, frozen=True, kw_only=True):
    """All flows with their state."""


class ListFlowsForRuntime(Request, frozen=True, kw_only=True):
    """The flows that have a module of this runtime."""

    runtime_id: Text


class AddOrUpdateFlow(Command, frozen=True, kw_only=True):
    """Add a flow (stopped until startFlow), or update the one of the same id; with `plan`, only say what that does."""

    flow: dict[str, Any]
    plan: bool = False
    expected_version: Number | None = None  # refused, if the flow is at another one by now


class RollbackFlow(Command, frozen=True, kw_only=True):
    """Update a flow to the version before, or to one of the last 5; contexts as they are, or as they were then."""

    flow_id: Text
    context: Literal["current", "snapshot"] = "current"
    version: Number | None = None


class RemoveFlow(Command, frozen=True, kw_only=True):
    """Stop a flow and forget it with its contexts."""

    flow_id: Text


class RestartRunner(Command, frozen=True, kw_only=True):
    """End a runner of a deployment in order, and start it again with its flows; the others hold what is for it."""

    name: Text
    changed: bool = False  # be what `runner up` has written down, which starts one that is new


class MoveModule(Command, frozen=True, kw_only=True):
    """Move a module, `flow/module`, to another runner of the deployment, with all that it has; the flow goes on."""

    flow_module_id: Text
    runner: Text


class DrainRunner(Command, frozen=True, kw_only=True):
    """Move all modules off a runner. It stays up; nothing is placed there by itself, until `end` or `runner up`."""

    name: Text
    end: bool = False
    remove: bool = False  # if `runner up` has written down that it is not to be: end it, and forget it


class StartFlow(Command, frozen=True, kw_only=True):
    """Start a flow, or go on where it was stopped."""

    flow_id: Text


class StopFlow(Command, frozen=True, kw_only=True):
    """Stop a flow; mailboxes and contexts stay."""

    flow_id: Text


class SendMessage(Command, frozen=True, kw_only=True):
    """Send one message to an in-port of a module, `flow/module`."""

    flow_module_id: Text
    port: Text = "in"
    message: Any


class FlowState(Request, frozen=True, kw_only=True):
    """State, rates, mailbox, errors and latency per module of a flow, and its hosts; at once without `rates`."""

    flow_id: Text
    rates: bool = True


class Explain(Request, frozen=True, kw_only=True):
    """Sentences: what holds a flow back, or what is wrong with it; the first begins with the module that causes it."""

    flow_id: Text | None = None


class GetContext(Request, frozen=True, kw_only=True):
    """The context of a module as of its last commit."""

    flow_module_id: Text


class ReadLog(Request, frozen=True, kw_only=True):
    """The last lines of the log: `{lines, after}`; of a flow or of one of its modules; those that came `after`."""

    flow_id: Text | None = None
    module_id: Text | None = None
    after: Text | None = None


class Subscribe(Request, frozen=True, kw_only=True):
    """Be told a flow's figures as they change, and what happens to it, until unsubscribe; returns an id."""

    flow_id: Text
    every_ms: Number = 1000


class Unsubscribe(Command, frozen=True, kw_only=True):
    """Be told nothing more; at a runner's socket a subscription ends with its connection."""

    subscription_id: Text


class DeadLetters(Request, frozen=True, kw_only=True):
    """The messages of a flow that could not be handled."""

    flow_id: Text


class EditDeadLetter(Command, frozen=True, kw_only=True):
    """Put another message in the place of a dead letter's; it stays one until it is replayed."""

    id: Text
    message: Any


class DropDeadLetter(Command, frozen=True, kw_only=True):
    """Forget a dead letter; it stays counted as one."""

    id: Text


class ReplayDeadLetter(Command, frozen=True, kw_only=True):
    """Send a dead letter to its module again; it is newly accepted there."""

    id: Text


class Audit(Request, frozen=True, kw_only=True):
    """Per module of every flow: accepted = completed + queued + dropped + deadLettered."""


class LastReceipt(Request, frozen=True, kw_only=True):
    """The receipt of the last addOrUpdateFlow of a flow."""

    flow_id: Text


class ListVersions(Request, frozen=True, kw_only=True):
    """The versions of a flow that are kept, the oldest first: number, document, and which of them runs."""

    flow_id: Text


class SetBreakPointAtModule(Command, frozen=True, kw_only=True):
    """Hold a message before the module handles it, and pause. `when`: a CEL expression; `log`: only log it."""

    flow_module_id: Text
    when: Expression | None = None
    scope: Literal["flow", "module"] = "flow"
    log: bool = False
    timeout_s: Seconds | None = None


class RemoveBreakPointAtModule(Command, frozen=True, kw_only=True):
    """Take a breakpoint away; a paused flow stays paused."""

    flow_module_id: Text


class PauseFlow(Command, frozen=True, kw_only=True):
    """Stop; true when nothing moves any more. After `timeout_s` without a debugging call it goes on (0: never)."""

    flow_id: Text
    timeout_s: Seconds | None = None


class ResumeFlow(Command, frozen=True, kw_only=True):
    """Go on; messages at breakpoints pass them."""

    flow_id: Text


class SingleStepFlow(Request, frozen=True, kw_only=True):
    """One wave of a paused flow: each module takes its oldest message, each source is pulled once."""

    flow_id: Text | None = None


class ListHeld(Request, frozen=True, kw_only=True):
    """The messages that wait in the paused modules of a flow, the oldest first."""

    flow_id: Text


class EditHeld(Command, frozen=True, kw_only=True):
    """Put another message in the place of a held one."""

    id: Text
    message: Any


class DropHeld(Command, frozen=True, kw_only=True):
    """Drop a held message; it is counted."""

    id: Text


class ReleaseHeld(Command, frozen=True, kw_only=True):
    """Let the oldest held message of a module be handled; everything else stays held."""

    id: Text


class TapPort(Request, frozen=True, kw_only=True):
    """Look on at what leaves an out-port of a module, `flow/module`; returns the id of the tap."""

    flow_module_id: Text
    port: Text = "out"


class ReadTap(Request, frozen=True, kw_only=True):
    """What has come since the last call, or comes next: `{messages, dropped}`; the dropped ones came after those."""

    tap_id: Text
    wait_s: Seconds | None = None  # then the answer has no messages


class EndTap(Command, frozen=True, kw_only=True):
    """Take a tap away; at a runner's socket it ends with its connection."""

    tap_id: Text


REQUESTS: dict[str, type[Request]] = {
    method_of(kind): kind
    for kind in [*Request.__subclasses__(), *Command.__subclasses__()]
    if kind.__name__ != "Command"
}
