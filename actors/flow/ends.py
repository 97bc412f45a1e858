"""Who is outside a flow: its feeds, its sinks, and the session that waits for its end."""

from __future__ import annotations

import logging
from collections.abc import Callable

from thespian.actors import ActorAddress

from actors.definition.ports import place_problem
from actors.flow.record import Attachment, FlowRecord
from actors.flow.wiring import Wiring
from actors.host.load import source_failure
from actors.messages import module_to_flow as from_module
from actors.messages import session_to_flow as from_session
from actors.messages.flow_to_session import Attached, FlowEnded
from actors.system.port import Port

log = logging.getLogger("runner.flow")


class Ends:
    """Of one flow. `fail`: it cannot go on, for this reason."""

    def __init__(self, record: FlowRecord, port: Port, wiring: Wiring, fail: Callable[[str], None]) -> None:
        self._record, self._port, self._wiring, self._fail = record, port, wiring, fail

    def receiveMsg_AttachEnd(self, message: from_session.AttachEnd, sender: ActorAddress) -> None:
        """Somebody outside sends into the flow, or receives from it."""
        record, side, module, port = self._record, message.side, message.module, message.port
        error = record.left_out.get(module) or place_problem(record.share.modules, side, module, port)
        if error is not None:
            self._port.send(sender, Attached(wire=message.wire, error=error))
            return
        end = Attachment(side, module, port, message.wire, sender)
        record.attached.append(end)
        self._wiring.attach(end)

    def receiveMsg_MuteSources(self, _message: from_session.MuteSources, _sender: ActorAddress) -> None:
        """For flow tests: hosts that are started from now on give their sources no credit."""
        self._record.mute_sources = True

    def receiveMsg_WatchFlow(self, message: from_session.WatchFlow, sender: ActorAddress) -> None:
        """Say when it is over: at once, if it has failed or has nothing to do."""
        record = self._record
        record.watcher = sender
        if record.state == "failed":
            self._port.send(sender, FlowEnded(flow=message.flow, errors=record.failed_for))
        record.activity.watched = message.idle
        self._end_if_idle()

    def receiveMsg_SourceBegun(self, message: from_module.SourceBegun, _sender: ActorAddress) -> None:
        """It works, or works again."""
        self._record.sources.add(message.module)
        self._record.source_errors.pop(message.module, None)

    def receiveMsg_SourceRaised(self, message: from_module.SourceRaised, _sender: ActorAddress) -> None:
        """A source has failed, or is started again."""
        name = f"{message.flow}/{message.module}"
        text = source_failure(name, message.error)
        if message.again_s is not None:
            log.warning("%s; it is started again in %g s", text, message.again_s)
            return
        self._record.errors.take(name, "the source failed", message.error)
        self._record.source_errors[message.module] = text

    def receiveMsg_MailboxOverrun(self, message: from_module.MailboxOverrun, _sender: ActorAddress) -> None:
        """A cycle grows without bound."""
        self._fail(
            f"{message.flow}: the feedback wire {message.wire} has filled the mailbox of {message.module}: "
            f"the cycle makes more messages than it takes; the flow is stopped"
        )

    def receiveMsg_FlowIdle(self, _message: from_module.FlowIdle, _sender: ActorAddress) -> None:
        """A module found that nothing is under way any more."""
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        record = self._record
        if record.activity.idle:
            record.activity.watched = False
            if record.watcher is not None:
                errors = tuple(record.source_errors.values())
                self._port.send(record.watcher, FlowEnded(flow=record.flow.id, errors=errors))
