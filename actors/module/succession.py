"""A module actor in an update of its flow: runs dry, hands over, takes over, is fenced."""

from __future__ import annotations

import logging
from typing import Any

from thespian.actors import ActorAddress

from actors.messages import bridge_to_module as from_bridge
from actors.messages import flow_to_module as from_flow
from actors.messages import module_to_flow as to_flow
from actors.messages.runner_to_client import Reply
from actors.module.failures import Failures
from actors.module.host_side import HostSide
from actors.module.port import ModulePort
from actors.module.record import ModuleRecord
from actors.module.source import Source
from actors.module.steps import Steps
from actors.module.wires import Wires
from actors.state.module import ModuleState

log = logging.getLogger("runner.module")


class _EveryWire(frozenset[str]):
    """Holds every wire, those to come too."""

    def __contains__(self, _wire: object) -> bool:
        return True


EVERY_WIRE = _EveryWire()


class Succession:
    """Of one module actor; what it hands over is the record's state and the numbers of its wires."""

    def __init__(
        self, record: ModuleRecord, port: ModulePort, wires: Wires, failures: Failures, source: Source, host: HostSide,
        steps: Steps,
    ) -> None:  # fmt: skip
        self._record, self._port, self._wires, self._failures = record, port, wires, failures
        self._source, self._host, self._steps = source, host, steps
        self._kept_back: list[from_bridge.TurnsCommitted] = []  # until the update stands

    # before it -----------------------------------------------------------------------------------------------------

    def receiveMsg_Quiesce(self, message: from_flow.Quiesce, _sender: ActorAddress) -> None:
        """Run dry on some wires, hold the others."""
        self._record.state.drain(EVERY_WIRE if message.wires is None else message.wires, "update")
        self._port.act()

    def receiveMsg_AskDry(self, _message: from_flow.AskDry, _sender: ActorAddress) -> None:
        """Say when it is done."""
        self._record.state.draining.ask()
        self._port.act()

    def receiveMsg_DescribeContext(self, _message: from_flow.DescribeContext, sender: ActorAddress) -> None:
        """Our context as of the last commit."""
        record = self._record
        context = dict(record.state.context)
        self._port.send(sender, to_flow.ContextDescribed(flow=record.flow, module=record.module.id, context=context))

    def receiveMsg_DescribeState(self, message: from_flow.DescribeState, sender: ActorAddress) -> None:
        """The state stays ours, unless the other runner goes on with it."""
        record = self._record
        if message.moves:
            self._port.divert({**dict.fromkeys(CHANGING, self._refuse), from_flow.GoOn: self._stay})
        described = to_flow.StateDescribed(
            flow=record.flow, module=record.module.id, state=record.state, numbers=self._wires.numbers
        )
        self._port.send(sender, described)

    def _refuse(self, message: Any, _sender: ActorAddress) -> None:
        error = f"{self._record.name} is being moved to another runner: try again"
        refusal = Reply(request_id=message.request_id, ok=False, value=False, error=error, data={"moving": True})
        self._port.send(message.client, refusal)

    def _stay(self, message: from_flow.GoOn, sender: ActorAddress) -> None:
        if message.reason == "update":
            self._port.restore()
        self._port.handle(message, sender)

    # the switch ----------------------------------------------------------------------------------------------------

    def receiveMsg_HandOver(self, _message: from_flow.HandOver, sender: ActorAddress) -> None:
        """The state goes to the other version; this one may get it back."""
        record = self._record
        state = record.state
        self._wires.settle()
        record.take(ModuleState(state.recall.link), {})
        self._host.handed_over()
        self._steps.forget()
        self._wires.forget_waits()
        self._source.gone()
        self._port.divert(dict.fromkeys(FENCED, self._fence))
        self._kept_back.clear()
        handed = to_flow.ModuleHandedOver(
            flow=record.flow, module=record.module.id, state=state, numbers=self._wires.numbers
        )
        self._port.send(sender, handed)

    def _fence(self, message: Any, _sender: ActorAddress) -> None:
        """A replaced incarnation has no say: what its code still commits (from a timer, say) is not applied."""
        what = type(message).__name__
        log.warning("%s: the replaced version still works: ignored: %s", self._record.name, what)

    def receiveMsg_TakeOver(self, message: from_flow.TakeOver, _sender: ActorAddress) -> None:
        """Go on from the state of the other version."""
        self._port.restore()
        state = message.state
        state.move_to(self._record.state)
        if message.context is not None:
            state.change_context(message.context)
        self._wires.take(message.ends, message.numbers)
        self._record.take(state, message.ends.wires_in)
        self._wires.go_on()
        self._change_classes(message.ends)
        self._drop(message.ends.drop)
        self._be_provisional(message.ends.provisional)

    def receiveMsg_Rewire(self, message: from_flow.Rewire, _sender: ActorAddress) -> None:
        """Other wires or other actors."""
        self._wires.rewire(message)
        self._record.state.mailbox.add_wires(message.wires_in)
        self._change_classes(message)
        self._drop(message.drop)
        self._wires.go_on()
        self._port.act()
        self._be_provisional(message.provisional)

    def _change_classes(self, ends: from_flow.Rewire) -> None:
        if ends.kept_before is not None and self._record.notes is not None:
            self._record.notes.changed_classes(ends.kept_before)

    def _drop(self, wires: frozenset[str]) -> None:
        letters = self._record.state.mailbox.discard(wires) if wires else ()
        if letters and self._record.notes is not None:
            self._record.notes.dropped(wires)
        error = {"type": "WireRemoved", "message": "the wire was removed while this message was queued"}
        for port, body, headers in letters:
            self._failures.dead_letter(port, body, headers, error)
        self._record.activity.pending -= len(letters)

    # until the update stands, what a new version has done is not seen: a refusal leaves nothing of it -----------------

    def _be_provisional(self, provisional: bool) -> None:
        if provisional:
            self._port.divert({
                from_bridge.TurnsCommitted: self._keep_back,
                from_bridge.HostDown: self._host_down,
                from_flow.GoOn: self._stand,
            })  # fmt: skip

    def _keep_back(self, message: from_bridge.TurnsCommitted, _sender: ActorAddress) -> None:
        self._kept_back.append(message)

    def _host_down(self, message: from_bridge.HostDown, sender: ActorAddress) -> None:
        self._kept_back.clear()  # `start` is called again, or the update is refused
        self._port.handle(message, sender)

    def _stand(self, message: from_flow.GoOn, sender: ActorAddress) -> None:
        """The update has succeeded."""
        self._port.restore()
        if self._record.notes is not None:
            self._record.notes.stands()
        kept, self._kept_back = self._kept_back, []
        for part in kept:
            self._port.receiveMessage(part, self._record.bridge)
        self._port.receiveMessage(message, sender)


CHANGING = (from_flow.SubmitMessage, from_flow.ChangeHeld)
FENCED = (from_bridge.TurnsCommitted, from_bridge.SourceFinished, from_bridge.TurnBegun)
