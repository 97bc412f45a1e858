"""The switch of an update: old `stop`, handover, new `start`, and the way back. Mixed into the Runner actor.

It happens at a quiet point; before it nothing has happened that could not be left as it is.
"""

from __future__ import annotations

import logging

from thespian.actors import ActorExitRequest

from actors.definition.hosting import Layout
from actors.flow.change import Side, Update
from actors.flow.life import errors_of
from actors.flow.record import FlowRecord, lay_out_record, tables
from actors.flow.trial import FlowTrial
from actors.messages import runner_to_bridge as to_bridge
from actors.messages import runner_to_module as to_module
from actors.system.job import Expect, Steps

MAX_MIGRATIONS = 3
log = logging.getLogger("runner.update")


class FlowSwitch(FlowTrial):
    """The part of the Runner actor that exchanges the two sides of an update."""

    def _switching(self, record: FlowRecord, update: Update) -> Steps:
        """Old `stop`, handover, new `start`; all the way back if anything of it fails."""
        old, new = update.old, update.new
        errors = yield from self._migrating(record, update)
        if errors:
            return errors
        self.enter_phase(record, "stopping")
        update.stop_errors = yield from self._retire(record, old)
        for attempt in range(MAX_MIGRATIONS + 1):
            yield from self.quiet()
            old.contexts = yield from self._contexts(record, record.modules)
            final = {module: old.contexts[module] for module in update.migrating}
            if attempt == MAX_MIGRATIONS or final == update.new.contexts:
                break
            update.new.contexts = final  # a `stop` hook has changed a context
            errors = yield from self._migrate(update, final)
            if errors:
                return errors + (yield from self._serve_again(record, old, old))
        new.contexts = {**update.contexts, **update.migrated}
        self.enter_phase(record, "handing")
        layout = self._laid_out(record, update)  # the API may have added wires since they were loaded
        new.plans = layout.plans
        yield from self._hand_over(record, update, old, new)
        self.enter_phase(record, "starting")
        errors = yield from self._serve(old, new, patient=False)
        if errors:
            update.stop_errors |= yield from self._retire(record, new)
            yield from self.quiet()
            yield from self._hand_over(record, update, new, old)
            errors += yield from self._serve_again(record, new, old)
        return errors

    def _serve_again(self, record: FlowRecord, before: Side, old: Side) -> Steps:
        """The way back: the version of before is started again. A flow of which that fails has failed."""
        errors = yield from self._serve(before, old, patient=True)
        if errors:
            self.fail_flow(record, f"{record.flow.id}: the version of before could not be started again", *errors)
        return errors

    def _migrating(self, record: FlowRecord, update: Update) -> Steps:
        if not update.migrating:
            return ()
        self.enter_phase(record, "migrating")
        update.new.contexts = yield from self._contexts(record, update.migrating)
        return (yield from self._migrate(update, update.new.contexts))

    def _retire(self, record: FlowRecord, side: Side) -> Steps:
        """A side's modules work no more. Returns module -> what its `stop` has raised."""
        slots = side.own_slots()
        for key, some in slots.items():
            self.send(side.bridges[key], to_bridge.RetireModules(slots=some))
        came = yield Expect(("retired", key) for key in slots)
        failed = {module: text for answer in came.values() for module, text in answer.errors.items()}
        for module, text in failed.items():
            log.error("%s/%s: stop failed: %s", record.flow.id, module, text)
        return failed

    def _hand_over(self, record: FlowRecord, update: Update, giver: Side, taker: Side) -> Steps:
        """In one burst: every state changes hands, every neighbour gets its new tables. The record is the taker's."""
        moving = giver.own & taker.own
        for module in moving:
            self.send(giver.modules[module], to_module.HandOver())
        came = yield Expect(("handed", module) for module in moving)
        record.flow, record.left_out, record.modules = taker.flow, taker.left_out, taker.modules
        for module in giver.own | taker.own:
            record.forget_source(module)
        record.bridges, record.plans, record.places = taker.bridges, taker.plans, taker.places
        wires_in = lay_out_record(record, taker.flow, kept=taker.plans).wires_in
        before = tables(record, giver.flow, giver.modules)
        after = tables(record, taker.flow, taker.modules)
        for module in taker.flow.modules:
            rewire = to_module.Rewire(
                wires_in=wires_in[module], feeders=after.feeders[module], targets=after.targets[module],
                drop=update.dropped(module) if taker is update.new else frozenset(),
                provisional=taker is update.new and module in taker.own,
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
        self.attach_again(record, taker.own)

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
        yield from self.quiet()
        for module in gone:
            self.send(side.modules[module], to_module.HandOver())
        came = yield Expect(("handed", module) for module in gone)
        for key, handed in came.items():
            self.drop_queue(record, key[1], handed.state)
        for module in side.own:
            self.send(side.modules[module], ActorExitRequest())
        for key in ending:
            self.send(side.bridges[key], ActorExitRequest())

    def _laid_out(self, record: FlowRecord, update: Update) -> Layout:
        return lay_out_record(record, update.new.flow, moved=update.old.own, kept=update.kept)
