"""An update of a flow, under way: modules are replaced, mailboxes and contexts handed over.

Its methods are its steps in the order of time, those of docs/updates.md: plan, try, load, quiesce, switch, finish. Up
to the switch nothing has happened that could not be left as it is; from there on the way back is the same switch with
the sides exchanged. If other runners have parts of it (`joint`), each goes on when it is told to.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from thespian.actors import ActorExitRequest

from actors.definition import graph
from actors.definition.places import listed
from actors.definition.share import Share
from actors.flow.command import release
from actors.flow.life import errors_of
from actors.flow.record import Version, lay_out_record
from actors.flow.update.joint import Joint
from actors.flow.update.means import Means
from actors.flow.update.moves import Moves
from actors.flow.update.patience import Awaited, Patience
from actors.flow.update.plan import Account, plan_of, receipt_of
from actors.flow.update.switch import Switch
from actors.flow.update.trials import Trials
from actors.host.load import Context
from actors.messages import flow_to_bridge as to_bridge
from actors.messages import flow_to_module as to_module
from actors.messages.bridge_to_flow import FusingHeld, HostLoaded
from actors.messages.module_to_bridge import KillHost
from actors.messages.module_to_flow import FlowIdle, ModuleDry, ModuleStopped
from actors.system.job import Expect, Steps

log = logging.getLogger("runner.update")


class Update:
    """From the old side to the new one."""

    def __init__(
        self, means: Means, share: Share, left_out: dict[str, str], contexts: dict[str, Context],
        joint: Joint | None = None,
    ) -> None:  # fmt: skip
        self._means, self.record, self._joint = means, means.record, joint
        self.plan = plan_of(means.record, share, left_out, contexts, joint.moves if joint is not None else {})
        self._account = Account()
        self._trials = Trials(means, self.plan, self._account)
        self._moves = Moves(means, self.plan, joint) if joint is not None and joint.moves else None
        self._switch = Switch(means, self.plan, self._account, self._trials, self._moves, self.enter)
        self._patience = Patience(means, self.plan)
        self._late: frozenset[Awaited] = frozenset()  # hosts that were too busy to load the new versions before
        self._begun = 0.0
        self._holding = False  # it keeps the flow from being over

    def enter(self, phase: str) -> None:
        """Note how far it has come; tests hook in here."""
        self.record.phase = phase
        log.debug("%s: update: %s", self.record.flow.id, phase)

    def run(self, plan_only: bool) -> Steps:
        """All of it. Returns (errors, receipt): with errors the version before goes on as if nothing had been."""
        try:
            if self.plan.difference.nothing and (plan_only or self._joint is None):
                return (), self._change_nothing(plan_only)
            return (yield from self._run(plan_only))
        finally:
            self._trials.release()
            if self._moves is not None:
                self._moves.end()

    def _run(self, plan_only: bool) -> Steps:
        record, running = self.record, self.record.state == "running"
        errors = yield from self._means.jobs.attempt(self.try_())
        if errors or plan_only:
            yield from self._end()
            return errors, receipt_of(record.version, self.plan, self._account)
        if self._joint is not None and self._joint.is_decided:  # that it is the same everywhere
            yield from self._end()
            return (), self._change_nothing(plan_only)
        errors = yield from (self._replace() if running else self._redefine())
        yield from self._end()
        if running and not errors:  # each host's command is kept as long as the host
            kept, new = record.commands, self._trials.commands
            for key in self.plan.kept & new.keys():
                kept[key] = replace(kept[key], secrets=kept[key].secrets | new[key].secrets)
                if key == graph.PAGES:  # their packages are in several environments, of which some may be new
                    kept[key], new[key] = kept[key].with_holds_of(new[key])
            record.commands = {key: (kept if key in self.plan.kept else new).pop(key) for key in record.plans}
            release(kept)
        if not errors:
            log.info("%s: version %d, paused for %.1f ms", record.flow.id, record.version, self._account.pause_ms)
        return errors, record.receipt

    def _stand(self) -> None:
        """It is the version now."""
        record, old, joint = self.record, self.plan.old, self._joint
        before = record.version if joint is None else joint.before
        if self._moves is None:
            record.versions.append(Version(before, old.share, old.left_out, old.contexts))
        record.version = before + 1 if joint is None else joint.number
        if self._moves is not None:
            self._moves.stand()
        self._means.wiring.stand()
        if self._holding:
            self._go_on()
        record.receipt = receipt_of(record.version, self.plan, self._account)
        self._means.journal.note_version()

    def _change_nothing(self, plan_only: bool) -> dict[str, Any]:
        record, new = self.record, self.plan.new
        would = receipt_of(record.version, self.plan, self._account)
        if not plan_only:
            record.share, record.left_out, record.receipt = new.share, new.left_out, would
            self._means.journal.note_flow()
        return would

    def _end(self) -> Steps:
        self.record.phase = ""
        yield from self._trials.end()

    # try -----------------------------------------------------------------------------------------------------------

    def try_(self) -> Steps:
        """Everything new in hosts of its own; after that it is known which hosts stay. Returns errors."""
        self.enter("trying")
        errors = yield from self._trials.run()
        if errors:
            return errors
        plan, running, paused = self.plan, self.record.state == "running", self.record.debug.paused_by is not None
        if running:
            plan.decide_hosts(self._trials.load_ms, self._means.premises.runtimes)
        unsettled = plan.unsettled
        if self._joint is not None:
            order = yield from self._joint.tried(plan, paused)
            unsettled, paused = unsettled | frozenset(order.modules), order.paused
        if running or self._moves is not None:
            plan.decide_cover(unsettled, paused)
        return ()

    def _redefine(self) -> Steps:
        """A flow that is not running."""
        plan, record, life = self.plan, self.record, self._means.life
        plan.old.contexts = yield from life.contexts(record.modules)
        errors = yield from self._trials.migrate({m: plan.old.contexts[m] for m in plan.migrating})
        if not errors and self._moves is not None:
            errors = yield from self._means.jobs.attempt(self._exchange(self._moves))
        if not errors and self._joint is not None:
            errors = yield from self._means.jobs.attempt(self._joint.decided())
        if not errors:
            contexts = {**plan.contexts, **self._account.migrated}
            came = self._moves.came.states if self._moves is not None else {}
            states = yield from life.rebuild(plan.new.share, plan.new.left_out, contexts, plan.leaving, came)
            mailboxes = {module: state.mailbox for module, state in states.items()}
            self._account.held = {module: mailboxes[module].queued for module in plan.difference.replaced}
            plan.mix({module: mailbox.waiting_wires() for module, mailbox in mailboxes.items()})
            self._means.journal.unit(self._stand)
        return errors

    def _exchange(self, moves: Moves) -> Steps:
        assert self._joint is not None
        moves.expect()
        yield from self._joint.next()
        if errors := (yield from self._run_dry(self.plan.quiet)):
            return errors
        yield from self._joint.next()
        return (yield from moves.exchanging())

    def _replace(self) -> Steps:
        """A flow that runs."""
        errors = yield from self._means.jobs.attempt(self._approach())
        try:
            if not errors:
                errors = yield from self._switch.run()
                if not errors and self._joint is not None:
                    self.enter("prepared")
                    errors = yield from self._means.jobs.attempt(self._joint.decided())
                    if errors:
                        errors += yield from self._switch.back()
            if errors:
                stops = self._account.stop_errors.items()
                errors += tuple(f"stop of {module} failed, too: {text}" for module, text in stops)
            yield from self.finish(failed=bool(errors))
        except Exception:  # the flow fails; whatever works for the other side of it must not be left behind
            works = list(self.record.bridges.values())
            for bridge in (*self.plan.old.bridges.values(), *self.plan.new.bridges.values()):
                if bridge not in works:
                    self._means.port.send(bridge, ActorExitRequest())
            self.record.activity.sources -= self._holding
            raise
        return errors

    def _approach(self) -> Steps:
        if self._moves is not None:
            self._moves.expect()
        errors = yield from self.load()
        if not errors and self._joint is not None:
            yield from self._joint.next()
        if not errors:
            errors = yield from self.quiesce()
        return errors

    # load ----------------------------------------------------------------------------------------------------------

    def load(self) -> Steps:
        """Load the new versions where they will work: into free slots of the hosts that stay, and into new hosts."""
        self.enter("loading")
        record, plan, wiring, port = self.record, self.plan, self._means.wiring, self._means.port
        old, new = plan.old, plan.new
        layout = lay_out_record(record, new.share, moved=old.own, kept=plan.kept)
        new.plans, new.places = layout.plans, layout.places
        new.modules = {m: wiring.new_module() if m in new.own else old.modules[m] for m in new.share.modules}
        new.bridges = {
            key: old.bridges[key] if key in plan.kept else wiring.new_bridge(of) for key, of in new.plans.items()
        }
        for module in new.own:
            key, slot = new.places[module]
            wiring.configure(module, new.modules[module], bridge=new.bridges[key], flow=new.flow, slot=slot)
            paused = record.debug.paused_by is not None and record.debug.paused_modules >= old.modules.keys()
            if paused and module not in old.modules:
                record.debug.paused_modules |= {module}
                port.send(new.modules[module], to_module.StopModule(reason="debug"))
        for key, slots in new.own_slots().items():
            self._load_host(key, slots)
        came, late = yield from self._patience.until((HostLoaded, key) for key in new.own_slots())
        if late and new.flow.on_stuck != "kill":
            busy = sorted(module for module, (key, _) in old.places.items() if (HostLoaded, key) in late)
            return (yield from self._stuck(busy))
        self._late = late
        return errors_of(came.values())

    def _load_host(self, key: str, slots: frozenset[int]) -> None:
        new, command = self.plan.new, self._trials.commands[key]
        if key in self.plan.kept:
            names = {slot: new.plans[key].modules[slot] for slot in slots}
            members = {slot: new.modules[module] for slot, module in names.items()}
            order = to_bridge.AddMembers(names=names, members=members, secrets=command.secrets)
            self._means.port.send(new.bridges[key], order)
        else:
            self._means.hosts.start(new.flow, new.bridges[key], new.plans[key], new.modules, command, hold_fusing=True)

    # quiesce -------------------------------------------------------------------------------------------------------

    def quiesce(self) -> Steps:
        """Until the cover is quiet; errors if a handler is stuck and the flow says abort."""
        self.enter("draining")
        record, plan, port = self.record, self.plan, self._means.port
        for bridge in record.bridges.values():
            port.send(bridge, to_bridge.HoldFusing(on=True))
        yield Expect((FusingHeld, key) for key in record.bridges)
        record.activity.sources += 1  # the flow is not over while a source is between two incarnations
        self._holding = True
        self._begun = time.monotonic()
        inside = plan.cover.inside(plan.old.flow)
        for module in plan.quiet:
            if module in plan.at_once:
                port.send(record.modules[module], to_module.StopModule(reason="update"))
            else:
                wires = None if module in plan.difference.removed else inside[module]
                if wires is not None:
                    wires -= plan.dropped(module)
                port.send(record.modules[module], to_module.Quiesce(wires=wires))
        _, late = yield from self._patience.until((ModuleStopped, module) for module in plan.at_once)
        errors: tuple[str, ...] = ()
        if late:
            errors = yield from self._stuck([module for _, module in late])
        together = self._joint if self._moves is None else None  # what moves has stopped, and runs dry nowhere
        portion = plan.quiet if together is None else (yield from together.held(plan))
        while portion and not errors:  # feeders come first, so a module that is dry stays dry
            errors = yield from self._run_dry([module for module in plan.quiet if module in portion])
            portion = () if together is None else (yield from together.next()).modules
        if not errors and self._joint is not None and self._moves is not None:
            yield from self._joint.next()
        if errors:
            return errors
        came, _ = yield from self._patience.until(self._late)
        return errors_of(came.values())

    def _run_dry(self, modules: Iterable[str]) -> Steps:
        """And let the other runners have what is on its way to what has to be quiet there."""
        plan, port, crossings = self.plan, self._means.port, self._means.wiring.crossings
        for module in modules:
            if module not in plan.at_once:
                port.send(self.record.modules[module], to_module.AskDry())
                _, late = yield from self._patience.until([(ModuleDry, module)])
                if late and (errors := (yield from self._stuck([module]))):
                    return errors
            leads = [wire.id for wire in plan.old.share.ends_of(module).outputs if plan.runs_dry(wire)]
            if left := (yield from crossings.emptying(leads, plan.old.flow.drain_timeout_s)):
                return (f"{plan.old.flow.id}: {listed(left)}: what is on its way does not arrive",)
        return ()

    def _stuck(self, busy: list[str]) -> Steps:
        """`busy` modules do not end what they do."""
        record, plan, port = self.record, self.plan, self._means.port
        if record.debug.hits:
            busy = []  # it does not run dry because messages are held at a breakpoint: as in a paused flow
        flow = plan.old.flow
        names = listed(f"{flow.id}/{module}" for module in busy)
        problem = f"nothing was committed for drain_timeout_s {flow.drain_timeout_s:g}: {names} does not come to an end"
        if busy and plan.new.flow.on_stuck != "kill":
            return (f"{problem}; the version before goes on (on_stuck: kill would end its host)",)
        if busy:
            log.warning("%s: %s; its host is killed", flow.id, problem)
        rest = {module for module in plan.quiet if module not in plan.at_once}
        plan.at_once |= rest
        plan.mixed |= rest
        for module in rest:
            port.send(record.modules[module], to_module.StopModule(reason="update"))
        for key in {plan.old.places[module][0] for module in busy}:
            port.send(record.bridges[key], KillHost(reason=f"an update could not wait: {problem}"))
        late, self._late = self._late, frozenset()
        came = yield Expect([*((ModuleStopped, module) for module in rest | set(busy)), *late])
        return errors_of(came.values())

    # finish --------------------------------------------------------------------------------------------------------

    def finish(self, failed: bool) -> Steps:
        """Let everything work again, and take away the side that does not."""
        if not failed:
            self._means.journal.unit(self._stand)
        elif self._holding:
            self._go_on()
        self.enter("finishing")
        side = self.plan.new if failed else self.plan.old
        if side.places:  # else it has not come so far
            yield from self._switch.clear(side)

    def _go_on(self) -> None:
        """Everything works again; the record says what. But not at an end in doubt: what has been given to another
        runner may be going on there, and nothing may be done here twice, or come to it here.
        """
        record, plan, port = self.record, self.plan, self._means.port
        stays = self._moves is not None and self._joint is not None and self._joint.in_doubt
        modules = () if stays else (*plan.quiet, *plan.new.own)
        for actor in [record.modules[module] for module in modules if module in record.modules]:
            port.send(actor, to_module.GoOn(reason="update"))
            port.send(actor, to_module.GoOn(reason="flow"))
        for bridge in record.bridges.values():
            port.send(bridge, to_bridge.HoldFusing(on=False))
        self._account.pause_ms = (time.monotonic() - self._begun) * 1000
        record.activity.sources -= 1
        self._holding = False
        if record.activity.idle:
            port.send(port.address, FlowIdle(flow=record.flow.id))
