"""The hot update of a flow: modules are replaced, mailboxes and contexts handed over. Mixed into the Runner actor.

The steps are those of docs/updates.md: plan, try, load, quiesce, switch, finish. Up to the switch nothing has happened
that could not be left as it is; from there on the way back is the same switch with the sides exchanged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest

from actors.bridge import BridgeActor
from actors.flow_life import FlowLife, errors_of
from actors.flow_prepare import HostCommand, release
from actors.flow_record import FlowRecord, Version, lay_out_record, tables
from actors.flows import graph
from actors.flows.hosting import HostPlan, Layout
from actors.flows.model import Flow
from actors.flows.plan import Cover, Difference, cover, difference
from actors.load import Context, load_body
from actors.messages import runner_to_bridge as to_bridge
from actors.messages import runner_to_module as to_module
from actors.messages import runner_to_trial as to_trial
from actors.messages.module_to_bridge import KillHost
from actors.messages.module_to_runner import FlowIdle, ModuleDescribed
from actors.module import ModuleActor
from actors.operation import Expect, Steps
from actors.trial import TrialActor

MAX_LIVE_LOAD_MS = 20.0
MAX_MIGRATIONS = 3
log = logging.getLogger("runner.update")


@dataclass(slots=True)
class Side:
    """One of the two versions: what the record holds of it, and the actors of the modules that the other replaces."""

    flow: Flow
    left_out: dict[str, str]
    modules: dict[str, ActorAddress] = field(default_factory=dict)  # all of them
    bridges: dict[str, ActorAddress] = field(default_factory=dict)
    plans: dict[str, HostPlan] = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    own: frozenset[str] = frozenset()  # modules with an actor that is not the other side's
    contexts: dict[str, Context] = field(default_factory=dict)  # that replace the handed over ones

    def own_slots(self) -> dict[str, frozenset[int]]:
        """Host key -> the slots of the modules that only this side has."""
        slots: dict[str, frozenset[int]] = {}
        for module in self.own:
            key, slot = self.places[module]
            slots[key] = slots.get(key, frozenset()) | {slot}
        return slots


@dataclass(slots=True)
class Update:
    """An update under way."""

    old: Side
    new: Side
    difference: Difference
    contexts: dict[str, Context]  # of a rollback: instead of the current ones
    carried: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()  # keys of hosts that stay
    cover: Cover = field(default_factory=lambda: Cover(modules=(), cyclic=frozenset()))
    at_once: frozenset[str] = frozenset()  # modules that are recalled, not drained
    mixed: frozenset[str] = frozenset()  # those of them that may handle messages of before with the new version
    trials: dict[str, ActorAddress] = field(default_factory=dict)
    commands: dict[str, HostCommand] = field(default_factory=dict)  # of the trials, and of the new hosts
    load_ms: dict[str, float] = field(default_factory=dict)
    migrating: dict[str, int] = field(default_factory=dict)  # module -> the version its context has
    migrated: dict[str, Context] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    late: frozenset[tuple[str, str]] = frozenset()  # hosts that were too busy to load the new versions before
    begun: float = 0.0
    pause_ms: float = 0.0


class FlowUpdate(FlowLife):
    """The part of the Runner actor that replaces what runs."""

    def enter_phase(self, record: FlowRecord, phase: str) -> None:
        """Note how far an update has come; tests hook in here."""
        record.phase = phase
        log.debug("%s: update: %s", record.flow.id, phase)

    def updating(
        self, record: FlowRecord, flow: Flow, left_out: dict[str, str], *,
        contexts: dict[str, Context] | None = None, plan_only: bool = False,
    ) -> Steps:  # fmt: skip
        """Update a flow. Returns (errors, receipt): with errors the version before goes on as if nothing had been."""
        fed = {feed.module for feed in record.feeds} - flow.modules.keys()
        if fed:
            return (f"{flow.id}: {', '.join(sorted(fed))} cannot be removed: it is fed from outside (-i)",), None
        update = self._planned(record, flow, left_out, contexts or {})
        if update.difference.nothing:
            receipt = self._receipt(record, update, 0.0)
            if not plan_only:
                record.flow, record.left_out, record.receipt = flow, left_out, receipt
            return (), receipt
        running = record.state == "running"
        errors = yield from self._trying(record, update, running)
        if errors or plan_only:
            cpu_ms = yield from self._end_trials(update)
            release(update.commands)
            return errors, self._receipt(record, update, cpu_ms)
        if running:
            errors = yield from self._replacing(record, update)
        else:
            errors = yield from self._redefining(record, update)
        cpu_ms = yield from self._end_trials(update)
        if running and not errors:  # each host's command is kept as long as the host
            new = {key: (record if key in update.kept else update).commands.pop(key) for key in record.plans}
            release(record.commands)
            record.commands = new
        release(update.commands)
        record.phase = ""
        if not errors:
            record.versions.append(Version(record.version, update.old.flow, update.old.left_out, update.old.contexts))
            record.version += 1
            record.receipt = self._receipt(record, update, cpu_ms)
            log.info("%s: version %d, paused for %.1f ms", flow.id, record.version, update.pause_ms)
        return errors, record.receipt

    # plan ----------------------------------------------------------------------------------------------------------

    def _planned(
        self, record: FlowRecord, flow: Flow, left_out: dict[str, str], contexts: dict[str, Context]
    ) -> Update:
        old = Side(record.flow, record.left_out, record.modules, record.bridges, record.plans, record.places)
        update = Update(old, Side(flow, left_out), difference(record.flow, flow), contexts)
        changed = update.difference
        update.contexts = {m: context for m, context in contexts.items() if m in changed.replaced}
        update.migrating = {
            module: record.flow.modules[module].state_version for module in changed.replaced - contexts.keys()
            if record.flow.modules[module].state_version != flow.modules[module].state_version
        }  # fmt: skip
        return update

    def _decide_hosts(self, record: FlowRecord, update: Update) -> None:
        """Which hosts stay: those that run already, with the same needs, and can load the new code quickly."""
        old, new, changed = update.old.flow, update.new.flow, update.difference
        old_groups, new_groups = graph.host_groups(old), graph.host_groups(new)
        update.kept = frozenset(
            key for key in old_groups.keys() & new_groups.keys()
            if graph.host_needs(old.modules[old_groups[key][0]]) == graph.host_needs(new.modules[new_groups[key][0]])
            and self._loads_live(new, new_groups[key], update)
        )  # fmt: skip
        stays = {module for key in update.kept for module in new_groups[key]}
        update.carried = frozenset(new.modules.keys() - stays - changed.replaced - changed.added)
        update.new.own = changed.replaced | changed.added | update.carried
        update.old.own = changed.replaced | changed.removed | update.carried
        update.cover = cover(old, update.old.own | changed.unsettled)
        at_once = {m for m in changed.removed if old.modules[m].on_queued == "dead_letter"}
        update.mixed = update.cover.cyclic if record.debug.paused_by is None else frozenset(update.cover.modules)
        update.at_once = update.mixed | at_once

    def _loads_live(self, flow: Flow, members: Iterable[str], update: Update) -> bool:
        fresh = [module for module in members if module in update.load_ms]
        hot = all(self.runtimes[flow.modules[module].runtime].hot_load for module in fresh)
        return hot and all(update.load_ms[module] <= MAX_LIVE_LOAD_MS for module in fresh)

    def _receipt(self, record: FlowRecord, update: Update, trial_cpu_ms: float) -> dict[str, Any]:
        old, new, quiet = update.old.flow.modules, update.new.flow.modules, set(update.cover.modules)
        modules = {}
        for module in (*new, *(old.keys() - new.keys())):
            did = update.difference.did(module, update.carried)
            modules[module] = {
                "did": did,
                "from": graph.module_version(old[module]) if module in old else None,
                "to": graph.module_version(new[module]) if module in new else None,
                "pauseMs": round(update.pause_ms, 3) if module in quiet else 0.0,
                "held": update.held.get(module, 0),
                "migrated": module in update.migrated,
                "mixed": module in update.mixed,
            }
        return {"version": record.version, "modules": modules, "trialCpuMs": round(trial_cpu_ms, 1)}

    # try: everything new is loaded in a host of its own, with nothing touched ----------------------------------------

    def _trying(self, record: FlowRecord, update: Update, running: bool) -> Steps:
        self.enter_phase(record, "trying")
        old, new = update.old.flow, update.new.flow
        fresh = update.difference.replaced | update.difference.added
        keys = {graph.host_key(new.modules[module]) for module in fresh}
        update.commands, errors = yield from self.preparing(new, keys)
        if errors:
            return errors
        contexts = yield from self._contexts(record, update.migrating)
        trials: dict[str, list[to_trial.TrialModule]] = {}
        for module in fresh:
            key = graph.host_key(new.modules[module])
            before = old.modules.get(module)
            same_host = before is not None and graph.host_key(before) == key
            unit = self.unit_id(new.modules[module])  # of a build, which does not have the running version
            migrate = (update.migrating[module], contexts[module]) if module in update.migrating else None
            trials.setdefault(key, []).append(
                to_trial.TrialModule(
                    module=module,
                    running=load_body(old.id, before, old.max_turn_bytes, {}, None)
                    if before and same_host and unit is None
                    else None,
                    new=load_body(new.id, new.modules[module], new.max_turn_bytes, {}, unit),
                    migrate=migrate,
                )
            )
        for key, modules in trials.items():
            trial = update.trials[key] = self.createActor(TrialActor)
            self.count_hosts += 1
            folder = self.run_folder / new.id / f"trial-{self.count_hosts}"
            command = update.commands[key]
            self.send(
                trial,
                to_trial.RunTrial(
                    flow=new.id,
                    key=key,
                    command=command.words,
                    folder=folder,
                    env=command.env,
                    limits=command.limits,
                    modules=tuple(modules),
                ),
            )
        came = yield Expect(("tried", key) for key in trials)
        for answer in came.values():
            update.load_ms |= answer.load_ms
        errors = tuple(error for answer in came.values() for error in answer.errors)
        if not errors and running:
            self._decide_hosts(record, update)
        return errors

    def _contexts(self, record: FlowRecord, modules: Collection[str]) -> Steps:
        """Their contexts as of now."""
        for module in modules:
            self.send(record.modules[module], to_module.DescribeContext())
        came = yield Expect(("context", module) for module in modules)
        return {key[1]: answer.context for key, answer in came.items()}

    def _migrate(self, update: Update, contexts: dict[str, Context]) -> Steps:
        """Migrate contexts in the trial hosts, all or none; returns errors."""
        wanted: dict[str, dict[str, tuple[int, Context]]] = {}
        for module, context in contexts.items():
            key = graph.host_key(update.new.flow.modules[module])
            wanted.setdefault(key, {})[module] = (update.migrating[module], context)
        for key, some in wanted.items():
            self.send(update.trials[key], to_trial.MigrateContexts(contexts=some))
        came = yield Expect(("migrated", key) for key in wanted)
        for answer in came.values():
            update.migrated |= answer.contexts
        return tuple(error for answer in came.values() for error in answer.errors)

    def _end_trials(self, update: Update) -> Steps:
        """Returns the processor time that they took, in ms."""
        for trial in update.trials.values():
            self.send(trial, to_trial.EndTrial())
        came = yield Expect(("closed", key) for key in update.trials)
        return sum(answer.cpu_ms for answer in came.values())

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
        errors = yield from self._loading(record, update)
        if not errors:
            errors = yield from self._quiescing(record, update)
            if not errors:
                errors = yield from self._switching(record, update)
            self._go_on(record, update)
        self.enter_phase(record, "finishing")
        yield from self._clear(record, update.old if not errors else update.new, update)
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
                self.start_host(record, new.flow, new.bridges[key], new.plans[key], new.modules, update.commands[key])
        came, late = yield from self._patiently(record, update, waiting)
        if late and update.new.flow.on_stuck != "kill":
            busy = sorted(module for module, (key, _) in update.old.places.items() if ("loaded", key) in late)
            return (yield from self._stuck(record, update, busy))
        update.late = late
        return errors_of(came.values())

    def _patiently(self, record: FlowRecord, update: Update, keys: Iterable[tuple[str, str]]) -> Steps:
        """Wait as long as anything is committed every `drain_timeout_s`; returns what came and what did not."""
        missing = set(keys)
        all_came: dict[Any, Any] = {}
        before: Any = None
        while missing:
            came = yield Expect(missing, timeout_s=update.old.flow.drain_timeout_s)
            all_came |= came
            missing -= came.keys()
            if missing:
                self.gather(record, False, lambda answers: self.resolve(record.flow.id, "figures", "", answers))
                came = yield Expect([("figures", "")], also=missing)
                figures = [
                    answer.figures for answer in came.pop(("figures", "")) if isinstance(answer, ModuleDescribed)
                ]
                all_came |= came
                missing -= came.keys()
                now = sum(figure["handled"] for figure in figures)
                if now == before:
                    break
                before = now
        return all_came, frozenset(missing)

    def _laid_out(self, record: FlowRecord, update: Update) -> Layout:
        return lay_out_record(record, update.new.flow, moved=update.old.own, kept=update.kept)

    # quiesce -------------------------------------------------------------------------------------------------------

    def _quiescing(self, record: FlowRecord, update: Update) -> Steps:
        """Until the cover is quiet; errors if a handler is stuck and the flow says abort."""
        self.enter_phase(record, "draining")
        for bridge in record.bridges.values():
            self.send(bridge, to_bridge.HoldFusing(on=True))
        yield Expect(("held", key) for key in record.bridges)
        record.gauge.sources += 1  # the flow is not over while a source is between two incarnations
        update.begun = time.monotonic()
        old, changed = update.old.flow, update.difference
        for module in update.cover.modules:
            if module in update.at_once:
                self.send(record.modules[module], to_module.StopModule(reason="update"))
            else:
                wires = None if module in changed.removed else update.cover.inside(old, module)
                if wires is not None:
                    wires -= self._dropped(update, module)
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

    def _dropped(self, update: Update, module: str) -> frozenset[str]:
        """Removed wires whose messages are not to be handled any more."""
        modules = update.new.flow.modules if module in update.new.flow.modules else update.old.flow.modules
        if modules[module].on_queued != "dead_letter":
            return frozenset()
        return frozenset(
            w.id for w in update.old.flow.wires if w.to_module == module and w.id in update.difference.gone
        )

    def _stuck(self, record: FlowRecord, update: Update, busy: list[str]) -> Steps:
        """`busy` modules do not end what they do."""
        if record.debug.hits:
            busy = []  # it does not run dry because messages are held at a breakpoint: as in a paused flow
        flow = update.old.flow
        names = ", ".join(f"{flow.id}/{module}" for module in busy)
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
        if record.gauge.idle:
            self.send(self.myAddress, FlowIdle(flow=record.flow.id))

    # switch --------------------------------------------------------------------------------------------------------

    def _switching(self, record: FlowRecord, update: Update) -> Steps:
        """Old `stop`, handover, new `start`; all the way back if anything of it fails."""
        old, new = update.old, update.new
        errors = yield from self._migrating(record, update)
        if errors:
            return errors
        self.enter_phase(record, "stopping")
        yield from self._retire(old)
        for attempt in range(MAX_MIGRATIONS + 1):
            yield from self._quiet()
            old.contexts = yield from self._contexts(record, record.modules)
            final = {module: old.contexts[module] for module in update.migrating}
            if attempt == MAX_MIGRATIONS or final == update.new.contexts:
                break
            update.new.contexts = final  # a `stop` hook has changed a context
            errors = yield from self._migrate(update, final)
            if errors:
                return errors + (yield from self._serve(old, old, patient=True))
        new.contexts = {**update.contexts, **update.migrated}
        self.enter_phase(record, "handing")
        layout = self._laid_out(record, update)  # the API may have added wires since they were loaded
        new.plans = layout.plans
        yield from self._hand_over(record, update, old, new)
        self.enter_phase(record, "starting")
        errors = yield from self._serve(old, new, patient=False)
        if errors:
            yield from self._retire(new)
            yield from self._quiet()
            yield from self._hand_over(record, update, new, old)
            errors += yield from self._serve(new, old, patient=True)
        return errors

    def _migrating(self, record: FlowRecord, update: Update) -> Steps:
        if not update.migrating:
            return ()
        self.enter_phase(record, "migrating")
        update.new.contexts = yield from self._contexts(record, update.migrating)
        return (yield from self._migrate(update, update.new.contexts))

    def _quiet(self) -> Steps:
        # Until this burst of messages has run, no descriptor is read: nobody sends to an actor that is replaced.
        self.system.ask_quiet_point(self.myAddress)
        yield Expect([("quiet", "")])

    def _retire(self, side: Side) -> Steps:
        slots = side.own_slots()
        for key, some in slots.items():
            self.send(side.bridges[key], to_bridge.RetireModules(slots=some))
        came = yield Expect(("retired", key) for key in slots)
        for answer in came.values():
            for error in answer.errors:
                log.error("%s", error)

    def _hand_over(self, record: FlowRecord, update: Update, giver: Side, taker: Side) -> Steps:
        """In one burst: every state changes hands, every neighbour gets its new tables. The record is the taker's."""
        moving = giver.own & taker.own
        for module in moving:
            self.send(giver.modules[module], to_module.HandOver())
        came = yield Expect(("handed", module) for module in moving)
        record.flow, record.left_out, record.modules = taker.flow, taker.left_out, taker.modules
        record.bridges, record.plans, record.places = taker.bridges, taker.plans, taker.places
        wires_in = lay_out_record(record, taker.flow, kept=taker.plans).wires_in
        before = tables(record, giver.flow, giver.modules)
        after = tables(record, taker.flow, taker.modules)
        for module in taker.flow.modules:
            rewire = to_module.Rewire(
                wires_in=wires_in[module], feeders=after.feeders[module], targets=after.targets[module],
                drop=self._dropped(update, module) if taker is update.new else frozenset(),
            )  # fmt: skip
            if ("handed", module) in came:
                handed = came["handed", module]
                update.held[module] = handed.state.queued
                orphans = self.orphan_inputs(record, module, handed.state, rewire.wires_in, giver.plans)
                rewire.wires_in.update(orphans)
                take_over = to_module.TakeOver(
                    state=handed.state, numbers=handed.numbers, context=taker.contexts.get(module), ends=rewire
                )
                self.send(taker.modules[module], take_over)
            elif module in taker.own or module in update.difference.rewired or before.of(module) != after.of(module):
                self.send(taker.modules[module], rewire)
        self.attach_again(record, moving)

    def _serve(self, before: Side, side: Side, *, patient: bool) -> Steps:
        """Let a side's modules work in all hosts that are not as they were; returns errors."""
        keys = [key for key in side.plans if key in side.own_slots() or before.plans.get(key) != side.plans[key]]
        for key in keys:
            self.send(side.bridges[key], to_bridge.ServeModules(plan=side.plans[key], patient=patient))
        came = yield Expect(("started", key) for key in keys)
        return errors_of(came.values())

    def _clear(self, record: FlowRecord, side: Side, update: Update) -> Steps:
        """Take away what only `side` had: slots, hosts, actors. What a removed module left becomes dead letters."""
        waiting = []
        for key, slots in side.own_slots().items():
            if key in update.kept:
                self.send(side.bridges[key], to_bridge.RemoveMembers(slots=slots))
                waiting.append(("removed", key))
        ending = [key for key in side.bridges if key not in update.kept]
        for key in ending:
            self.send(side.bridges[key], to_bridge.StopHost())
        yield Expect([*waiting, *(("ended", key) for key in ending)])
        gone = side.own - (update.new.own if side is update.old else update.old.own)
        yield from self._quiet()
        for module in gone:
            self.send(side.modules[module], to_module.HandOver())
        came = yield Expect(("handed", module) for module in gone)
        for key, handed in came.items():
            self.drop_queue(record, key[1], handed.state)
        for module in side.own:
            self.send(side.modules[module], ActorExitRequest())
        for key in ending:
            self.send(side.bridges[key], ActorExitRequest())
