"""Taps: somebody looks on at what leaves an out-port.

A tap is a sink of the flow as `-o` is one, but for actors/ends/tap.py, which drops instead of holding.
"""

from __future__ import annotations

from collections.abc import Iterator

from thespian.actors import ActorAddress, ActorExitRequest

from actors.definition import graph
from actors.definition.ports import port_problem
from actors.definition.wire_names import tap_wire
from actors.ends.tap import TapActor
from actors.flow.answers import FlowAnswers
from actors.flow.jobs import FlowJobs
from actors.flow.record import Attachment, FlowRecord
from actors.flow.wiring import Wiring
from actors.messages import client_to_runner as api
from actors.messages import flow_to_bridge as to_bridge
from actors.messages import flow_to_module as to_module
from actors.messages.flow_to_tap import ReadNext, StartTap
from actors.messages.gateway_to_flow import ReadTapLines, TapLines
from actors.system.job import Expect, Steps
from actors.system.port import Port


class Taps:
    """Of one flow. `numbers`: what no two taps of the runner have."""

    def __init__(
        self, record: FlowRecord, port: Port, answers: FlowAnswers, jobs: FlowJobs, wiring: Wiring,
        numbers: Iterator[int],
    ) -> None:  # fmt: skip
        self._record, self._port, self._answers = record, port, answers
        self._jobs, self._wiring, self._numbers = jobs, wiring, numbers
        self._taps: dict[str, Attachment] = {}  # by their ids
        self._of_visitors: set[str] = set()

    # the API -------------------------------------------------------------------------------------------------------

    def receiveMsg_TapPort(self, message: api.TapPort | TapLines, sender: ActorAddress) -> None:
        """Answered with the tap's id when nothing can get past it any more."""
        as_lines, for_visitor = isinstance(message, TapLines), False
        if isinstance(message, TapLines) and message.for_visitor:
            for_visitor = True
            if not self._answers.is_for_visitors(message, sender, "out"):
                return
        module = self._answers.find_module(message, sender)
        if module is None:
            return
        flow = self._record.flow
        if (problem := port_problem(flow.modules[module], "out", message.port)) is not None:
            self._answers.refuse(message, sender, f"{flow.id}: {problem}")
            return

        def done(tap_id: str | None) -> None:
            if tap_id is None:
                self._answers.refuse(message, sender, f"{message.flow_module_id} has been removed")
            else:
                self._answers.reply(message, sender, tap_id)

        refuse = self._answers.refusing(message, sender)
        self._jobs.add(lambda: self._tapping(module, message.port, as_lines, for_visitor), done, refuse)

    receiveMsg_TapLines = receiveMsg_TapPort

    def receiveMsg_ReadTap(self, message: api.ReadTap | ReadTapLines, sender: ActorAddress) -> None:
        """The tap itself answers."""
        if message.tap_id in self._taps:
            wait_s = message.wait_s if isinstance(message, api.ReadTap) else None
            read = ReadNext(request_id=message.request_id, client=sender, wait_s=wait_s)
            self._port.send(self._taps[message.tap_id].actor, read)
        else:
            self._no_tap(message, sender)

    receiveMsg_ReadTapLines = receiveMsg_ReadTap

    def receiveMsg_EndTap(self, message: api.EndTap, sender: ActorAddress) -> None:
        """It is gone when the jobs before it are over."""
        if message.tap_id in self._taps:
            self._end(message.tap_id)
            self._answers.reply(message, sender)
        else:
            self._no_tap(message, sender)

    def _no_tap(self, message: api.ReadTap | ReadTapLines | api.EndTap, sender: ActorAddress) -> None:
        self._answers.refuse(message, sender, f"there is no tap {message.tap_id!r}, or it has ended")

    # the jobs ------------------------------------------------------------------------------------------------------

    def _tapping(self, module: str, port: str, as_lines: bool, for_visitor: bool) -> Steps:
        yield Expect([])
        if module not in self._record.modules:
            return None
        tap = self._port.createActor(TapActor)
        without_private = for_visitor and not graph.goes_to_all_pages(self._record.flow, module, port)
        self._port.send(tap, StartTap(flow=self._record.flow.id, as_lines=as_lines, without_private=without_private))
        sink = self.attach(module, port, tap)
        tap_id = f"{self._record.flow.id}/{sink.wire}"
        self._taps[tap_id] = sink
        if for_visitor:
            self._of_visitors.add(tap_id)
        return tap_id

    def attach(self, module: str, port: str, actor: ActorAddress) -> Attachment:
        """Let an actor have what leaves a port; in a job."""
        sink = Attachment("out", module, port, tap_wire(f"{module}.{port}", next(self._numbers)), actor)
        self._record.attached.append(sink)
        self._wiring.attach(sink)
        return sink

    def _end(self, tap_id: str) -> None:
        """Take a tap away, between two jobs of its flow."""
        sink = self._taps.pop(tap_id)
        self._of_visitors.discard(tap_id)
        self._jobs.add(lambda: self._untapping(sink))

    def _untapping(self, sink: Attachment) -> Steps:
        self.detach(sink)
        yield from self._jobs.quiet()  # what is on its way to the tap comes first
        self._port.send(sink.actor, ActorExitRequest())

    def detach(self, sink: Attachment) -> None:
        """It gets nothing more but what is on its way."""
        record = self._record
        record.attached.remove(sink)
        if sink.module in record.modules:
            remove = to_module.AddTarget(port=sink.port, target=None, wire=sink.wire)
            self._port.send(record.modules[sink.module], remove)
            if not self._leaves_the_host(sink):
                key, slot = record.places[sink.module]
                record.plans[key] = record.plans[key].without_output(slot, sink.port)
                self._port.send(record.bridges[key], to_bridge.ChangePlan(plan=record.plans[key]))

    def _leaves_the_host(self, sink: Attachment) -> bool:
        """Whether anybody else outside the module's host wants what leaves the port."""
        share, place = self._record.share, (sink.module, sink.port)
        fusable = graph.fusable_wires(share, graph.feedback_wires(share.flow))
        wires = [wire.id for wire in share.ends_of(sink.module).outputs if wire.from_port == sink.port]
        sinks = [other for other in self._record.ends("out") if (other.module, other.port) == place]
        return bool(sinks or set(wires) - fusable) or sink.port == "error"

    def after_update(self) -> None:
        """Those of removed modules end, and those of visitors, who may see something else now."""
        for tap_id, sink in list(self._taps.items()):
            if sink.module not in self._record.modules or tap_id in self._of_visitors:
                self._end(tap_id)

    def end_failed(self, actor: ActorAddress) -> None:
        """A tap that has raised, if that is one."""
        for tap_id, sink in list(self._taps.items()):
            if sink.actor == actor:
                self._end(tap_id)

    def end_all(self) -> None:
        """The flow is gone, and its modules are."""
        for sink in self._taps.values():
            self._port.send(sink.actor, ActorExitRequest())
        self._taps.clear()
        self._of_visitors.clear()
