"""The trial of an update: everything new is loaded in a host of its own, with nothing touched.

Mixed into the Runner actor.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from functools import partial

from thespian.actors import ActorExitRequest

from actors.definition import graph
from actors.definition.model import Flow
from actors.definition.origin import placed
from actors.definition.plan import cover
from actors.flow.change import Update
from actors.flow.life import END_TIMEOUT_S, FlowLife
from actors.flow.record import FlowRecord
from actors.host.load import Context, load_body
from actors.host.trial import TrialActor
from actors.messages import runner_to_module as to_module
from actors.messages import runner_to_trial as to_trial
from actors.system.job import Expect, JobError, Steps

MAX_LIVE_LOAD_MS = 20.0
log = logging.getLogger("runner.update")


class FlowTrial(FlowLife):
    """The part of the Runner actor that tries new versions, and migrates contexts there."""

    def enter_phase(self, record: FlowRecord, phase: str) -> None:
        """Note how far an update has come; tests hook in here."""
        record.phase = phase
        log.debug("%s: update: %s", record.flow.id, phase)

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
                    timeout_s=new.modules[module].timeout_s,
                    migrate=migrate,
                )
            )
        for key, modules in trials.items():
            trial = update.trials[key] = self.createActor(TrialActor)
            self.count_hosts += 1
            folder = self.run_folder / f"{new.id}-{self.count_hosts}-trial"
            command = update.commands[key]
            self.send(
                trial,
                to_trial.RunTrial(
                    flow=new.id,
                    key=key,
                    command=command.words,
                    folder=folder,
                    sweeper=self.sweeper,
                    env=command.env,
                    limits=command.limits,
                    modules=tuple(modules),
                    placed=partial(placed, new),
                ),
            )
        came = yield Expect(("tried", key) for key in trials)
        for answer in came.values():
            update.load_ms |= answer.load_ms
        errors = tuple(error for answer in came.values() for error in answer.errors)
        if not errors and running:
            self._decide_hosts(record, update)
        return errors

    def _decide_hosts(self, record: FlowRecord, update: Update) -> None:
        """Which hosts stay: those that run already, with the same needs, and can load the new code quickly."""
        old, new, changed = update.old.flow, update.new.flow, update.difference
        fresh = changed.replaced | changed.added
        old_groups, new_groups = graph.host_groups(old), graph.host_groups(new)
        update.kept = frozenset(
            key for key in old_groups.keys() & new_groups.keys()
            if graph.host_needs(old.modules[old_groups[key][0]]) == graph.host_needs(new.modules[new_groups[key][0]])
            and self._loads_live(new, new_groups[key], update)
            and update.old.plans[key].has_room(new, fresh)
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

    def _end_trials(self, update: Update) -> Steps:
        """Returns the processor time that they took, in ms."""
        trials, update.trials = update.trials, {}
        for trial in trials.values():
            self.send(trial, to_trial.EndTrial())
        try:
            came = yield Expect((("closed", key) for key in trials), END_TIMEOUT_S)
        except JobError as error:  # what they were for is over
            log.error("%s", error)
            came = {}
        for key, trial in trials.items():
            if ("closed", key) not in came:
                self.send(trial, ActorExitRequest())
        return sum(answer.cpu_ms for answer in came.values())

    # contexts ------------------------------------------------------------------------------------------------------

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
