"""The Module actor: one module of a flow. Decides nothing itself (state/module.py does), never looks into a body.

A message passes here, and in `Wires.emit`: it is delivered, goes to the host, and is committed. The rest is its parts'.
"""

from __future__ import annotations

import time
from typing import Any

import orjson
from thespian.actors import ActorAddress, WakeupMessage

from actors.messages import bridge_to_module as from_bridge
from actors.messages import flow_to_module as from_flow
from actors.messages import module_to_bridge as to_bridge
from actors.messages import module_to_flow as to_flow
from actors.messages.module_to_bridge import SendFrames
from actors.messages.module_to_module import Deliver
from actors.messages.runner_to_client import Reply
from actors.module.failures import Failures
from actors.module.figures import Figures
from actors.module.held import Held
from actors.module.host_side import HostSide
from actors.module.record import ModuleRecord
from actors.module.source import Source
from actors.module.steps import Steps
from actors.module.succession import Succession
from actors.module.wires import Wires
from actors.module.witness import Witness
from actors.state.effects import (
    BreakpointHit,
    Drained,
    Failed,
    HoldsChanged,
    Overrun,
    Probed,
    RetryLater,
    SourceFailed,
    Stopped,
)
from actors.system.base import BaseActor
from runtimes.frames import HEADERS

_new = tuple.__new__  # half the time of SendFrames(...)


class ModuleActor(BaseActor):
    """Its messages are the events of its record's ModuleState, whose effects it performs."""

    serves_flow = True
    parts = ("wires", "source", "host_side", "steps", "held", "succession", "figures", "witness")
    wires: Wires
    source: Source
    host_side: HostSide
    steps: Steps
    held: Held
    succession: Succession
    figures: Figures
    witness: Witness

    def __str__(self) -> str:
        return f"the actor of {self.record.name}" if hasattr(self, "record") else super().__str__()

    def receiveMsg_ConfigureModule(self, message: from_flow.ConfigureModule, sender: ActorAddress) -> None:
        """Become the module; go on from a state if there is one."""
        self.owner, self.flow = sender, message.flow
        record = self.record = ModuleRecord(message, sender)
        self.wires = Wires(record, self, message)
        if message.journal is not None:
            from actors.module.notes import Notes

            record.notes = Notes(message.module.id, record, lambda: self.wires.numbers, message.journal)
        self.failures = Failures(record, self, self.wires)
        self.source = Source(record, self, self.failures)
        self.witness = Witness(record, self)
        self.host_side = HostSide(record, self, self.wires, self.source, self.witness)
        self.steps = Steps(record, self, self.source)
        self.held = Held(record, self)
        self.succession = Succession(record, self, self.wires, self.failures, self.source, self.host_side, self.steps)
        self.figures = Figures(record, self, self.source, self.wires)
        self._emit, self._count_latency = self.wires.emit, self.figures.latency.add
        self.wires.go_on()

    # the hot path --------------------------------------------------------------------------------------------------

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        """Messages of a wire arrive."""
        wire, body, flags, skip, count, first = message
        record = self.record
        dropped = record.state.mailbox.deliver(wire, body, flags, skip, count, first, time.monotonic())
        if dropped:
            record.activity.pending -= dropped
        self.act()

    def receiveMsg_TurnsCommitted(self, message: from_bridge.TurnsCommitted, _sender: ActorAddress) -> None:
        """Our part of a transaction: outputs go on, the context changes, consumed messages leave the mailbox."""
        consumed, handled, failed, pulled, sent, unwired, busy_us, fused, outputs, context, errors = message
        for port, (_, _, body, flags, _, count, _) in outputs:
            self._emit(port, body, flags & HEADERS, count)
        record = self.record
        state = record.state
        mailbox = state.mailbox
        if consumed > mailbox.window_messages:
            reason = "it broke the link protocol: it consumed what it never got"
            self.send(record.bridge, to_bridge.KillHost(reason=reason))
            return
        if consumed:
            self._count_latency(time.monotonic() - mailbox.window[0].arrived)
        if (shadow := self.witness.shadow) is not None:
            self.witness.committed(shadow, consumed, pulled, errors)
        if record.notes is not None:
            record.notes.committed(consumed, context)
        state.commit(consumed, handled, failed, pulled, sent, unwired, busy_us, fused, context, errors)
        if self.host_side.timed_turn:
            self.host_side.turn_ended()
        if pulled:
            self.source.has_sent()
        if state.effects:
            self.perform()  # before the message is done with: an error port counts first
        record.activity.pending -= consumed
        self.act()

    def act(self) -> None:
        """Do what the last event asked for."""
        record = self.record
        state = record.state
        frames = state.fill()
        if self.source.kept:
            self.source.tell(frames)
        if frames:
            self.send(record.bridge, _new(SendFrames, (record.slot, frames)))
        if state.effects:
            self.perform()
        if record.activity.watched and record.activity.idle:
            self.send(record.owner, to_flow.FlowIdle(flow=record.flow))

    # effects -------------------------------------------------------------------------------------------------------

    def perform(self) -> None:
        """Do what the state asks for, besides frames."""
        record = self.record
        for effect in record.state.take_effects():
            match effect:
                case HoldsChanged():
                    self.wires.hold()
                case Failed():
                    self.figures.note_error(self.failures.fail(effect))
                case Stopped(reason):
                    stopped = to_flow.ModuleStopped(flow=record.flow, module=record.module.id, reason=reason)
                    self.send(record.owner, stopped)
                case Drained("update"):
                    self.send(record.owner, to_flow.ModuleDry(flow=record.flow, module=record.module.id))
                case Drained():
                    self.send(record.bridge, to_bridge.WiresDrained(slot=record.slot))
                case Probed(left):
                    self.send(record.bridge, to_bridge.ProbeDone(slot=record.slot, left=left))
                case RetryLater(backoff_s, info):
                    self.figures.note_error(self._error(info))
                    self.host_side.retry_later(backoff_s)
                case SourceFailed(info):
                    error = self._error(info)
                    self.figures.note_error(error)
                    self.source.life.raised(error)
                case BreakpointHit():
                    self.held.breakpoint_hit(effect)
                case Overrun(wire):
                    overrun = to_flow.MailboxOverrun(flow=record.flow, module=record.module.id, wire=wire)
                    self.send(record.owner, overrun)

    def _error(self, info: bytes) -> dict[str, Any]:
        error: dict[str, Any] = self.record.placed(self.record.module.id, orjson.loads(info)["error"])
        return error

    # the flow ------------------------------------------------------------------------------------------------------

    def receiveMsg_SubmitMessage(self, message: from_flow.SubmitMessage, _sender: ActorAddress) -> None:
        """Messages from the API."""
        record = self.record
        mailbox = record.state.mailbox
        if mailbox.over_high:
            error = f"the mailbox of {record.name} is full: {mailbox.queued} messages; try again later"
            full = {"full": True}
            refusal = Reply(request_id=message.request_id, ok=False, value=False, error=error, data=full)
            self.send(message.client, refusal)
            return
        count = message.count
        record.activity.pending += count
        mailbox.deliver(message.wire, message.body, message.flags, 0, count, message.number, time.monotonic())
        message.entered()
        taken = Reply(request_id=message.request_id, ok=True, value=True)
        if record.notes is None:
            self.send(message.client, taken)
        else:
            record.notes.submitted(message.wire, message.body, message.flags, count, message.number)
            if message.replay:
                record.notes.journal.end()
            record.notes.journal.when_durable(lambda: self.send(message.client, taken))
        self.act()

    def receiveMsg_StopModule(self, message: from_flow.StopModule, _sender: ActorAddress) -> None:
        """Recall everything; ModuleStopped when done."""
        self.record.state.stop(message.reason, tell=True)
        self.act()

    def receiveMsg_GoOn(self, message: from_flow.GoOn, _sender: ActorAddress) -> None:
        """Work again, unless there is another reason not to."""
        state = self.record.state
        state.go_on(message.reason)
        state.end_drain(message.reason)
        self.source.restart()
        self.act()

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """Whoever has set the timer goes on."""
        message.payload()
