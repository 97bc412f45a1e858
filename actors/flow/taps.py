"""Taps: somebody looks on at what leaves an out-port. Mixed into the Runner actor.

A tap is a sink of the flow as `-o` is one, but for actors/ends/tap.py, which drops instead of holding.
"""

from __future__ import annotations

from thespian.actors import ActorAddress, ActorExitRequest

from actors.definition import graph
from actors.definition.ports import port_problem
from actors.definition.wire_names import tap_wire
from actors.ends.tap import TapActor
from actors.flow.record import Attachment, FlowRecord
from actors.flow.requests import FlowRequests
from actors.messages import client_to_runner as api
from actors.messages import runner_to_bridge as to_bridge
from actors.messages import runner_to_module as to_module
from actors.messages.runner_to_tap import ReadNext, StartTap
from actors.system.job import Expect, Steps


class FlowTap(FlowRequests):
    """The part of the Runner actor that has the taps."""

    def __init__(self) -> None:
        super().__init__()
        self.taps: dict[str, tuple[FlowRecord, Attachment]] = {}
        self.count_taps = 0

    # the API -------------------------------------------------------------------------------------------------------

    def receiveMsg_TapPort(self, message: api.TapPort, sender: ActorAddress) -> None:
        """Answered with the tap's id when nothing can get past it any more."""
        found = self.find_module(message, sender, message.flow_module_id)
        if found is None:
            return
        record, module = found
        problem = port_problem(record.flow.modules[module], "out", message.port)
        if problem is not None:
            self.refuse(message, sender, f"{record.flow.id}: {problem}")
            return

        def done(tap_id: str | None) -> None:
            if tap_id is None:
                self.refuse(message, sender, f"{message.flow_module_id} has been removed")
            else:
                self.reply(message, sender, tap_id)

        self.enqueue(
            record, lambda: self._tapping(record, module, message.port), done, self.refusing(message, sender)
        )  # fmt: skip

    def receiveMsg_ReadTap(self, message: api.ReadTap, sender: ActorAddress) -> None:
        """The tap itself answers."""
        if message.tap_id in self.taps:
            _, sink = self.taps[message.tap_id]
            self.send(sink.actor, ReadNext(request_id=message.request_id, client=sender))
        else:
            self.refuse(message, sender, f"there is no tap {message.tap_id!r}, or it has ended")

    def receiveMsg_EndTap(self, message: api.EndTap, sender: ActorAddress) -> None:
        """Ending what has ended is fine."""
        self.end_tap(message.tap_id)
        self.reply(message, sender)

    # the jobs ------------------------------------------------------------------------------------------------------

    def _tapping(self, record: FlowRecord, module: str, port: str) -> Steps:
        yield Expect([])
        if module not in record.modules:
            return None
        self.count_taps += 1
        tap = self.createActor(TapActor)
        self.send(tap, StartTap(flow=record.flow.id))
        sink = Attachment(module, port, tap_wire(f"{module}.{port}", self.count_taps), tap)
        record.sinks.append(sink)
        self.connect_sink(record, sink)
        tap_id = f"{record.flow.id}/{sink.wire}"
        self.taps[tap_id] = record, sink
        return tap_id

    def end_tap(self, tap_id: str) -> None:
        """Take a tap away, between two jobs of its flow."""
        record, sink = self.taps.pop(tap_id, (None, None))
        if record is not None and sink is not None:
            self.enqueue(record, lambda: self._untapping(record, sink))

    def _untapping(self, record: FlowRecord, sink: Attachment) -> Steps:
        record.sinks.remove(sink)
        if sink.module in record.modules:
            remove = to_module.AddTarget(port=sink.port, target=None, wire=sink.wire)
            self.send(record.modules[sink.module], remove)
            if not self._leaves_the_host(record, sink):
                key, slot = record.places[sink.module]
                record.plans[key] = record.plans[key].without_output(slot, sink.port)
                self.send(record.bridges[key], to_bridge.ChangePlan(plan=record.plans[key]))
        yield from self.quiet()  # what is on its way to the tap comes first
        self.send(sink.actor, ActorExitRequest())

    def _leaves_the_host(self, record: FlowRecord, sink: Attachment) -> bool:
        """Whether anybody else outside the module's host wants what leaves the port."""
        flow, place = record.flow, (sink.module, sink.port)
        fusable = graph.fusable_wires(flow, graph.feedback_wires(flow))
        wires = [wire.id for wire in flow.wires if (wire.from_module, wire.from_port) == place]
        sinks = [other for other in record.sinks if (other.module, other.port) == place]
        return bool(sinks or set(wires) - fusable) or sink.port == "error"

    def end_lost_taps(self, record: FlowRecord) -> None:
        """Those of modules that an update has removed."""
        for tap_id, (of, sink) in list(self.taps.items()):
            if of is record and sink.module not in record.modules:
                self.end_tap(tap_id)

    def end_failed_tap(self, actor: ActorAddress) -> None:
        """A tap that has raised, if that is one."""
        for tap_id, (_, sink) in list(self.taps.items()):
            if sink.actor == actor:
                self.end_tap(tap_id)

    def forget_taps(self, record: FlowRecord) -> None:
        """Those of a flow that has been removed: its modules are gone already."""
        for tap_id, (of, sink) in list(self.taps.items()):
            if of is record:
                del self.taps[tap_id]
                self.send(sink.actor, ActorExitRequest())
