"""The trials of an update: everything new is loaded in hosts of its own, with nothing touched."""

from __future__ import annotations

import logging
from functools import partial

from thespian.actors import ActorAddress, ActorExitRequest

from actors.definition import graph
from actors.definition.origin import placed
from actors.flow.command import HostCommand, release
from actors.flow.hosts import END_TIMEOUT_S
from actors.flow.update.means import Means
from actors.flow.update.plan import Account, Plan
from actors.host.load import Context, load_body
from actors.host.trial import TrialActor
from actors.messages import flow_to_trial as to_trial
from actors.messages.trial_to_flow import ContextsMigrated, TrialClosed, TrialEnded
from actors.pages.trial import PagesTrialActor
from actors.system.job import Expect, JobError, Steps

log = logging.getLogger("runner.update")


class Trials:
    """Of one update: a trial per host that new code is to be loaded in. They also migrate contexts."""

    def __init__(self, means: Means, plan: Plan, account: Account) -> None:
        self._means, self._plan, self._account = means, plan, account
        self._actors: dict[str, ActorAddress] = {}  # by host key
        self.commands: dict[str, HostCommand] = {}  # theirs, and those of the new hosts
        self.load_ms: dict[str, float] = {}  # module -> how long its load blocks a host

    def run(self) -> Steps:
        """Prepare and load what is new; returns errors."""
        plan, port = self._plan, self._means.port
        new = plan.new.share
        keys = {graph.host_key(new.modules[module]) for module in plan.fresh}
        self.commands, errors = yield from self._means.hosts.prepare(new, keys)
        if errors:
            return errors
        contexts = yield from self._means.life.contexts(plan.migrating)
        tried: dict[str, list[to_trial.TrialModule]] = {}
        for module in plan.fresh:
            tried.setdefault(graph.host_key(new.modules[module]), []).append(self._of_module(module, contexts))
        for key, modules in tried.items():
            self._actors[key] = port.createActor(PagesTrialActor if key == graph.PAGES else TrialActor)
            port.send(self._actors[key], self._trial(key, modules))
        came = yield Expect((TrialEnded, key) for key in tried)
        for answer in came.values():
            self.load_ms |= answer.load_ms
        return tuple(error for answer in came.values() for error in answer.errors)

    def _of_module(self, module: str, contexts: dict[str, Context]) -> to_trial.TrialModule:
        plan, old, new = self._plan, self._plan.old.flow, self._plan.new.flow
        before, after = plan.old.share.modules.get(module), plan.new.share.modules[module]
        unit = self._means.premises.unit_id(after)  # of a build, which does not have the running version
        key = graph.host_key(after)
        same_host = before is not None and graph.host_key(before) == key
        command = self._means.record.commands.get(key) if same_host else None
        return to_trial.TrialModule(
            module=module,
            running=load_body(old.id, before, old.max_turn_bytes, {}, None, command.secrets)
            if before is not None and command is not None and unit is None
            else None,
            new=load_body(new.id, after, new.max_turn_bytes, {}, unit, self.commands[key].secrets),
            timeout_s=after.timeout_s,
            migrate=(plan.migrating[module], contexts[module]) if module in plan.migrating else None,
        )

    def _trial(self, key: str, modules: list[to_trial.TrialModule]) -> to_trial.RunTrial:
        command, premises, flow = self.commands[key], self._means.premises, self._plan.new.flow
        return to_trial.RunTrial(
            flow=flow.id, key=key, command=command.words, folder=premises.host_folder(flow.id, "-trial"),
            sweeper=premises.sweeper, env=command.env, limits=command.limits, modules=tuple(modules),
            placed=partial(placed, flow), pages=self._means.record.bridges.get(graph.PAGES),
            windows=frozenset(name for name, module in flow.modules.items() if module.window),
        )  # fmt: skip

    def migrate(self, contexts: dict[str, Context]) -> Steps:
        """Migrate contexts in the trial hosts, all or none; returns errors."""
        wanted: dict[str, dict[str, tuple[int, Context]]] = {}
        for module, context in contexts.items():
            key = graph.host_key(self._plan.new.share.modules[module])
            wanted.setdefault(key, {})[module] = (self._plan.migrating[module], context)
        for key, some in wanted.items():
            self._means.port.send(self._actors[key], to_trial.MigrateContexts(contexts=some))
        came = yield Expect((ContextsMigrated, key) for key in wanted)
        for answer in came.values():
            self._account.migrated |= answer.contexts
        return tuple(error for answer in came.values() for error in answer.errors)

    def end(self) -> Steps:
        """They have done what they were for."""
        port = self._means.port
        trials, self._actors = self._actors, {}
        for trial in trials.values():
            port.send(trial, to_trial.EndTrial())
        try:
            came = yield Expect(((TrialClosed, key) for key in trials), END_TIMEOUT_S)
        except JobError as error:  # what they were for is over
            log.error("%s", error)
            came = {}
        for key, trial in trials.items():
            if (TrialClosed, key) not in came:
                port.send(trial, ActorExitRequest())
        self._account.trial_cpu_ms = sum(answer.cpu_ms for answer in came.values())

    def release(self) -> None:
        """Give free what the update has not handed on; after a job that has raised there are trials, too."""
        release(self.commands)
        for trial in self._actors.values():
            self._means.port.send(trial, to_trial.EndTrial())
