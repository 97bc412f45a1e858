"""Who is outside a flow: its feeds, its sinks, and the session that waits for its end. Mixed into the Runner actor."""

from __future__ import annotations

import logging
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.places import nearest
from actors.definition.ports import Side, port_problem
from actors.flow.life import FlowLife
from actors.flow.record import Attachment, FlowRecord
from actors.host.load import source_failure
from actors.messages import module_to_runner as from_module
from actors.messages import session_to_runner as from_session
from actors.messages.runner_to_session import Attached, FlowEnded

log = logging.getLogger("runner.flow")


class FlowEnds(FlowLife):
    """The part of the Runner actor that knows who is attached to a flow."""

    def _attach(self, message: Any, sender: ActorAddress) -> FlowRecord | None:
        record = self.flows[message.flow]
        if message.module in record.modules:
            side: Side = "in" if isinstance(message, from_session.AttachFeed) else "out"
            error = port_problem(record.flow.modules[message.module], side, message.port)
        else:
            known = nearest(message.module, record.modules)
            error = record.left_out.get(message.module, f"there is no module {message.module!r}; {known}")
        if error is not None:
            self.send(sender, Attached(wire=message.wire, error=error))
        return record if error is None else None

    def receiveMsg_AttachFeed(self, message: from_session.AttachFeed, sender: ActorAddress) -> None:
        """Somebody outside sends into the flow."""
        record = self._attach(message, sender)
        if record is not None:
            feed = Attachment(message.module, message.port, message.wire, sender)
            record.feeds.append(feed)
            self.connect_feed(record, feed)

    def receiveMsg_AttachSink(self, message: from_session.AttachSink, sender: ActorAddress) -> None:
        """Somebody outside receives from the flow."""
        record = self._attach(message, sender)
        if record is not None:
            sink = Attachment(message.module, message.port, message.wire, sender)
            record.sinks.append(sink)
            self.connect_sink(record, sink)

    def receiveMsg_MuteSources(self, message: from_session.MuteSources, _sender: ActorAddress) -> None:
        """For flow tests."""
        self.flows[message.flow].mute_sources = True

    def receiveMsg_WatchFlow(self, message: from_session.WatchFlow, sender: ActorAddress) -> None:
        """Say when it is over: at once, if it has failed or has nothing to do."""
        record = self.flows[message.flow]
        record.watcher = sender
        if record.state == "failed":
            self.send(sender, FlowEnded(flow=message.flow, errors=record.failed_for))
        record.gauge.watched = message.idle
        if record.gauge.idle:
            self._idle(record)

    def receiveMsg_SourceBegun(self, message: from_module.SourceBegun, _sender: ActorAddress) -> None:
        """It works, or works again."""
        record = self.flows[message.flow]
        record.sources.add(message.module)
        record.source_errors.pop(message.module, None)

    def receiveMsg_SourceRaised(self, message: from_module.SourceRaised, _sender: ActorAddress) -> None:
        """A source has failed, or is started again."""
        record, name = self.flows[message.flow], f"{message.flow}/{message.module}"
        text = source_failure(name, message.error)
        if message.again_s is not None:
            log.warning("%s; it is started again in %g s", text, message.again_s)
            return
        record.errors.take(name, "the source failed", message.error)
        record.source_errors[message.module] = text

    def receiveMsg_MailboxOverrun(self, message: from_module.MailboxOverrun, _sender: ActorAddress) -> None:
        """A cycle grows without bound."""
        record = self.flows[message.flow]
        self.fail_flow(
            record,
            f"{message.flow}: the feedback wire {message.wire} has filled the mailbox of {message.module}: "
            f"the cycle makes more messages than it takes; the flow is stopped",
        )

    def receiveMsg_FlowIdle(self, message: from_module.FlowIdle, _sender: ActorAddress) -> None:
        """A module found the gauge at zero."""
        record = self.flows.get(message.flow)
        if record is not None and record.gauge.idle:
            self._idle(record)

    def _idle(self, record: FlowRecord) -> None:
        record.gauge.watched = False
        if record.watcher is not None:
            self.send(record.watcher, FlowEnded(flow=record.flow.id, errors=tuple(record.source_errors.values())))
