"""The life of a flow, in jobs: start, stop, fail, be built anew, be removed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import Any

from actors.counted import counted
from actors.definition.graph import PAGES
from actors.definition.places import listed
from actors.definition.share import Share
from actors.flow.hosts import Hosts
from actors.flow.jobs import FlowJobs
from actors.flow.journal import FlowJournal
from actors.flow.kept_file import remove_kept
from actors.flow.letters import Letters
from actors.flow.record import FlowRecord
from actors.flow.wiring import Wiring
from actors.messages import flow_to_bridge as to_bridge
from actors.messages import flow_to_module as to_module
from actors.messages.bridge_to_flow import (
    HostFailed,
    HostLoaded,
    LoadFailed,
    ModulesStarted,
    PagesDescribed,
    StartFailed,
)
from actors.messages.flow_to_session import FlowEnded
from actors.messages.module_to_flow import ContextDescribed, ModuleHandedOver, ModuleStopped
from actors.state.facts import States
from actors.system.job import Expect, JobError, Steps
from actors.system.port import Port

log = logging.getLogger("runner.flow")
Errors = tuple[str, ...]


class Life:
    """Of one flow: every method that returns Steps is a job, or a part of one."""

    def __init__(
        self, record: FlowRecord, port: Port, jobs: FlowJobs, hosts: Hosts, wiring: Wiring, letters: Letters,
        journal: FlowJournal,
    ) -> None:  # fmt: skip
        self._record, self._port, self._jobs = record, port, jobs
        self._hosts, self._wiring, self._letters, self._journal = hosts, wiring, letters, journal

    # start and stop ------------------------------------------------------------------------------------------------

    def starting(self) -> Steps:
        """Load everything, then start everything; any failure leaves the flow stopped. Returns the errors."""
        record = self._record
        if record.state == "running":
            return ()
        if problem := self._nowhere():
            return (problem,)
        record.move("start")
        record.failed_for = ()
        record.sources.clear()
        record.source_errors.clear()
        record.commands, errors = yield from self._hosts.prepare(record.share, record.plans)
        if errors:
            record.move("ended")
            return errors
        try:
            errors = yield from self._opening()
        except JobError as error:
            errors = (str(error),)
        if errors:
            yield from self._hosts.stop()
            record.move("ended")
            return errors
        self._forget_kept()  # before the first message: nothing of it is ever done twice
        self._journal.note_open(True)
        self._journal.note_running(True)
        for module in record.modules.values():
            self._port.send(module, to_module.GoOn(reason="flow"))
        record.move("started")
        modules, hosts = counted(len(record.modules), "module"), counted(len(record.plans), "host")
        log.info("%s: started, %s on %s", record.flow.id, modules, hosts)
        return ()

    def _nowhere(self) -> str | None:
        """Why it cannot start: what the run before had still to write has no output now."""
        found = self._record.journal.found.bodies if self._record.journal is not None else []
        wires = {body.wire for body in found} - {sink.wire for sink in self._record.ends("out")}
        places = ", ".join(sorted(wire.partition("->")[0] for wire in wires))
        return f"messages of the run before wait for -o {places}; give it again, or --fresh" if wires else None

    def _opening(self) -> Steps:
        record = self._record
        for key, plan in record.plans.items():
            self._hosts.start(record.flow, record.bridges[key], plan, record.modules, record.commands[key])
        self.adopt_sessions()
        answers = yield Expect((HostLoaded, key) for key in record.plans)
        errors = errors_of(answers.values())
        if not errors:
            for key, bridge in record.bridges.items():
                units = self._hosts.units_of_pages(record.share)
                serve = to_bridge.ServeModules(plan=record.plans[key], patient=True, share=record.share, units=units)
                self._port.send(bridge, serve)
            answers = yield Expect((ModulesStarted, key) for key in record.plans)
            errors = errors_of(answers.values())
        return errors

    def stopping(self) -> Steps:
        """Recall everything, call `stop`, end the hosts; mailboxes and contexts stay. Returns what hooks raised."""
        record = self._record
        if record.state != "running":
            return ()
        record.move("stop")
        for module in record.modules.values():
            self._port.send(module, to_module.StopModule(reason="flow"))
        keys = [(ModuleStopped, module) for module in record.modules]
        came = yield Expect(keys, timeout_s=record.flow.drain_timeout_s)
        late = [key[1] for key in keys if key not in came]
        if late:
            log.warning("%s: still in a turn, its host will be killed: %s", record.flow.id, listed(late))
        answers = yield from self._hosts.stop()
        record.errors.say_rest()
        record.move("ended")
        failed = {module: text for answer in answers.values() for module, text in answer.errors.items()}
        for module, text in failed.items():
            log.error("%s/%s: stop failed: %s", record.flow.id, module, text)
        return tuple(f"stop of {module} failed: {text}" for module, text in failed.items())

    def failing(self, errors: Errors) -> Steps:
        """Stop a flow that cannot go on; it says why."""
        record = self._record
        for error in errors:
            log.error("%s", error)
        errors += tuple(f"{record.flow.id}: {error}" for error in (yield from self.stopping()))
        record.fail(errors)
        if record.watcher is not None:
            self._port.send(record.watcher, FlowEnded(flow=record.flow.id, errors=errors))
        return errors

    # what its modules have -----------------------------------------------------------------------------------------

    def contexts(self, modules: Collection[str]) -> Steps:
        """Their contexts as of now."""
        for module in modules:
            self._port.send(self._record.modules[module], to_module.DescribeContext())
        came = yield Expect((ContextDescribed, module) for module in modules)
        return {key[1]: answer.context for key, answer in came.items()}

    def sessions(self) -> Steps:
        """Those of the pages that have joined."""
        self._port.send(self._record.bridges[PAGES], to_bridge.DescribePages())
        came = yield Expect([(PagesDescribed, PAGES)])
        return came[PagesDescribed, PAGES].sessions

    def adopt_sessions(self) -> None:
        """The pages that have been there before come back."""
        if self._record.sessions and PAGES in self._record.bridges:
            self._port.send(self._record.bridges[PAGES], to_bridge.AdoptPages(sessions=self._record.sessions))
            self._record.sessions = ()

    def take_ends(self) -> Steps:
        """What the ends of wires to and from other runners know; they work no more."""
        yield from self._jobs.quiet()
        return (yield from self._wiring.crossings.take_states())

    def take_states(self) -> Steps:
        """The state of every module; the actors of the flow are no more."""
        yield from self._jobs.quiet()
        if PAGES in self._record.bridges:
            self._record.sessions += yield from self.sessions()
        for module in self._record.modules.values():
            self._port.send(module, to_module.HandOver())
        came = yield Expect((ModuleHandedOver, name) for name in self._record.modules)
        self._wiring.end_actors()
        return {key[1]: (message.state, message.numbers) for key, message in came.items()}

    def rebuild(
        self, share: Share, left_out: dict[str, str], contexts: dict[str, dict[bytes, bytes]],
        leaving: Collection[str] = (), came: States | None = None,
    ) -> Steps:  # fmt: skip
        """Give a flow that is not running another definition; `contexts` replace those of their modules; `leaving`
        modules are at another runner now, those that `came` were there. Returns the states that go on, by module.
        """
        states = yield from self.take_states()
        for module in states.keys() - share.modules.keys():
            if module in leaving:
                self._record.activity.pending -= states[module][0].mailbox.queued
            else:
                self._letters.drop_queue(module, states[module][0])
        states |= came or {}
        self._record.activity.pending += sum(state.mailbox.queued for state, _ in (came or {}).values())
        for module, context in contexts.items():
            states[module][0].change_context(context)
        before = self._record.share
        self._record.share, self._record.left_out = share, left_out

        def build() -> None:
            if self._record.journal is not None:
                self._journal.note_rebuilt(before, states)
            self._wiring.crossings.note()
            self._wiring.build(states)
            if PAGES not in self._record.bridges:
                self._record.sessions = ()

        self._journal.unit(build)
        return {module: state for module, (state, _) in states.items() if module in share.modules}

    # the end -------------------------------------------------------------------------------------------------------

    def removing(self) -> Steps:
        """Stop, and be forgotten. Returns what `stop` hooks raised."""
        record = self._record
        errors = yield from self.stopping()
        yield from self._jobs.quiet()
        self._wiring.crossings.end_all()  # first: what another runner sends has no module from here on
        try:
            states = yield from self.take_states()
        except JobError as error:
            log.error("%s: removed, without a dead letter for each message: %s", record.flow.id, error)
            self._wiring.end_actors()
            states = {}
        for module, (state, _) in states.items():
            self._letters.drop_queue(module, state)
        self._forget_kept()
        yield from self._journal.removing()
        if record.watcher is not None:
            lost = list(record.source_errors.values())
            if record.dead_letters:
                letters = counted(len(record.dead_letters), "dead letter")
                lost.append(f"{record.flow.id}: removed, and {letters} with it")
            self._port.send(record.watcher, FlowEnded(flow=record.flow.id, errors=tuple(lost), removed=True))
        return errors

    def _forget_kept(self) -> None:
        if self._record.kept is not None:
            remove_kept(self._record.kept)
            self._record.kept = None


def errors_of(answers: Iterable[Any]) -> Errors:
    """What bridges say went wrong."""
    failed = (HostFailed, LoadFailed, StartFailed)
    return tuple(error for answer in answers if isinstance(answer, failed) for error in answer.errors)
