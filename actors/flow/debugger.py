"""Breakpoints, pause, single step and held messages.

Whatever stops or moves messages is a job of the flow, so that it never meets an update half-way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.places import listed
from actors.definition.ports import out_ports
from actors.flow.answers import FlowAnswers
from actors.flow.jobs import FlowJobs
from actors.flow.journal import FlowJournal
from actors.flow.letters import encode_message
from actors.flow.record import FlowRecord
from actors.messages import client_to_runner as api
from actors.messages import flow_to_bridge as to_bridge
from actors.messages import flow_to_module as to_module
from actors.messages import module_to_flow as from_module
from actors.messages.bridge_to_flow import FusingBarred
from actors.messages.front_to_flow import JoinPause
from actors.messages.naming import held_place
from actors.state.condition import Breakpoint, ConditionError
from actors.system.job import Expect, Steps
from actors.system.port import Port

FALLBACK_TIMEOUT_S = 600.0
log = logging.getLogger("runner.debug")


class Debugger:
    """Of one flow. `runner`: the name of the runner, for what a step shows."""

    def __init__(
        self, record: FlowRecord, port: Port, answers: FlowAnswers, jobs: FlowJobs, journal: FlowJournal, runner: str
    ) -> None:
        self._record, self._port, self._answers, self._jobs, self._runner = record, port, answers, jobs, runner
        self._journal = journal

    # pause and resume ----------------------------------------------------------------------------------------------

    def receiveMsg_PauseFlow(self, message: api.PauseFlow, sender: ActorAddress) -> None:
        """Answered when every module is paused."""
        timeout_s = FALLBACK_TIMEOUT_S if message.timeout_s is None else message.timeout_s
        self._add(lambda: self._pausing(self._record.modules, "pauseFlow", timeout_s, whole=True), message, sender)

    def receiveMsg_JoinPause(self, message: JoinPause, sender: ActorAddress) -> None:
        """As another runner has it, which sees to its end."""
        self._add(lambda: self._pausing(self._record.modules, message.by, 0.0, whole=True), message, sender)

    def receiveMsg_ResumeFlow(self, message: api.ResumeFlow, sender: ActorAddress) -> None:
        """What is held goes on."""
        self._add(self._resuming, message, sender)

    def _add(self, steps: Callable[[], Steps], request: Any = None, sender: Any = None) -> None:
        """A job whose result is None, or why it was refused."""

        def done(error: str | None) -> None:
            if request is None:
                return
            if error is None:
                self._answers.reply(request, sender)
            else:
                self._answers.refuse(request, sender, error)

        self._touch()
        self._jobs.add(steps, done, done)

    def _touch(self) -> None:
        """Somebody debugs: the fallback timeout begins anew."""
        debug = self._record.debug
        debug.calls += 1
        if debug.paused_by is not None and debug.timeout_s:
            self._port.wakeupAfter(debug.timeout_s, (self._fall_back, debug.calls))

    def _fall_back(self, calls: int) -> None:
        """Nobody has debugged for so long: the flow goes on."""
        debug = self._record.debug
        if debug.calls == calls and debug.paused_by is not None:
            said = f"paused by {debug.paused_by} for {debug.timeout_s:g} s without a call: it goes on"
            log.warning("%s: %s", self._record.flow.id, said)
            debug.resumed_by_itself = said
            self._add(self._resuming)

    def _pausing(self, modules: Iterable[str], by: str, timeout_s: float, *, whole: bool = False) -> Steps:
        debug = self._record.debug
        if whole:
            debug.whole = debug.whole or by
        names = frozenset(modules) & self._record.modules.keys()
        if debug.paused_by is None:
            debug.paused_by, debug.timeout_s, debug.resumed_by_itself = by, timeout_s, None
        debug.paused_modules |= names
        yield from self._stop(names, "debug")
        self._touch()
        return None

    def _stop(self, modules: Iterable[str], reason: str) -> Steps:
        """Recall modules. A turn that does not end within drain_timeout_s is not waited for any longer."""
        keys = [(from_module.ModuleStopped, module) for module in modules]
        for _, module in keys:
            self._port.send(self._record.modules[module], to_module.StopModule(reason=reason))
        if self._record.state == "running":
            yield Expect(keys, timeout_s=self._record.flow.drain_timeout_s)

    def _resuming(self) -> Steps:
        debug = self._record.debug
        modules, debug.paused_modules, debug.paused_by = debug.paused_modules, frozenset(), None
        debug.whole = None
        debug.errors.clear()
        debug.hits.clear()
        if debug.stepping:
            debug.stepping = False
            yield from self._bar()
        for module in modules & self._record.modules.keys():
            self._port.send(self._record.modules[module], to_module.GoOn(reason="debug"))
        return None

    def _unfuse(self) -> Steps:
        """Until the flow goes on, a turn ends at its module."""
        if not self._record.debug.stepping:
            self._record.debug.stepping = True
            yield from self._bar()

    def _show_ports(self) -> None:
        """While a flow is stepped its hosts write what is sent to ports without a wire, too. No turn is under way."""
        debug = self._record.debug
        if not debug.stepping and not debug.shown:
            return
        wired = {(wire.from_module, wire.from_port) for wire in self._record.share.wires}
        wired |= {(sink.module, sink.port) for sink in self._record.ends("out")}
        before, debug.shown = debug.shown, set()
        if debug.stepping:
            debug.shown = {
                (name, port) for name, m in self._record.share.modules.items() for port in out_ports(m)
            } - wired
        hidden, shown = self._by_host(before - wired - debug.shown), self._by_host(debug.shown)
        for key, plan in self._record.plans.items():
            if not debug.stepping or plan is not debug.plans.get(key):
                self._record.plans[key] = plan.showing(hidden[key], on=False).showing(shown[key], on=True)
                self._port.send(self._record.bridges[key], to_bridge.ChangePlan(plan=self._record.plans[key]))
        debug.plans = dict(self._record.plans) if debug.stepping else {}

    def _by_host(self, places: set[tuple[str, str]]) -> dict[str, list[tuple[int, str]]]:
        found: dict[str, list[tuple[int, str]]] = {key: [] for key in self._record.plans}
        for module, port in sorted(places):
            if module in self._record.places:
                key, slot = self._record.places[module]
                found[key].append((slot, port))
        return found

    def _bar(self) -> Steps:
        """Tell the hosts which wires may be fused now; for a moment no module works."""
        if self._record.state != "running":
            self._show_ports()
            return
        yield from self._stop(self._record.modules, "fusing")
        self._show_ports()
        for bridge in self._record.bridges.values():
            self._port.send(bridge, to_bridge.BarFusing(modules=self._record.debug.barred))
        yield Expect((FusingBarred, key) for key in self._record.bridges)
        for module in self._record.modules.values():
            self._port.send(module, to_module.GoOn(reason="fusing"))

    def watch(self, module: str, *, on: bool) -> Steps:
        """Let every message for a module come by the runner; or not any more."""
        record = self._record
        (record.debug.watched.add if on else record.debug.watched.discard)(module)
        key, slot = record.places.get(module, ("", 0))
        if key in record.plans and any(wire[2] == slot for wire in record.plans[key].fusable):
            yield from self._bar()

    # breakpoints ---------------------------------------------------------------------------------------------------

    def receiveMsg_SetBreakPointAtModule(self, message: api.SetBreakPointAtModule, sender: ActorAddress) -> None:
        """Answered when no message can get past it."""
        module = self._answers.find_module(message, sender)
        if module is None:
            return
        if self._record.feeds_itself(module):
            said = f"{message.flow_module_id} is a source: it gets no message that a breakpoint could hold"
            self._answers.refuse(message, sender, f"{said}; set it where its messages go, or pause the flow")
            return
        timeout_s = FALLBACK_TIMEOUT_S if message.timeout_s is None else message.timeout_s
        try:
            breakpoint = Breakpoint(message.when, message.scope, message.log, timeout_s)
        except ConditionError as error:
            self._answers.refuse(message, sender, str(error))
            return
        self._add(lambda: self._setting(module, breakpoint), message, sender)

    def receiveMsg_RemoveBreakPointAtModule(self, message: api.RemoveBreakPointAtModule, sender: ActorAddress) -> None:
        """A flow that is paused stays paused."""
        module = self._answers.find_module(message, sender)
        if module is not None:
            self._add(lambda: self._removing(module), message, sender)

    def _removing(self, module: str) -> Steps:
        breakpoints = self._record.debug.breakpoints
        if module not in breakpoints:
            there = f"; there is one at {listed(breakpoints)}" if breakpoints else ""
            return f"{self._record.flow.id}/{module} has no breakpoint{there}"
        return (yield from self._setting(module, None))

    def _setting(self, module: str, breakpoint: Breakpoint | None) -> Steps:
        if module not in self._record.modules:
            return f"{self._record.flow.id}/{module} has been removed"
        self._record.debug.breakpoints.pop(module, None)
        if breakpoint is not None:
            self._record.debug.breakpoints[module] = breakpoint
        self._journal.note_breakpoints()
        self._port.send(self._record.modules[module], to_module.SetBreakpoint(breakpoint=breakpoint))
        yield from self._bar()
        return None

    def receiveMsg_BreakpointReached(self, message: from_module.BreakpointReached, _sender: ActorAddress) -> None:
        """Pause what the breakpoint says."""
        record, debug = self._record, self._record.debug
        breakpoint = debug.breakpoints.get(message.module)
        if breakpoint is None:  # removed while the message was held
            self._port.send(record.modules[message.module], to_module.GoOn(reason="debug"))
            return
        debug.hits.add(message.module)
        if message.error is not None:
            debug.errors[message.module] = message.error
        modules = record.modules if breakpoint.scope == "flow" else [message.module]
        by = f"the breakpoint at {message.module}"
        self._add(lambda: self._pausing(modules, by, breakpoint.timeout_s, whole=breakpoint.scope == "flow"))

    def after_update(self) -> None:
        """Breakpoints of removed modules go."""
        debug = self._record.debug
        for module in debug.breakpoints.keys() - self._record.modules.keys():
            log.warning("%s: the breakpoint at %s went with its module", self._record.flow.id, module)
            del debug.breakpoints[module]
            self._journal.note_breakpoints()
        debug.paused_modules &= self._record.modules.keys()

    # single step ---------------------------------------------------------------------------------------------------

    def receiveMsg_SingleStepFlow(self, message: api.SingleStepFlow, sender: ActorAddress) -> None:
        """One wave; answered when each module has taken its message, or `step_timeout_s` is over."""

        def done(result: dict[str, Any] | str) -> None:
            if isinstance(result, str):
                self._answers.refuse(message, sender, result)
            else:
                self._answers.reply(message, sender, result)

        self._touch()
        self._jobs.add(self._stepping, done, done)

    def _stepping(self) -> Steps:
        record, debug = self._record, self._record.debug
        if record.state != "running":
            return f"{record.flow.id} is {record.state}: startFlow comes first"
        if debug.paused_by is None:
            return f"{record.flow.id} is not paused: pauseFlow or a breakpoint comes first"
        if debug.paused_modules != record.modules.keys():
            yield from self._pausing(record.modules, debug.paused_by, debug.timeout_s, whole=True)
        yield from self._unfuse()
        self._show_ports()  # of modules that an update has brought meanwhile
        record.waves += 1
        parts = {name: (from_module.StepTaken, (name, record.waves)) for name in record.modules}
        for module in record.modules.values():
            self._port.send(module, to_module.TakeStep(wave=record.waves))
        came = yield Expect(parts.values(), timeout_s=record.flow.step_timeout_s)
        result: dict[str, Any] = {}
        for name, part in parts.items():  # one that comes too late has been answered with `running`
            if part not in came:
                running = {"inputStates": [], "outputStates": [], "errors": [], "running": True}
                result[f"{record.flow.id}/{name}"] = {**running, "runner": self._runner}
            elif came[part].result is not None:
                result[f"{record.flow.id}/{name}"] = {**came[part].result, "runner": self._runner}
        return result

    # held messages -------------------------------------------------------------------------------------------------

    def receiveMsg_ListHeld(self, message: api.ListHeld, sender: ActorAddress) -> None:
        """Of all paused modules."""
        self._touch()
        done = lambda held: self._answers.reply(message, sender, held)  # noqa: E731
        self._jobs.add(self._listing, done, self._answers.refusing(message, sender))

    def _listing(self) -> Steps:
        modules = [module for module in self._record.modules if module in self._record.debug.paused_modules]
        for module in modules:
            self._port.send(self._record.modules[module], to_module.DescribeHeld())
        came = yield Expect((from_module.HeldDescribed, module) for module in modules)
        held = [view for module in modules for view in came[from_module.HeldDescribed, module].held]
        for view in held:
            module = view["flowModuleId"].partition("/")[2]
            if view["atBreakpoint"] and module in self._record.debug.errors:
                view["error"] = self._record.debug.errors[module]
        return held

    def receiveMsg_EditHeld(self, message: api.EditHeld, sender: ActorAddress) -> None:
        """Another message in its place, with the same number and headers."""
        try:
            body = encode_message(message.message)
        except ValueError as error:
            self._answers.refuse(message, sender, str(error))
        else:
            self._change(message, sender, body=body)

    def receiveMsg_DropHeld(self, message: api.DropHeld, sender: ActorAddress) -> None:
        """It counts as dropped."""
        self._change(message, sender)

    def receiveMsg_ReleaseHeld(self, message: api.ReleaseHeld, sender: ActorAddress) -> None:
        """Its module handles it, and stays paused; what it sends is held at the next one."""
        self._change(message, sender, release=True)

    def _change(self, request: Any, sender: ActorAddress, **what: Any) -> None:
        place = held_place(request.id)
        assert place is not None, "or the runner had not known whose it is"
        module = self._answers.known_module(request, sender, place.module)
        if module is None:
            return
        self._touch()
        change = to_module.ChangeHeld(
            request_id=request.request_id, client=sender, wire=place.wire, number=place.number, **what
        )
        refuse = self._answers.refusing(request, sender)
        self._jobs.add(lambda: self._changing(module, change), lambda error: error and refuse(error), refuse)

    def _changing(self, module: str, change: to_module.ChangeHeld) -> Steps:
        """The module answers, if there still is one."""
        if change.release and self._record.debug.paused_by is not None:
            yield from self._unfuse()
        if module not in self._record.modules:
            return f"{self._record.flow.id}/{module} has been removed"
        self._port.send(self._record.modules[module], change)
        return None

    def view(self) -> dict[str, Any]:
        """What flowState shows of it."""
        debug = self._record.debug
        breakpoints = {
            module: {**breakpoint.view(), **({"error": debug.errors[module]} if module in debug.errors else {})}
            for module, breakpoint in debug.breakpoints.items()
        }
        return {
            "pausedBy": debug.paused_by, "pausedModules": sorted(debug.paused_modules), "breakpoints": breakpoints,
            "resumedByItself": debug.resumed_by_itself, "hits": sorted(debug.hits),
        }  # fmt: skip
