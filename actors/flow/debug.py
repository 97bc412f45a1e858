"""Breakpoints, pause, single step and held messages. Mixed into the Runner actor.

Whatever stops or moves messages is a job of the flow, so that it never meets an update half-way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.ports import out_ports
from actors.flow.record import FlowRecord
from actors.flow.requests import FlowRequests
from actors.messages import client_to_runner as api
from actors.messages import module_to_runner as from_module
from actors.messages import runner_to_bridge as to_bridge
from actors.messages import runner_to_module as to_module
from actors.state.condition import Breakpoint, ConditionError
from actors.system.job import Expect, Steps

FALLBACK_TIMEOUT_S = 600.0
log = logging.getLogger("runner.debug")


class FlowDebug(FlowRequests):
    """The part of the Runner actor that debugs."""

    # pause and resume ----------------------------------------------------------------------------------------------

    def receiveMsg_PauseFlow(self, message: api.PauseFlow, sender: ActorAddress) -> None:
        """Answered when every module is paused."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is not None:
            timeout_s = FALLBACK_TIMEOUT_S if message.timeout_s is None else message.timeout_s
            self._debug_job(
                record, lambda: self._pausing(record, record.modules, "pauseFlow", timeout_s), message, sender
            )

    def receiveMsg_ResumeFlow(self, message: api.ResumeFlow, sender: ActorAddress) -> None:
        """What is held goes on."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is not None:
            self._debug_job(record, lambda: self._resuming(record), message, sender)

    def _debug_job(
        self, record: FlowRecord, steps: Callable[[], Steps], request: Any = None, sender: Any = None
    ) -> None:
        """A job whose result is None, or why it was refused."""

        def done(error: str | None) -> None:
            if request is None:
                return
            if error is None:
                self.reply(request, sender)
            else:
                self.refuse(request, sender, error)

        self.touch(record)
        self.enqueue(record, steps, done, done)

    def touch(self, record: FlowRecord) -> None:
        """Somebody debugs: the fallback timeout begins anew."""
        debug = record.debug
        debug.calls += 1
        if debug.paused_by is not None and debug.timeout_s:
            self.wakeupAfter(debug.timeout_s, ("resume", (record.flow.id, debug.calls)))

    def fall_back(self, flow_id: str, calls: int) -> None:
        """Nobody has debugged for so long: the flow goes on."""
        record = self.flows.get(flow_id)
        if record is not None and record.debug.calls == calls and record.debug.paused_by is not None:
            said = f"paused by {record.debug.paused_by} for {record.debug.timeout_s:g} s without a call: it goes on"
            log.warning("%s: %s", flow_id, said)
            record.debug.resumed_by_itself = said
            self._debug_job(record, lambda: self._resuming(record))

    def _pausing(self, record: FlowRecord, modules: Iterable[str], by: str, timeout_s: float) -> Steps:
        debug = record.debug
        names = frozenset(modules) & record.modules.keys()
        if debug.paused_by is None:
            debug.paused_by, debug.timeout_s, debug.resumed_by_itself = by, timeout_s, None
        debug.paused_modules |= names
        yield from self._stop(record, names, "debug")
        self.touch(record)
        return None

    def _stop(self, record: FlowRecord, modules: Iterable[str], reason: str) -> Steps:
        """Recall modules. A turn that does not end within drain_timeout_s is not waited for any longer."""
        keys = [("stopped", module) for module in modules]
        for _, module in keys:
            self.send(record.modules[module], to_module.StopModule(reason=reason))
        if record.state == "running":
            yield Expect(keys, timeout_s=record.flow.drain_timeout_s)

    def _resuming(self, record: FlowRecord) -> Steps:
        debug = record.debug
        modules, debug.paused_modules, debug.paused_by = debug.paused_modules, frozenset(), None
        debug.errors.clear()
        debug.hits.clear()
        if debug.stepping:
            debug.stepping = False
            yield from self._bar(record)
        for module in modules & record.modules.keys():
            self.send(record.modules[module], to_module.GoOn(reason="debug"))
        return None

    def _unfuse(self, record: FlowRecord) -> Steps:
        """Until the flow goes on, a turn ends at its module."""
        if not record.debug.stepping:
            record.debug.stepping = True
            yield from self._bar(record)

    def _show_ports(self, record: FlowRecord) -> None:
        """While a flow is stepped its hosts write what is sent to ports without a wire, too. No turn is under way."""
        debug = record.debug
        if not debug.stepping and not debug.shown:
            return
        wired = {(wire.from_module, wire.from_port) for wire in record.flow.wires}
        wired |= {(sink.module, sink.port) for sink in record.sinks}
        before, debug.shown = debug.shown, set()
        if debug.stepping:
            debug.shown = {(name, port) for name, m in record.flow.modules.items() for port in out_ports(m)} - wired
        hidden, shown = self._by_host(record, before - wired - debug.shown), self._by_host(record, debug.shown)
        for key, plan in record.plans.items():
            if not debug.stepping or plan is not debug.plans.get(key):
                record.plans[key] = plan.showing(hidden[key], on=False).showing(shown[key], on=True)
                self.send(record.bridges[key], to_bridge.ChangePlan(plan=record.plans[key]))
        debug.plans = dict(record.plans)

    @staticmethod
    def _by_host(record: FlowRecord, places: set[tuple[str, str]]) -> dict[str, list[tuple[int, str]]]:
        found: dict[str, list[tuple[int, str]]] = {key: [] for key in record.plans}
        for module, port in sorted(places):
            if module in record.places:
                key, slot = record.places[module]
                found[key].append((slot, port))
        return found

    def _bar(self, record: FlowRecord) -> Steps:
        """Tell the hosts which wires may be fused now; for a moment no module works."""
        if record.state != "running":
            self._show_ports(record)
            return
        yield from self._stop(record, record.modules, "fusing")
        self._show_ports(record)
        for bridge in record.bridges.values():
            self.send(bridge, to_bridge.BarFusing(modules=record.debug.barred))
        yield Expect(("barred", key) for key in record.bridges)
        for module in record.modules.values():
            self.send(module, to_module.GoOn(reason="fusing"))

    # breakpoints ---------------------------------------------------------------------------------------------------

    def receiveMsg_SetBreakPointAtModule(self, message: api.SetBreakPointAtModule, sender: ActorAddress) -> None:
        """Answered when no message can get past it."""
        found = self.find_module(message, sender, message.flow_module_id)
        if found is None:
            return
        if found[0].feeds_itself(found[1]):
            said = f"{message.flow_module_id} is a source: it gets no message that a breakpoint could hold"
            self.refuse(message, sender, f"{said}; set it where its messages go, or pause the flow")
            return
        timeout_s = FALLBACK_TIMEOUT_S if message.timeout_s is None else message.timeout_s
        try:
            breakpoint = Breakpoint(message.when, message.scope, message.log, timeout_s)
        except ConditionError as error:
            self.refuse(message, sender, str(error))
            return
        self._debug_job(found[0], lambda: self._setting(*found, breakpoint), message, sender)

    def receiveMsg_RemoveBreakPointAtModule(self, message: api.RemoveBreakPointAtModule, sender: ActorAddress) -> None:
        """A flow that is paused stays paused."""
        found = self.find_module(message, sender, message.flow_module_id)
        if found is not None:
            self._debug_job(found[0], lambda: self._setting(*found, None), message, sender)

    def _setting(self, record: FlowRecord, module: str, breakpoint: Breakpoint | None) -> Steps:
        if module not in record.modules:
            return f"{record.flow.id}/{module} has been removed"
        record.debug.breakpoints.pop(module, None)
        if breakpoint is not None:
            record.debug.breakpoints[module] = breakpoint
        self.send(record.modules[module], to_module.SetBreakpoint(breakpoint=breakpoint))
        yield from self._bar(record)
        return None

    def receiveMsg_BreakpointReached(self, message: from_module.BreakpointReached, _sender: ActorAddress) -> None:
        """Pause what the breakpoint says."""
        record = self.flows[message.flow]
        breakpoint = record.debug.breakpoints.get(message.module)
        if breakpoint is None:  # removed while the message was held
            self.send(record.modules[message.module], to_module.GoOn(reason="debug"))
            return
        record.debug.hits.add(message.module)
        if message.error is not None:
            record.debug.errors[message.module] = message.error
        modules = record.modules if breakpoint.scope == "flow" else [message.module]
        by = f"the breakpoint at {message.module}"
        self._debug_job(record, lambda: self._pausing(record, modules, by, breakpoint.timeout_s))

    def after_update(self, record: FlowRecord) -> None:
        """Breakpoints of removed modules go."""
        debug = record.debug
        for module in debug.breakpoints.keys() - record.modules.keys():
            log.warning("%s: the breakpoint at %s went with its module", record.flow.id, module)
            del debug.breakpoints[module]
        debug.paused_modules &= record.modules.keys()

    # single step ---------------------------------------------------------------------------------------------------

    def receiveMsg_SingleStepFlow(self, message: api.SingleStepFlow, sender: ActorAddress) -> None:
        """One wave."""
        flow_id = message.flow_id
        if flow_id is None:
            paused = [record.flow.id for record in self.flows.values() if record.debug.paused_by is not None]
            if len(paused) != 1:
                which = f"these are paused: {', '.join(paused)}; say which" if paused else "no flow is paused"
                self.refuse(message, sender, which)
                return
            flow_id = paused[0]
        record = self.find_flow(message, sender, flow_id)
        if record is None:
            return

        def done(result: dict[str, Any] | str) -> None:
            if isinstance(result, str):
                self.refuse(message, sender, result)
            else:
                self.reply(message, sender, result)

        self.touch(record)
        self.enqueue(record, lambda: self._stepping(record), done, done)

    def _stepping(self, record: FlowRecord) -> Steps:
        debug, flow_id = record.debug, record.flow.id
        if debug.paused_by is None or record.state != "running":
            return f"{flow_id} is not paused: pauseFlow or a breakpoint comes first"
        if debug.paused_modules != record.modules.keys():
            yield from self._pausing(record, record.modules, debug.paused_by, debug.timeout_s)
        yield from self._unfuse(record)
        self._show_ports(record)  # of modules that an update has brought meanwhile
        record.waves += 1
        keys = [("stepped", f"{module} {record.waves}") for module in record.modules]
        for module in record.modules.values():
            self.send(module, to_module.TakeStep(wave=record.waves))
        came = yield Expect(keys, timeout_s=record.flow.step_timeout_s)
        result: dict[str, Any] = {}
        for key in keys:
            name = key[1].split(" ")[0]
            if key not in came:
                running = {"inputStates": [], "outputStates": [], "errors": [], "running": True}
                result[f"{flow_id}/{name}"] = {**running, "runner": self.name}
            elif came[key].result is not None:
                result[f"{flow_id}/{name}"] = {**came[key].result, "runner": self.name}
        return result

    def receiveMsg_StepTaken(self, message: from_module.StepTaken, _sender: ActorAddress) -> None:
        """A part of a wave; one that comes too late has been answered with `running`."""
        self.resolve(message.flow, "stepped", f"{message.module} {message.wave}", message)

    # held messages -------------------------------------------------------------------------------------------------

    def receiveMsg_ListHeld(self, message: api.ListHeld, sender: ActorAddress) -> None:
        """Of all paused modules."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is not None:
            self.touch(record)
            self.enqueue(
                record, lambda: self._listing(record), lambda held: self.reply(message, sender, held),
                self.refusing(message, sender),
            )  # fmt: skip

    def _listing(self, record: FlowRecord) -> Steps:
        modules = [module for module in record.modules if module in record.debug.paused_modules]
        for module in modules:
            self.send(record.modules[module], to_module.DescribeHeld())
        came = yield Expect(("waiting", module) for module in modules)
        held = [view for module in modules for view in came["waiting", module].held]
        for view in held:
            module = view["flowModuleId"].partition("/")[2]
            if view["atBreakpoint"] and module in record.debug.errors:
                view["error"] = record.debug.errors[module]
        return held

    def receiveMsg_EditHeld(self, message: api.EditHeld, sender: ActorAddress) -> None:
        """Another message in its place, with the same number and headers."""
        body = self.encode_message(message, sender, message.message)
        if body is not None:
            self._change(message, sender, body=body)

    def receiveMsg_DropHeld(self, message: api.DropHeld, sender: ActorAddress) -> None:
        """It counts as dropped."""
        self._change(message, sender)

    def receiveMsg_ReleaseHeld(self, message: api.ReleaseHeld, sender: ActorAddress) -> None:
        """Its module handles it, and stays paused; what it sends is held at the next one."""
        self._change(message, sender, release=True)

    def _change(self, request: Any, sender: ActorAddress, **what: Any) -> None:
        place, _, number = request.id.rpartition("#")
        flow_id, _, rest = place.partition("/")
        module, _, wire = rest.partition("/")
        if not wire or not number.isdigit():
            self.refuse(request, sender, f"{request.id!r} is no id of a held message; listHeld has them")
            return
        found = self.find_module(request, sender, f"{flow_id}/{module}")
        if found is None:
            return
        self.touch(found[0])
        change = to_module.ChangeHeld(
            request_id=request.request_id, client=sender, wire=wire, number=int(number), **what
        )  # fmt: skip
        refuse = self.refusing(request, sender)
        self.enqueue(
            found[0], lambda: self._changing(*found, change), lambda error: error and refuse(error), refuse
        )  # fmt: skip

    def _changing(self, record: FlowRecord, module: str, change: to_module.ChangeHeld) -> Steps:
        """The module answers, if there still is one."""
        if change.release and record.debug.paused_by is not None:
            yield from self._unfuse(record)
        if module not in record.modules:
            return f"{record.flow.id}/{module} has been removed"
        self.send(record.modules[module], change)
        return None

    def debug_view(self, record: FlowRecord) -> dict[str, Any]:
        """What flowState shows of it."""
        debug = record.debug
        breakpoints = {
            module: {**breakpoint.view(), **({"error": debug.errors[module]} if module in debug.errors else {})}
            for module, breakpoint in debug.breakpoints.items()
        }
        return {
            "pausedBy": debug.paused_by, "pausedModules": sorted(debug.paused_modules), "breakpoints": breakpoints,
            "resumedByItself": debug.resumed_by_itself,
        }  # fmt: skip
