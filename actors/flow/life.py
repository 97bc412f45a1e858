"""The jobs of a flow's life: build its actors, start, stop, remove. Mixed into the Runner actor.

Each job is a generator of Expects (system/job.py); jobs of one flow run one after the other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest

from actors.counted import counted
from actors.definition.hosting import HostPlan, WireIn
from actors.definition.model import Flow
from actors.definition.places import listed
from actors.definition.wire_names import is_tap
from actors.flow.kept_file import remove_kept
from actors.flow.mending import Mending
from actors.flow.prepare import FlowPrepare, HostCommand, release
from actors.flow.record import Attachment, FlowRecord, Tables, lay_out_record, orphan_wires, tables
from actors.host.bridge import BridgeActor
from actors.messages import runner_to_bridge as to_bridge
from actors.messages import runner_to_module as to_module
from actors.messages.bridge_to_runner import HostFailed, LoadFailed, StartFailed
from actors.messages.runner_to_session import Attached, FlowEnded
from actors.module.actor import ModuleActor
from actors.state.module import ModuleState
from actors.system.job import Expect, Job, JobError, Steps

log = logging.getLogger("runner.flow")
END_TIMEOUT_S = 15.0  # longer than a bridge lets its host take to end
Errors = tuple[str, ...]


def _nobody(_: Any) -> None:
    """Waits for it."""


class FlowLife(FlowPrepare):
    """The half of the Runner actor that changes flows. `run_folder` holds one folder per host."""

    def __init__(self) -> None:
        super().__init__()
        self.flows: dict[str, FlowRecord] = {}
        self.run_folder, self.name = Path(), ""
        self.count_hosts = 0  # for the names of their folders
        self.mending = Mending(self)

    # one job after the other ---------------------------------------------------------------------------------------

    def enqueue(
        self, record: FlowRecord, steps: Callable[[], Steps], done: Callable[[Any], None] = _nobody,
        failed: Callable[[str], None] = _nobody,
    ) -> None:  # fmt: skip
        """Run a job of this flow when those before it have ended; `failed` gets the sentence if it raises."""

        job = Job(steps, done, lambda error: failed(self.mending.mend(record, error)))
        record.jobs.add(job, self.wakeupAfter)

    # building ------------------------------------------------------------------------------------------------------

    def build(self, record: FlowRecord, states: dict[str, tuple[ModuleState, dict[str, int]]]) -> None:
        """Make the actors of a flow; modules whose state is given go on from it."""
        flow = record.flow
        layout = lay_out_record(record, flow)
        record.plans, record.places = layout.plans, layout.places
        record.modules = {module: self.createActor(ModuleActor) for module in flow.modules}
        record.bridges = {key: self.createActor(BridgeActor) for key in record.plans}
        ends = tables(record, flow, record.modules)
        for name in flow.modules:
            state, numbers = states.get(name, (None, {}))
            wires_in = layout.wires_in[name]
            if state is not None:
                wires_in |= self.orphan_inputs(record, name, state, wires_in)
            self.configure(
                record, name, record.modules[name], state=state, numbers=numbers, wires_in=wires_in, ends=ends
            )
        self.attach_again(record, flow.modules)

    def orphan_inputs(
        self, record: FlowRecord, module: str, state: ModuleState, wires_in: dict[str, WireIn],
        before: Mapping[str, HostPlan] | None = None,
    ) -> dict[str, WireIn]:  # fmt: skip
        """Inputs for what waits in a mailbox on wires that the flow has no more, or that only the API uses.

        The hosts of the plans `before` still know their channels.
        """
        key, slot = record.places[module]
        inputs = {}
        avoid = before[key].inputs if before and key in before else ()
        for orphan, port in orphan_wires(state, wires_in).items():
            record.plans[key], channel = record.plans[key].with_input(slot, port, orphan, avoid)
            inputs[orphan] = WireIn(channel, port)
        return inputs

    def configure(
        self, record: FlowRecord, name: str, actor: ActorAddress, *, bridge: ActorAddress | None = None,
        flow: Flow | None = None, slot: int | None = None, state: ModuleState | None = None,
        numbers: dict[str, int] | None = None, wires_in: dict[str, WireIn] | None = None, ends: Tables | None = None,
    ) -> None:  # fmt: skip
        """Tell a new module actor what it is; what is not given is the record's, or nothing yet."""
        flow = flow or record.flow
        key, place = record.places.get(name, ("", 0))
        self.send(
            actor,
            to_module.ConfigureModule(
                flow=flow.id, module=flow.modules[name], max_turn_bytes=flow.max_turn_bytes,
                slot=place if slot is None else slot, wires_in=wires_in or {},
                feeders=ends.feeders[name] if ends else {}, targets=ends.targets[name] if ends else {},
                bridge=bridge or record.bridges[key], gauge=record.gauge, state=state, numbers=numbers or {},
                placed=record.placed, unit=self.unit_id(flow.modules[name]),
            ),
        )  # fmt: skip

    def attach_again(self, record: FlowRecord, modules: Collection[str]) -> None:
        """Tell feeds and sinks of these modules who their module is now, and those of others that it has gone."""
        for attachment in (*record.feeds, *record.sinks):
            if attachment.module in modules:
                self._attached(record, attachment)
            elif attachment.module not in record.modules and not is_tap(attachment.wire):
                self.send(attachment.actor, Attached(wire=attachment.wire, gauge=record.gauge))

    def input_wire(self, record: FlowRecord, module: str, port: str, wire: str, feeder: Any) -> None:
        """Make sure that `wire` leads from outside the flow to an in-port."""
        key, slot = record.places[module]
        plan = record.plans[key]
        if (slot, port, wire) in plan.inputs.values():
            return
        record.plans[key], channel = plan.with_input(slot, port, wire)
        self.send(record.bridges[key], to_bridge.ChangePlan(plan=record.plans[key]))
        self.send(record.modules[module], to_module.AddFeeder(wire=wire, info=WireIn(channel, port), feeder=feeder))

    def connect_feed(self, record: FlowRecord, feed: Attachment) -> None:
        """Attach (again) what sends into the flow from outside."""
        if feed.module in record.modules:
            self.input_wire(record, feed.module, feed.port, feed.wire, feed.actor)
            self._attached(record, feed)

    def _attached(self, record: FlowRecord, attachment: Attachment) -> None:
        module = record.modules[attachment.module]
        self.send(attachment.actor, Attached(wire=attachment.wire, module=module, gauge=record.gauge))

    def connect_sink(self, record: FlowRecord, sink: Attachment) -> None:
        """Attach (again) what receives from an out-port."""
        if sink.module not in record.modules:
            return
        key, slot = record.places[sink.module]
        if sink.port != "error":
            record.plans[key] = record.plans[key].with_output(slot, sink.port)
            self.send(record.bridges[key], to_bridge.ChangePlan(plan=record.plans[key]))
        self.send(record.modules[sink.module], to_module.AddTarget(port=sink.port, target=sink.actor, wire=sink.wire))
        self._attached(record, sink)

    # the jobs ------------------------------------------------------------------------------------------------------

    def starting(self, record: FlowRecord) -> Steps:
        """Load everything, then start everything; any failure leaves the flow stopped. Returns the errors."""
        if record.state == "running":
            return ()
        record.state, record.failed_for = "starting", ()
        record.sources.clear()
        record.source_errors.clear()
        record.commands, errors = yield from self.preparing(record.flow, record.plans)
        if errors:
            record.state = "stopped"
            return errors
        try:
            errors = yield from self._opening(record)
        except JobError as error:
            errors = (str(error),)
        if errors:
            yield from self.stop_hosts(record)
            record.state = "stopped"
            return errors
        self._forget_kept(record)  # before the first message: nothing of it is ever done twice
        for module in record.modules.values():
            self.send(module, to_module.GoOn(reason="flow"))
        record.state = "running"
        modules, hosts = counted(len(record.modules), "module"), counted(len(record.plans), "host")
        log.info("%s: started, %s on %s", record.flow.id, modules, hosts)
        return ()

    def _opening(self, record: FlowRecord) -> Steps:
        for key, plan in record.plans.items():
            self.start_host(record, record.flow, record.bridges[key], plan, record.modules, record.commands[key])
        answers = yield Expect(("loaded", key) for key in record.plans)
        errors = errors_of(answers.values())
        if not errors:
            for key, bridge in record.bridges.items():
                self.send(bridge, to_bridge.ServeModules(plan=record.plans[key], patient=True))
            answers = yield Expect(("started", key) for key in record.plans)
            errors = errors_of(answers.values())
        return errors

    def start_host(
        self, record: FlowRecord, flow: Flow, bridge: ActorAddress, plan: HostPlan, actors: dict[str, ActorAddress],
        command: HostCommand, hold_fusing: bool = False,
    ) -> None:  # fmt: skip
        """Start the host of a plan and load its modules."""
        members = {slot: actors[module] for slot, module in plan.modules.items()}
        self.count_hosts += 1
        self.send(
            bridge,
            to_bridge.StartHost(
                flow=flow.id, plan=plan, command=command.words, members=members,
                folder=self.run_folder / f"{flow.id}-{self.count_hosts}", env=command.env, limits=command.limits,
                sweeper=self.sweeper,
                mute_sources=record.mute_sources, placed=record.placed, barred=record.debug.barred,
                hold_fusing=hold_fusing,
            ),
        )  # fmt: skip

    def stopping(self, record: FlowRecord) -> Steps:
        """Recall everything, call `stop`, end the hosts; mailboxes and contexts stay. Returns what hooks raised."""
        if record.state != "running":
            return ()
        record.state = "stopping"
        for module in record.modules.values():
            self.send(module, to_module.StopModule(reason="flow"))
        keys = [("stopped", module) for module in record.modules]
        came = yield Expect(keys, timeout_s=record.flow.drain_timeout_s)
        late = [key[1] for key in keys if key not in came]
        if late:
            log.warning("%s: still in a turn, its host will be killed: %s", record.flow.id, listed(late))
        answers = yield from self.stop_hosts(record)
        record.errors.say_rest()
        record.state = "stopped"
        failed = {module: text for answer in answers.values() for module, text in answer.errors.items()}
        for module, text in failed.items():
            log.error("%s/%s: stop failed: %s", record.flow.id, module, text)
        return tuple(f"stop of {module} failed: {text}" for module, text in failed.items())

    def stop_hosts(self, record: FlowRecord) -> Steps:
        """End the hosts; a `stop` hook runs where a module still works. Returns what they say."""
        for bridge in record.bridges.values():
            self.send(bridge, to_bridge.StopHost())
        answers = yield Expect((("ended", key) for key in record.plans), END_TIMEOUT_S)
        if late := [key for key in record.plans if ("ended", key) not in answers]:
            log.error("%s: hosts that do not end: %s", record.flow.id, listed(late))
        release(record.commands)
        record.commands = {}
        return answers

    def fail_flow(self, record: FlowRecord, *errors: str) -> None:
        """A running flow cannot go on."""
        if record.state == "running":
            self.enqueue(record, lambda: self.failing(record, errors))

    def failing(self, record: FlowRecord, errors: Errors) -> Steps:
        """Stop a flow that cannot go on; it says why."""
        for error in errors:
            log.error("%s", error)
        errors += tuple(f"{record.flow.id}: {error}" for error in (yield from self.stopping(record)))
        record.state, record.failed_for = "failed", errors
        if record.watcher is not None:
            self.send(record.watcher, FlowEnded(flow=record.flow.id, errors=errors))
        return errors

    def rebuild(
        self, record: FlowRecord, flow: Flow, left_out: dict[str, str], contexts: dict[str, dict[bytes, bytes]]
    ) -> Steps:
        """Give a flow that is not running another definition; `contexts` replace those of their modules."""
        states = yield from self.take_states(record)
        for module in states.keys() - flow.modules.keys():
            self.drop_queue(record, module, states[module][0])
        for module, context in contexts.items():
            states[module][0].context = context
        record.flow, record.left_out = flow, left_out
        self.build(record, states)

    def take_states(self, record: FlowRecord) -> Steps:
        """The state of every module; the actors of the flow are no more."""
        yield from self.quiet()
        for module in record.modules.values():
            self.send(module, to_module.HandOver())
        came = yield Expect(("handed", name) for name in record.modules)
        self._end_actors(record)
        return {key[1]: (message.state, message.numbers) for key, message in came.items()}

    def _end_actors(self, record: FlowRecord) -> None:
        for actor in (*record.bridges.values(), *record.modules.values()):
            self.send(actor, ActorExitRequest())

    def quiet(self) -> Steps:
        """Until this burst of messages has run, no descriptor is read: nobody sends to an actor that is going."""
        self.system.ask_quiet_point(self.myAddress)
        yield Expect([("quiet", "")])

    def removing(self, record: FlowRecord) -> Steps:
        """Stop and forget a flow. Returns what its `stop` hooks raised."""
        errors = yield from self.stopping(record)
        try:
            states = yield from self.take_states(record)
        except JobError as error:
            log.error("%s: removed, without a dead letter for each message: %s", record.flow.id, error)
            self._end_actors(record)
            states = {}
        for module, (state, _) in states.items():
            self.drop_queue(record, module, state)
        del self.flows[record.flow.id]
        self._forget_kept(record)
        if record.watcher is not None:
            self.send(record.watcher, FlowEnded(flow=record.flow.id, removed=True))
        return errors

    def _forget_kept(self, record: FlowRecord) -> None:
        if record.kept is not None:
            remove_kept(record.kept)
            record.kept = None

    def drop_queue(self, record: FlowRecord, module: str, state: ModuleState) -> None:
        """A removed module's queued messages become dead letters."""
        error = {"type": "ModuleRemoved", "message": "the module was removed while this message was queued"}
        for segment in [*state.ready, *state.held]:
            for index in range(segment.count):
                message, headers = segment.message(index)
                self.add_dead_letter(record, module, state.wires[segment.wire].port, message, headers, error)
        record.gauge.pending -= state.queued

    def resolve(self, flow_id: str, kind: str, name: str, message: Any) -> None:
        """An event that a job of the flow may wait for."""
        record = self.flows.get(flow_id)
        if record is not None:
            record.jobs.resolve((kind, name), message)

    def gather(self, record: FlowRecord, hosts: bool, done: Callable[[list[Any]], None]) -> None:
        """Ask every module (and host) to describe itself; the Runner actor counts the answers."""
        raise NotImplementedError

    def add_dead_letter(
        self, record: FlowRecord, module: str, port: str, message: bytes, headers: bytes | None, error: dict[str, Any]
    ) -> None:
        """Keep it for inspection and replay; the Runner actor has the store."""
        raise NotImplementedError


def errors_of(answers: Iterable[Any]) -> Errors:
    """What bridges say went wrong."""
    failed = (HostFailed, LoadFailed, StartFailed)
    return tuple(error for answer in answers if isinstance(answer, failed) for error in answer.errors)
