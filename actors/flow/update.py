"""The hot update of a flow: modules are replaced, mailboxes and contexts handed over. Mixed into the Runner actor.

The steps are those of docs/updates.md: plan, try, load, quiesce, switch, finish. Up to the switch nothing has happened
that could not be left as it is; from there on the way back is the same switch with the sides exchanged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from typing import Any

from thespian.actors import ActorExitRequest

from actors.definition.model import Flow
from actors.definition.places import listed
from actors.definition.plan import behind
from actors.flow.change import Update, planned, receipt
from actors.flow.life import errors_of
from actors.flow.prepare import release
from actors.flow.record import FlowRecord, Version
from actors.flow.switch import FlowSwitch
from actors.host.bridge import BridgeActor
from actors.host.load import Context
from actors.messages import runner_to_bridge as to_bridge
from actors.messages import runner_to_module as to_module
from actors.messages import runner_to_trial as to_trial
from actors.messages.module_to_bridge import KillHost
from actors.messages.module_to_runner import FlowIdle, ModuleDescribed
from actors.module.actor import ModuleActor
from actors.system.job import Expect, Steps

log = logging.getLogger("runner.update")


class FlowUpdate(FlowSwitch):
    """The part of the Runner actor that replaces what runs."""

    def updating(
        self, record: FlowRecord, flow: Flow, left_out: dict[str, str], *,
        contexts: dict[str, Context] | None = None, plan_only: bool = False,
    ) -> Steps:  # fmt: skip
        """Update a flow. Returns (errors, receipt): with errors the version before goes on as if nothing had been."""
        fed = {feed.module for feed in record.feeds} - flow.modules.keys()
        if fed:
            return (f"{flow.id}: {', '.join(sorted(fed))} cannot be removed: it is fed from outside (-i)",), None
        update = planned(record, flow, left_out, contexts or {})
        if update.difference.nothing:
            would = receipt(record, update, 0.0)
            if not plan_only:
                record.flow, record.left_out, record.receipt = flow, left_out, would
            return (), would
        try:
            return (yield from self._updating(record, update, plan_only))
        finally:
            release(update.commands)
            for trial in update.trials.values():  # of a job that has raised
                self.send(trial, to_trial.EndTrial())

    def _updating(self, record: FlowRecord, update: Update, plan_only: bool) -> Steps:
        running = record.state == "running"
        try:
            errors = yield from self._trying(record, update, running)
        except Exception as error:  # nothing has been touched yet
            errors = (self.mending.sentence(record, error),)
        if errors or plan_only:
            record.phase = ""
            cpu_ms = yield from self._end_trials(update)
            return errors, receipt(record, update, cpu_ms)
        if running:
            errors = yield from self._replacing(record, update)
        else:
            errors = yield from self._redefining(record, update)
        record.phase = ""
        cpu_ms = yield from self._end_trials(update)
        if running and not errors:  # each host's command is kept as long as the host
            new = {key: (record if key in update.kept else update).commands.pop(key) for key in record.plans}
            release(record.commands)
            record.commands = new
        if not errors:
            record.versions.append(Version(record.version, update.old.flow, update.old.left_out, update.old.contexts))
            record.version += 1
            record.receipt = receipt(record, update, cpu_ms)
            log.info("%s: version %d, paused for %.1f ms", record.flow.id, record.version, update.pause_ms)
        return errors, record.receipt

    # a flow that is not running ------------------------------------------------------------------------------------

    def _redefining(self, record: FlowRecord, update: Update) -> Steps:
        update.old.contexts = yield from self._contexts(record, record.modules)
        errors = yield from self._migrate(update, {m: update.old.contexts[m] for m in update.migrating})
        if not errors:
            yield from self.rebuild(
                record, update.new.flow, update.new.left_out, {**update.contexts, **update.migrated}
            )
        return errors

    # a flow that runs ----------------------------------------------------------------------------------------------

    def _replacing(self, record: FlowRecord, update: Update) -> Steps:
        try:
            errors = yield from self._loading(record, update)
            if not errors:
                errors = yield from self._quiescing(record, update)
        except Exception as error:  # nothing has been touched yet
            errors = (self.mending.sentence(record, error),)
        try:
            if not errors:
                errors = yield from self._switching(record, update)
            if errors:
                errors += tuple(f"stop of {module} failed, too: {text}" for module, text in update.stop_errors.items())
            if update.holding:
                self._go_on(record, update)
            self.enter_phase(record, "finishing")
            side = update.new if errors else update.old
            if side.places:  # else it has not come so far
                yield from self._clear(record, side, update)
        except Exception:  # the flow fails; whatever works for the other side of it must not be left behind
            works = list(record.bridges.values())
            for bridge in (*update.old.bridges.values(), *update.new.bridges.values()):
                if bridge not in works:
                    self.send(bridge, ActorExitRequest())
            record.gauge.sources -= update.holding
            raise
        return errors

    def _loading(self, record: FlowRecord, update: Update) -> Steps:
        """Load the new versions where they will work: into free slots of the hosts that stay, and into new hosts."""
        self.enter_phase(record, "loading")
        old, new = update.old, update.new
        layout = self._laid_out(record, update)
        new.plans, new.places = layout.plans, layout.places
        new.modules = {
            module: self.createActor(ModuleActor) if module in new.own else old.modules[module]
            for module in new.flow.modules
        }
        new.bridges = {
            key: old.bridges[key] if key in update.kept else self.createActor(BridgeActor) for key in new.plans
        }
        for module in new.own:
            key, slot = new.places[module]
            self.configure(record, module, new.modules[module], bridge=new.bridges[key], flow=new.flow, slot=slot)
            if module not in old.modules and record.debug.paused_modules >= old.modules.keys():
                record.debug.paused_modules |= {module}
                self.send(new.modules[module], to_module.StopModule(reason="debug"))
        waiting = []
        for key, slots in new.own_slots().items():
            waiting.append(("loaded", key))
            if key in update.kept:
                names = {slot: new.plans[key].modules[slot] for slot in slots}
                members = {slot: new.modules[module] for slot, module in names.items()}
                self.send(new.bridges[key], to_bridge.AddMembers(names=names, members=members))
            else:
                self.start_host(
                    record, new.flow, new.bridges[key], new.plans[key], new.modules, update.commands[key],
                    hold_fusing=True,
                )  # fmt: skip
        came, late = yield from self._patiently(record, update, waiting)
        if late and update.new.flow.on_stuck != "kill":
            busy = sorted(module for module, (key, _) in update.old.places.items() if ("loaded", key) in late)
            return (yield from self._stuck(record, update, busy))
        update.late = late
        return errors_of(came.values())

    def _patiently(self, record: FlowRecord, update: Update, keys: Iterable[tuple[str, str]]) -> Steps:
        """Wait as long as what is waited for gets on, every `drain_timeout_s`; returns what came and what did not."""
        missing = set(keys)
        all_came: dict[Any, Any] = {}
        before: Any = None
        while missing:
            self.gather(record, False, lambda answers: self.resolve(record.flow.id, "figures", "", answers))
            came = yield Expect([("figures", "")], also=missing)
            figures = {a.module: a.figures for a in came.pop(("figures", "")) if isinstance(a, ModuleDescribed)}
            all_came |= came
            missing -= came.keys()
            now = _progress(update, missing, figures)
            if missing and now == before:
                break
            before = now
            came = yield Expect(missing, timeout_s=update.old.flow.drain_timeout_s)
            all_came |= came
            missing -= came.keys()
        return all_came, frozenset(missing)

    # quiesce -------------------------------------------------------------------------------------------------------

    def _quiescing(self, record: FlowRecord, update: Update) -> Steps:
        """Until the cover is quiet; errors if a handler is stuck and the flow says abort."""
        self.enter_phase(record, "draining")
        for bridge in record.bridges.values():
            self.send(bridge, to_bridge.HoldFusing(on=True))
        yield Expect(("held", key) for key in record.bridges)
        record.gauge.sources += 1  # the flow is not over while a source is between two incarnations
        update.holding = True
        update.begun = time.monotonic()
        inside, changed = update.cover.inside(update.old.flow), update.difference
        for module in update.cover.modules:
            if module in update.at_once:
                self.send(record.modules[module], to_module.StopModule(reason="update"))
            else:
                wires = None if module in changed.removed else inside[module]
                if wires is not None:
                    wires -= update.dropped(module)
                self.send(record.modules[module], to_module.Quiesce(wires=wires))
        _, late = yield from self._patiently(record, update, [("stopped", module) for module in update.at_once])
        if late:
            return (yield from self._stuck(record, update, [module for _, module in late]))
        for module in update.cover.modules:  # feeders come first, so a module that is dry stays dry
            if module not in update.at_once:
                self.send(record.modules[module], to_module.AskDry())
                _, late = yield from self._patiently(record, update, [("dry", module)])
                if late:
                    return (yield from self._stuck(record, update, [module]))
        came, _ = yield from self._patiently(record, update, update.late)
        return errors_of(came.values())

    def _stuck(self, record: FlowRecord, update: Update, busy: list[str]) -> Steps:
        """`busy` modules do not end what they do."""
        if record.debug.hits:
            busy = []  # it does not run dry because messages are held at a breakpoint: as in a paused flow
        flow = update.old.flow
        names = listed(f"{flow.id}/{module}" for module in busy)
        problem = f"nothing was committed for drain_timeout_s {flow.drain_timeout_s:g}: {names} does not come to an end"
        if busy and update.new.flow.on_stuck != "kill":
            return (f"{problem}; the version before goes on (on_stuck: kill would end its host)",)
        if busy:
            log.warning("%s: %s; its host is killed", flow.id, problem)
        rest = {module for module in update.cover.modules if module not in update.at_once}
        update.at_once |= rest
        update.mixed |= rest
        for module in rest:
            self.send(record.modules[module], to_module.StopModule(reason="update"))
        for key in {update.old.places[module][0] for module in busy}:
            self.send(record.bridges[key], KillHost(reason=f"an update could not wait: {problem}"))
        came = yield Expect([("stopped", module) for module in rest | set(busy)] + list(update.late))
        return errors_of(came.values())

    def _go_on(self, record: FlowRecord, update: Update) -> None:
        """Everything works again; `record` says what."""
        actors = [record.modules[module] for module in update.cover.modules if module in record.modules]
        own = [record.modules[module] for module in update.new.own if module in record.modules]
        for actor in (*actors, *own):
            self.send(actor, to_module.GoOn(reason="update"))
            self.send(actor, to_module.GoOn(reason="flow"))
        for bridge in record.bridges.values():
            self.send(bridge, to_bridge.HoldFusing(on=False))
        update.pause_ms = (time.monotonic() - update.begun) * 1000
        record.gauge.sources -= 1
        update.holding = False
        if record.gauge.idle:
            self.send(self.myAddress, FlowIdle(flow=record.flow.id))


def _progress(update: Update, missing: Collection[tuple[str, str]], figures: dict[str, dict[str, Any]]) -> float:
    """Another number than before if those that are waited for have done anything: modules that are to run dry (if a
    full mailbox holds one, what comes behind it), and hosts that are to load. A new host has limits of its own.
    """
    old = update.old
    hosts = {name for kind, name in missing if kind == "loaded"}
    if hosts - update.kept:
        return time.monotonic()
    modules = {name for kind, name in missing if kind != "loaded"}
    modules |= {module for module, (key, _) in old.places.items() if key in hosts}
    held = {module for module in modules & figures.keys() if "target" in figures[module]["stops"]}
    modules |= behind(old.flow, held)
    return float(sum(figures[module]["handled"] for module in modules & figures.keys()))
