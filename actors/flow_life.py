"""The jobs of a flow's life: build its actors, start, stop, replace. Mixed into the Runner actor.

Each job is a generator of Expects (operation.py); jobs of one flow run one after the other.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from thespian.actors import ActorExitRequest

from actors.base import BaseActor
from actors.bridge import BridgeActor
from actors.flow_record import Attachment, FlowRecord, lay_out, orphan_wires
from actors.flows.graph import module_hash
from actors.flows.model import Flow
from actors.messages import runner_to_bridge as to_bridge
from actors.messages import runner_to_module as to_module
from actors.messages.bridge_to_runner import HostFailed
from actors.messages.runner_to_session import Attached, FlowEnded
from actors.module import ModuleActor
from actors.module_state import ModuleState, WireIn
from actors.operation import Expect, Operation, Steps
from runtimes.manifest import Runtime

log = logging.getLogger("runner.flow")
Errors = tuple[str, ...]


class FlowLife(BaseActor):
    """The half of the Runner actor that changes flows. `run_folder` holds one folder per host."""

    def __init__(self) -> None:
        super().__init__()
        self.flows: dict[str, FlowRecord] = {}
        self.runtimes: dict[str, Runtime] = {}
        self.run_folder = Path()

    # one job after the other ---------------------------------------------------------------------------------------

    def enqueue(self, record: FlowRecord, steps: Callable[[], Steps], done: Callable[[Any], None]) -> None:
        """Run a job of this flow when those before it have ended."""
        record.waiting.append((steps, done))
        self._next_job(record)

    def _next_job(self, record: FlowRecord) -> None:
        if record.operation is not None or not record.waiting:
            return
        steps, done = record.waiting.popleft()

        def ended(result: Any) -> None:
            record.operation = None
            done(result)
            self._next_job(record)

        record.operation = Operation(steps(), ended, self.wakeupAfter)
        record.operation.begin()

    # building ------------------------------------------------------------------------------------------------------

    def build(self, record: FlowRecord, states: dict[str, tuple[ModuleState, dict[str, int]]]) -> None:
        """Make the actors of a flow; modules whose state is given go on from it."""
        flow = record.flow
        record.plans, wires_in = lay_out(flow)
        record.places = {
            module: (key, slot) for key, plan in record.plans.items() for slot, module in enumerate(plan.modules)
        }
        record.modules = {module: self.createActor(ModuleActor) for module in flow.modules}
        record.bridges = {key: self.createActor(BridgeActor) for key in record.plans}
        feeders: dict[str, dict[str, Any]] = {module: {} for module in flow.modules}
        targets: dict[str, dict[str, list[Any]]] = {module: {} for module in flow.modules}
        for wire in flow.wires:
            feeders[wire.to_module][wire.id] = record.modules[wire.from_module]
            targets[wire.from_module].setdefault(wire.from_port, []).append((record.modules[wire.to_module], wire.id))
        for name, module in flow.modules.items():
            key, slot = record.places[name]
            state, numbers = states.get(name, (None, {}))
            if state is not None:
                for orphan, port in orphan_wires(state, wires_in[name]).items():
                    record.plans[key], channel = record.plans[key].with_input(slot, port, orphan)
                    wires_in[name][orphan] = WireIn(channel, port)
            self.send(
                record.modules[name],
                to_module.ConfigureModule(
                    flow=flow.id, module=module, max_turn_bytes=flow.max_turn_bytes, slot=slot, wires_in=wires_in[name],
                    feeders=feeders[name], targets=targets[name], bridge=record.bridges[key], gauge=record.gauge,
                    state=state, numbers=numbers,
                ),
            )  # fmt: skip
        for feed in record.feeds:
            self.connect_feed(record, feed)
        for sink in record.sinks:
            self.connect_sink(record, sink)

    def input_wire(self, record: FlowRecord, module: str, port: str, wire: str, feeder: Any) -> None:
        """Make sure that `wire` leads from outside the flow to an in-port."""
        key, slot = record.places[module]
        plan = record.plans[key]
        if (slot, port, wire) in plan.inputs:
            return
        record.plans[key], channel = plan.with_input(slot, port, wire)
        self.send(record.bridges[key], to_bridge.ChangePlan(plan=record.plans[key], slot=slot))
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
            self.send(record.bridges[key], to_bridge.ChangePlan(plan=record.plans[key], slot=slot))
        self.send(record.modules[sink.module], to_module.AddTarget(port=sink.port, target=sink.actor, wire=sink.wire))
        self._attached(record, sink)

    # the jobs ------------------------------------------------------------------------------------------------------

    def starting(self, record: FlowRecord) -> Steps:
        """Load everything, then start everything; any failure leaves the flow stopped. Returns the errors."""
        if record.state == "running":
            return ()
        record.state, record.failed_for = "starting", ()
        for key, plan in record.plans.items():
            env = record.flow.modules[plan.modules[0]].env
            self.send(
                record.bridges[key],
                to_bridge.StartHost(
                    flow=record.flow.id, plan=plan, runtime=self.runtimes[plan.runtime],
                    members=tuple(record.modules[module] for module in plan.modules),
                    folder=self.run_folder / record.flow.id, env=env, mute_sources=record.mute_sources,
                ),
            )  # fmt: skip
        answers = yield Expect(("loaded", key) for key in record.plans)
        errors = _errors_of(answers.values())
        if not errors:
            for bridge in record.bridges.values():
                self.send(bridge, to_bridge.StartModules())
            answers = yield Expect(("started", key) for key in record.plans)
            errors = _errors_of(answers.values())
        if errors:
            yield from self._stop_hosts(record)
            record.state = "stopped"
            return errors
        for module in record.modules.values():
            self.send(module, to_module.GoOn(reason="flow"))
        record.state = "running"
        log.info("%s: started, %d modules on %d hosts", record.flow.id, len(record.modules), len(record.plans))
        return ()

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
            log.warning("%s: still in a turn, its host will be killed: %s", record.flow.id, ", ".join(late))
        answers = yield from self._stop_hosts(record)
        record.state = "stopped"
        return tuple(error for answer in answers.values() for error in answer.errors)

    def _stop_hosts(self, record: FlowRecord) -> Steps:
        for bridge in record.bridges.values():
            self.send(bridge, to_bridge.StopHost())
        answers = yield Expect(("ended", key) for key in record.plans)
        return answers

    def failing(self, record: FlowRecord, errors: Errors) -> Steps:
        """Stop a flow that cannot go on; it says why."""
        for error in errors:
            log.error("%s", error)
        yield from self.stopping(record)
        record.state, record.failed_for = "failed", errors
        if record.watcher is not None:
            self.send(record.watcher, FlowEnded(flow=record.flow.id, errors=errors))
        return errors

    def replacing(self, record: FlowRecord, flow: Flow, left_out: dict[str, str]) -> Steps:
        """Stop, hand every state over to new actors, start again; if that fails, the same way back."""
        was_running = record.state == "running"
        old, old_left_out = record.flow, record.left_out
        changed = {
            m for m in flow.modules if m in old.modules and module_hash(flow.modules[m]) != module_hash(old.modules[m])
        }
        yield from self.stopping(record)
        yield from self._rebuild(record, flow, left_out)
        errors: Errors = (yield from self.starting(record)) if was_running else ()
        if errors:
            yield from self._rebuild(record, old, old_left_out)
            yield from self.starting(record)
            return errors
        receipt = {}
        for module in flow.modules:
            did = "added" if module not in old.modules else "replaced" if module in changed else "restarted"
            receipt[module] = {"did": did}
        receipt.update({module: {"did": "removed"} for module in old.modules.keys() - flow.modules.keys()})
        record.receipt = {"modules": receipt}
        return ()

    def _rebuild(self, record: FlowRecord, flow: Flow, left_out: dict[str, str]) -> Steps:
        states = yield from self._take_states(record)
        for module in states.keys() - flow.modules.keys():
            self.drop_queue(record, module, states[module][0])
        record.flow, record.left_out = flow, left_out
        self.build(record, states)

    def _take_states(self, record: FlowRecord) -> Steps:
        # Until this burst of messages has run, no descriptor is read: nobody sends to an actor that is leaving.
        self.system.ask_quiet_point(self.myAddress)
        yield Expect([("quiet", "")])
        for module in record.modules.values():
            self.send(module, to_module.HandOver())
        came = yield Expect(("handed", name) for name in record.modules)
        for bridge in record.bridges.values():
            self.send(bridge, ActorExitRequest())
        return {key[1]: (message.state, message.numbers) for key, message in came.items()}

    def removing(self, record: FlowRecord) -> Steps:
        """Stop and forget a flow."""
        yield from self.stopping(record)
        states = yield from self._take_states(record)
        for module, (state, _) in states.items():
            self.drop_queue(record, module, state)
        del self.flows[record.flow.id]
        if record.watcher is not None:
            self.send(record.watcher, FlowEnded(flow=record.flow.id))
        return ()

    def drop_queue(self, record: FlowRecord, module: str, state: ModuleState) -> None:
        """A removed module's queued messages become dead letters."""
        error = {"type": "ModuleRemoved", "message": "the module was removed while this message was queued"}
        for segment in [*state.ready, *state.held]:
            for index in range(segment.count):
                message, headers = segment.message(index)
                self.add_dead_letter(record, module, state.wires[segment.wire].port, message, headers, error)
        record.gauge.pending -= state.queued

    def add_dead_letter(
        self, record: FlowRecord, module: str, port: str, message: bytes, headers: bytes | None, error: dict[str, Any]
    ) -> None:
        """Keep it for inspection and replay; the Runner actor has the store."""
        raise NotImplementedError


def _errors_of(answers: Iterable[Any]) -> Errors:
    return tuple(error for answer in answers if isinstance(answer, HostFailed) for error in answer.errors)


def missing_runtime(runtime: Runtime) -> str | None:
    """Why a runtime is not available, as far as that can be said without starting anything."""
    command = runtime.version_command()[0]
    paths = [Path(folder) / command for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    if any(os.access(path, os.X_OK) for path in paths):  # an absolute command stands for itself
        return None
    return runtime.missing().reason
