"""The actors of a flow's modules and hosts: begun, told who they are and who is at the other end of every wire."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest

from actors.definition.graph import PAGES
from actors.definition.hosting import HostPlan, WireIn
from actors.definition.model import Flow
from actors.definition.wire_names import is_tap
from actors.flow.crossings import Crossings
from actors.flow.record import Attachment, FlowRecord, Tables, lay_out_record, orphan_wires, tables
from actors.host.bridge import BridgeActor
from actors.messages import flow_to_bridge as to_bridge
from actors.messages import flow_to_module as to_module
from actors.messages.flow_to_session import Attached
from actors.module.actor import ModuleActor
from actors.preparation.premises import Premises
from actors.state.facts import States
from actors.state.module import ModuleState
from actors.system.port import Port


class Wiring:
    """Of one flow: it alone makes and ends the actors of modules and hosts."""

    def __init__(self, record: FlowRecord, port: Port, premises: Premises) -> None:
        self._record, self._port, self._premises = record, port, premises
        self.crossings = Crossings(record, port, premises)

    def build(self, states: States) -> None:
        """Make the actors of what is here of a flow; modules whose state is given go on from it."""
        record, share = self._record, self._record.share
        self.crossings.prepare(share)
        layout = lay_out_record(record, share)
        record.plans, record.places = layout.plans, layout.places
        record.modules = {module: self.new_module() for module in share.modules}
        record.bridges = {key: self.new_bridge(plan) for key, plan in record.plans.items()}
        ends = tables(record, share, record.modules)
        for name in share.modules:
            state, numbers = states.get(name, (None, {}))
            wires_in = layout.wires_in[name]
            if state is not None:
                wires_in |= self.orphan_inputs(name, state, wires_in)
            self.configure(name, record.modules[name], state=state, numbers=numbers, wires_in=wires_in, ends=ends)
        self.attach_again(share.modules)

    def settle(self) -> None:
        """An update is over: the ends of new wires to other runners are told of their module."""
        for end in self.crossings.settle():
            self._attached(end)

    def stand(self) -> None:
        """An update is decided: now the new receiving ends may take something. What they acknowledged before would be
        lost with a runner that dies before it knows that, since nothing of its part counts then.
        """
        for end in self.crossings.incoming:
            self._attached(end)

    def new_module(self) -> ActorAddress:
        """The actor of a module; `configure` tells it which."""
        return self._port.createActor(ModuleActor)

    def new_bridge(self, plan: HostPlan) -> ActorAddress:
        """The actor of a host that is still to be started."""
        if plan.runtime != PAGES:
            return self._port.createActor(BridgeActor)
        from actors.pages.bridge import PagesActor

        return self._port.createActor(PagesActor)

    def end_actors(self) -> None:
        """All of them, at once: nothing is sent to them from here on."""
        record = self._record
        for actor in (*record.bridges.values(), *record.modules.values()):
            self._port.send(actor, ActorExitRequest())
        record.bridges, record.modules = {}, {}

    def orphan_inputs(
        self, module: str, state: ModuleState, wires_in: dict[str, WireIn],
        before: Mapping[str, HostPlan] | None = None,
    ) -> dict[str, WireIn]:  # fmt: skip
        """Inputs for what waits in a mailbox on wires that the flow has no more, or that only the API uses.

        The hosts of the plans `before` still know their channels.
        """
        record = self._record
        key, slot = record.places[module]
        inputs = {}
        avoid = before[key].inputs if before and key in before else ()
        for orphan, port in orphan_wires(state, wires_in).items():
            record.plans[key], channel = record.plans[key].with_input(slot, port, orphan, avoid)
            inputs[orphan] = WireIn(channel, port)
        return inputs

    def configure(
        self, name: str, actor: ActorAddress, *, bridge: ActorAddress | None = None, flow: Flow | None = None,
        slot: int | None = None, state: ModuleState | None = None, numbers: dict[str, int] | None = None,
        wires_in: dict[str, WireIn] | None = None, ends: Tables | None = None,
    ) -> None:  # fmt: skip
        """Tell a new module actor what it is; what is not given is the record's, or nothing yet."""
        record = self._record
        flow = flow or record.flow
        key, place = record.places.get(name, ("", 0))
        self._port.send(
            actor,
            to_module.ConfigureModule(
                flow=flow.id, module=flow.modules[name], max_turn_bytes=flow.max_turn_bytes,
                slot=place if slot is None else slot, wires_in=wires_in or {},
                feeders=ends.feeders[name] if ends else {}, targets=ends.targets[name] if ends else {},
                bridge=bridge or record.bridges[key], activity=record.activity, state=state, numbers=numbers or {},
                placed=record.placed, unit=self._premises.unit_id(flow.modules[name]),
                journal=record.durable_journal,
            ),
        )  # fmt: skip

    # from and to the outside ---------------------------------------------------------------------------------------

    def attach_again(self, modules: Collection[str], but: Collection[Attachment] = ()) -> None:
        """Tell feeds and sinks of these modules who their module is now, and those of others that it has gone."""
        record = self._record
        for attachment in record.attached:
            if attachment in but:
                continue
            if attachment.module in modules:
                self._attached(attachment)
            elif attachment.module not in record.modules and not is_tap(attachment.wire):
                self._port.send(attachment.actor, Attached(wire=attachment.wire, activity=record.activity))

    def input_wire(self, module: str, port: str, wire: str, feeder: Any) -> None:
        """Make sure that `wire` leads from outside the flow to an in-port."""
        record = self._record
        key, slot = record.places[module]
        info = None
        if (slot, port, wire) not in record.plans[key].inputs.values():
            record.plans[key], channel = record.plans[key].with_input(slot, port, wire)
            self._port.send(record.bridges[key], to_bridge.ChangePlan(plan=record.plans[key]))
            info = WireIn(channel, port)
        if info is not None or feeder is not None:
            add = to_module.AddFeeder(wire=wire, info=info, feeder=feeder)
            self._port.send(record.modules[module], add)

    def attach(self, end: Attachment) -> None:
        """Attach what sends into the flow from outside, or receives from it."""
        if end.module not in self._record.modules:
            return
        if end.side == "in":
            self.input_wire(end.module, end.port, end.wire, end.actor)
        else:
            self._output_wire(end)
        self._attached(end)

    def _attached(self, attachment: Attachment) -> None:
        record = self._record
        attached = Attached(
            wire=attachment.wire, module=record.modules[attachment.module], activity=record.activity,
            journal=record.durable_journal, tracing=record.tracing,
        )  # fmt: skip
        self._port.send(attachment.actor, attached)

    def _output_wire(self, sink: Attachment) -> None:
        record = self._record
        key, slot = record.places[sink.module]
        if sink.port != "error":
            record.plans[key] = record.plans[key].with_output(slot, sink.port)
            self._port.send(record.bridges[key], to_bridge.ChangePlan(plan=record.plans[key]))
        add = to_module.AddTarget(port=sink.port, target=sink.actor, wire=sink.wire)
        self._port.send(record.modules[sink.module], add)
