"""Messages that wait while somebody debugs: a breakpoint holds them, the debugger shows, edits, drops, releases them.

Nothing here runs unless somebody debugs.
"""

from __future__ import annotations

import logging
from typing import Any

from thespian.actors import ActorAddress

from actors.messages import flow_to_module as from_flow
from actors.messages import module_to_flow as to_flow
from actors.messages.runner_to_client import Reply
from actors.module.notes import next_number
from actors.module.port import ModulePort
from actors.module.record import ModuleRecord
from actors.state.effects import BreakpointHit
from actors.state.segment import Segment
from actors.state.shown import View

MAX_LISTED = 100
SHOWN_BYTES = 200
log = logging.getLogger("runner.debug")


class Held:
    """Of one module: its breakpoint, and the messages in front of it."""

    def __init__(self, record: ModuleRecord, port: ModulePort) -> None:
        self._record, self._port = record, port

    def receiveMsg_SetBreakpoint(self, message: from_flow.SetBreakpoint, _sender: ActorAddress) -> None:
        """From the next message on."""
        self._record.state.set_breakpoint(message.breakpoint)
        self._port.act()

    def breakpoint_hit(self, hit: BreakpointHit) -> None:
        """Tell the flow, or only log it."""
        record = self._record
        text = hit.message[:SHOWN_BYTES].decode(errors="replace")
        log.info("%s: breakpoint: %s%s", record.name, text, f": {hit.error}" if hit.error else "")
        if not hit.only_log:
            reached = to_flow.BreakpointReached(
                flow=record.flow, module=record.module.id, message=hit.message, error=hit.error
            )
            self._port.send(record.owner, reached)

    def receiveMsg_DescribeHeld(self, _message: from_flow.DescribeHeld, sender: ActorAddress) -> None:
        """What waits, the oldest first; at most MAX_LISTED, the last entry says how many more."""
        record = self._record
        mailbox = record.state.mailbox
        held: list[dict[str, Any]] = []
        view = View()
        for segment in mailbox.waiting():
            for index in range(min(segment.count, MAX_LISTED - len(held))):
                held.append(self._view(view, segment, index))
        if held and mailbox.queued > len(held):
            held[-1]["more"] = mailbox.queued - len(held)
        self._port.send(sender, to_flow.HeldDescribed(flow=record.flow, module=record.module.id, held=held))

    def _view(self, view: View, segment: Segment, index: int) -> dict[str, Any]:
        name, state = self._record.name, self._record.state
        number = segment.first + index
        return {
            "id": f"{name}/{segment.wire}#{number}", "flowModuleId": name,
            "port": state.mailbox.wires[segment.wire].port, **view.message(*segment.message(index)),
            "atBreakpoint": state.gate.at_breakpoint == (segment.wire, number),
        }  # fmt: skip

    def receiveMsg_ChangeHeld(self, message: from_flow.ChangeHeld, _sender: ActorAddress) -> None:
        """Edit, drop or release."""
        error = self._change(message)
        reply = Reply(request_id=message.request_id, ok=error is None, value=error is None, error=error)
        if self._record.notes is not None:
            self._record.notes.journal.when_durable(lambda: self._port.send(message.client, reply))
        else:
            self._port.send(message.client, reply)
        self._port.act()

    def _change(self, message: from_flow.ChangeHeld) -> str | None:
        record, state = self._record, self._record.state
        name = f"{record.name}/{message.wire}#{message.number}"
        if "debug" not in state.recall.stops:
            return f"{record.name} is not paused: nothing is held there"
        if message.release:
            waiting = state.mailbox.waiting()
            if not any(segment.has(message.wire, message.number) for segment in waiting):
                return f"there is no held message {name}"
            if (waiting[0].wire, waiting[0].first) != (message.wire, message.number):
                return f"{name} is not the oldest message of its module: order first"
            return None if state.release() else f"{name}: the module still handles another message"
        queued, below = state.mailbox.queued, next_number(state.mailbox, message.wire)
        if not state.replace_waiting(message.wire, message.number, message.body):
            return f"there is no held message {name}"
        record.activity.pending -= queued - state.mailbox.queued
        if record.notes is not None:
            record.notes.changed(message.wire, below)
        return None
