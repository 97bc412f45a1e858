"""The switch of an update: old `stop`, handover, new `start`, and the way back.

It happens at a quiet point; before it nothing has happened that could not be left as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from thespian.actors import ActorExitRequest

from actors.definition.graph import PAGES
from actors.flow.life import errors_of
from actors.flow.record import lay_out_record, tables
from actors.flow.update.means import Means
from actors.flow.update.moves import Moves
from actors.flow.update.plan import Account, Plan, Side
from actors.flow.update.trials import Trials
from actors.messages import flow_to_bridge as to_bridge
from actors.messages import flow_to_module as to_module
from actors.messages.bridge_to_flow import HostStopped, MembersRemoved, ModulesRetired, ModulesStarted
from actors.messages.module_to_flow import ModuleHandedOver
from actors.state.module import ModuleState
from actors.system.job import Expect, Steps

MAX_MIGRATIONS = 3
log = logging.getLogger("runner.update")


class Switch:
    """Exchanges the two sides of an update. `enter`: notes how far it has come."""

    def __init__(
        self, means: Means, plan: Plan, account: Account, trials: Trials, moves: Moves | None,
        enter: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._means, self._plan, self._account, self._trials, self._enter = means, plan, account, trials, enter
        self._moves = moves

    def run(self) -> Steps:
        """Old `stop`, handover, new `start`; all the way back if anything of it fails. Returns errors."""
        record, plan, quiet, wiring = self._means.record, self._plan, self._means.jobs.quiet, self._means.wiring
        old, new = plan.old, plan.new
        errors = yield from self._migrating()
        if errors:
            return errors
        self._enter("stopping")
        self._account.stop_errors = yield from self._retire(old)
        for attempt in range(MAX_MIGRATIONS + 1):
            yield from quiet()
            old.contexts = yield from self._means.life.contexts(record.modules)
            final = {module: old.contexts[module] for module in plan.migrating}
            if attempt == MAX_MIGRATIONS or final == new.contexts:
                break
            new.contexts = final  # a `stop` hook has changed a context
            errors = yield from self._trials.migrate(final)
            if errors:
                return errors + (yield from self._serve_again(old))
        new.contexts = {**plan.contexts, **self._account.migrated}
        if self._moves is not None:
            self._enter("giving")
            errors = yield from self._means.jobs.attempt(self._moves.exchanging())
            if errors:
                self._enter("returning")
                return errors + (yield from self._serve_again(old))
            yield from quiet()  # other runners have been waited for
        self._enter("handing")
        wiring.crossings.prepare(new.share)
        # the API may have added wires since they were loaded
        new.plans = lay_out_record(record, new.share, moved=old.own, kept=plan.kept).plans
        yield from self._hand_over(old, new)
        self._enter("starting")
        errors = yield from self._serve(old, new, patient=False)
        if errors:
            errors += yield from self.back()
        return errors

    def back(self) -> Steps:
        """From the new side to the old one, as long as the new one does not stand. Returns errors."""
        old, new = self._plan.old, self._plan.new
        self._account.stop_errors |= yield from self._retire(new)
        yield from self._means.jobs.quiet()
        yield from self._hand_over(new, old)
        return (yield from self._serve_again(new))

    def _migrating(self) -> Steps:
        if not self._plan.migrating:
            return ()
        self._enter("migrating")
        self._plan.new.contexts = yield from self._means.life.contexts(self._plan.migrating)
        return (yield from self._trials.migrate(self._plan.new.contexts))

    def _retire(self, side: Side) -> Steps:
        """A side's modules work no more. Returns module -> what its `stop` has raised."""
        slots = side.own_slots()
        for key, some in slots.items():
            self._means.port.send(side.bridges[key], to_bridge.RetireModules(slots=some))
        came = yield Expect((ModulesRetired, key) for key in slots)
        failed = {module: text for answer in came.values() for module, text in answer.errors.items()}
        for module, text in failed.items():
            log.error("%s/%s: stop failed: %s", self._means.record.flow.id, module, text)
        return failed

    def _hand_over(self, giver: Side, taker: Side) -> Steps:
        """In one burst: every state changes hands, every neighbour gets its new tables. The record is the taker's."""
        record, plan, port, wiring = self._means.record, self._plan, self._means.port, self._means.wiring
        moving = giver.own & taker.own
        for module in moving:
            port.send(giver.modules[module], to_module.HandOver())
        came = yield Expect((ModuleHandedOver, module) for module in moving)
        if self._moves is not None and taker is plan.new:
            came |= self._moves.handed()
            record.activity.pending += self._moves.waiting
        record.share, record.left_out, record.modules = taker.share, taker.left_out, taker.modules
        for module in giver.own | taker.own:
            record.forget_source(module)
        record.bridges, record.plans, record.places = taker.bridges, taker.plans, taker.places
        self._means.life.adopt_sessions()
        kept_before = self._means.journal.change_wires(taker.share.flow)
        wires_in = lay_out_record(record, taker.share, kept=taker.plans).wires_in
        before = tables(record, giver.share, giver.modules)
        after = tables(record, taker.share, taker.modules)
        for module in taker.share.modules:
            rewire = to_module.Rewire(
                wires_in=wires_in[module], feeders=after.feeders[module], targets=after.targets[module],
                drop=plan.dropped(module) if taker is plan.new else frozenset(),
                provisional=taker is plan.new and module in taker.own, kept_before=kept_before,
            )  # fmt: skip
            if self._moves is not None and taker is plan.new:
                rewire.least.update(self._moves.least(module))
            if (ModuleHandedOver, module) in came:
                handed = came[ModuleHandedOver, module]
                self._account.held[module] = handed.state.mailbox.queued
                orphans = wiring.orphan_inputs(module, handed.state, rewire.wires_in, giver.plans)
                rewire.wires_in.update(orphans)
                take_over = to_module.TakeOver(
                    state=handed.state, numbers=handed.numbers, context=taker.contexts.get(module), ends=rewire
                )
                port.send(taker.modules[module], take_over)
            elif (
                kept_before is not None
                or module in taker.own
                or module in plan.difference.rewired
                or before.ends_of(module) != after.ends_of(module)
                or rewire.least
            ):
                port.send(taker.modules[module], rewire)
        wiring.attach_again(taker.own, but=wiring.crossings.incoming)

    def _serve(self, before: Side, side: Side, *, patient: bool) -> Steps:
        """Let a side's modules work in all hosts that are not as they were; returns errors."""
        keys = [
            key for key, plan in side.plans.items()
            if key in side.own_slots() or before.plans.get(key) != plan or plan.runtime == PAGES
        ]  # fmt: skip
        for key in keys:
            units = self._means.hosts.units_of_pages(side.share)
            serve = to_bridge.ServeModules(plan=side.plans[key], patient=patient, share=side.share, units=units)
            self._means.port.send(side.bridges[key], serve)
        came = yield Expect((ModulesStarted, key) for key in keys)
        return errors_of(came.values())

    def _serve_again(self, before: Side) -> Steps:
        """The way back: the version of before is started again. A flow of which that fails has failed."""
        errors = yield from self._serve(before, self._plan.old, patient=True)
        if errors:
            said = f"{self._means.record.flow.id}: the version of before could not be started again"
            self._means.fail(said, *errors)
        return errors

    def clear(self, side: Side) -> Steps:
        """Take away what only `side` had: slots, hosts, actors. What a removed module left becomes dead letters."""
        plan, port = self._plan, self._means.port
        waiting: list[tuple[type, str]] = []
        for key, slots in side.own_slots().items():
            if key in plan.kept:
                port.send(side.bridges[key], to_bridge.RemoveMembers(slots=slots))
                waiting.append((MembersRemoved, key))
        ending = [key for key in side.bridges if key not in plan.kept]
        for key in ending:
            port.send(side.bridges[key], to_bridge.StopHost())
        yield Expect([*waiting, *((HostStopped, key) for key in ending)])
        gone = side.own - (plan.new.own if side is plan.old else plan.old.own)
        yield from self._means.jobs.quiet()
        for module in gone:
            port.send(side.modules[module], to_module.HandOver())
        came = yield Expect((ModuleHandedOver, module) for module in gone)
        for key, handed in came.items():
            self._means.journal.unit(partial(self._remove, key[1], handed.state))
        for module in side.own:
            port.send(side.modules[module], ActorExitRequest())
        for key in ending:
            port.send(side.bridges[key], ActorExitRequest())

    def _remove(self, module: str, state: ModuleState) -> None:
        if module in self._plan.moves:  # another runner has it
            self._means.record.activity.pending -= state.mailbox.queued
        else:
            self._means.letters.drop_queue(module, state)
        self._means.journal.note_removed(module, state)
