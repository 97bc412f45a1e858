"""The Flow actor: a flow that is there. It has the record and a part for each thing that a flow does; its modules,
hosts, trials and taps are its children. Clients' requests come by the Runner, it answers them itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, ChildActorExited, WakeupMessage

from actors.definition.graph import PAGES
from actors.flow.answers import FlowAnswers
from actors.flow.debugger import Debugger
from actors.flow.ends import Ends
from actors.flow.figures import Figures
from actors.flow.finished import Finished
from actors.flow.hosts import Hosts
from actors.flow.jobs import FlowJobs
from actors.flow.journal import FlowJournal
from actors.flow.keep import Keep
from actors.flow.letters import Letters
from actors.flow.life import Life
from actors.flow.record import FlowRecord
from actors.flow.shadows import Shadows
from actors.flow.taps import Taps
from actors.flow.traces import Traces
from actors.flow.update.means import Means
from actors.flow.update.plan import first_receipt
from actors.flow.updates import Updates
from actors.flow.viewers import Viewers
from actors.flow.waves import Waves
from actors.flow.wiring import Wiring
from actors.messages import client_to_runner as api
from actors.messages import session_to_flow as from_session
from actors.messages.actor_to_sender import ActorFailed
from actors.messages.bridge_to_flow import HostFailed
from actors.messages.flow_to_runner import FlowChanged, FlowClosed, FlowFacts, FlowGone
from actors.messages.front_to_flow import AdvanceUpdate, DecideUpdate
from actors.messages.gateway_to_flow import JoinPage, OfPage, ReadPackage, ReadTapLines
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_flow import AddFlow, CloseFlow, FlowForgotten, JoinUpdate, TryModule, UpdateFlow
from actors.system.base import BaseActor
from actors.system.job import Operation, Steps

HURRY_S = 10.0  # beyond drain_timeout_s; then a job that is under way when the runner is to end is ended half-way
# While a flow is being removed or taken up again these wait, but for those of `_AT_ONCE`.
_WAITING = (api.Request, UpdateFlow, JoinUpdate, TryModule)
_AT_ONCE = (api.ReadTap, api.EndTap, ReadTapLines, AdvanceUpdate, DecideUpdate)
_PASSED_ON = (  # by the runner, to which it goes back when the flow is gone
    *_WAITING, from_session.AttachEnd, from_session.MuteSources, from_session.WatchFlow
)  # fmt: skip
log = logging.getLogger("runner.flow")


class FlowActor(BaseActor):
    """One per flow; a child of the Runner."""

    parts = (
        "jobs", "letters", "debugger", "figures", "viewers", "taps", "shadows", "waves", "ends", "updates", "finished"
    )  # fmt: skip
    jobs: FlowJobs
    letters: Letters
    debugger: Debugger
    figures: Figures
    viewers: Viewers
    taps: Taps
    shadows: Shadows
    waves: Waves
    ends: Ends
    updates: Updates
    finished: Finished

    def receiveMsg_AddFlow(self, message: AddFlow, sender: ActorAddress) -> None:
        """Be this flow, or the one that was kept and then this one."""
        premises, kept = message.premises, message.kept
        record = kept.record() if kept else FlowRecord(share=message.share, left_out=message.left_out)
        self.runner, self.record, self.cache = premises.runner, record, premises.cache
        self.gone = self.forgotten = False
        self.unsettled = False  # it is being removed, or taken up again
        self.early: list[tuple[Any, ActorAddress]] = []  # what waits for the end of that
        self.told = FlowFacts(share=record.share)
        self.answers = FlowAnswers(self, record)
        self.traces = Traces(record, premises)
        self.hosts = Hosts(record, self, premises)
        self.jobs = FlowJobs(record, self, self.hosts.stop)
        self.wiring = Wiring(record, self, premises)
        self.journal = FlowJournal(record, self, premises)
        self.letters = Letters(record, self, self.answers, self.wiring, self.journal, self.fail_flow)
        self.life = Life(record, self, self.jobs, self.hosts, self.wiring, self.letters, self.journal)
        self.debugger = Debugger(record, self, self.answers, self.jobs, self.journal, premises.name)
        self.figures = Figures(record, self, self.answers, self.debugger.view, self.journal.view, self.traces.view)
        self.viewers = Viewers(
            record.flow.id, self, self.answers, self.figures.picture, lambda: record.receipt, premises.numbers
        )
        self.waves = Waves(record, self.answers, self.jobs, self.wiring.crossings)
        self.taps = Taps(record, self, self.answers, self.jobs, self.wiring, premises.numbers)
        self.shadows = Shadows(
            record, self, premises, self.answers, self.jobs, self.hosts, self.taps, self.debugger, premises.numbers
        )
        self.ends = Ends(record, self, self.wiring, self.fail_flow)
        self.finished = Finished(record, self, self.wiring.crossings, premises.accepts_loss)
        self.keep = Keep(record, self.life, self.journal, premises.kept, self.leave)
        means = Means(
            record=record, port=self, premises=premises, jobs=self.jobs, hosts=self.hosts, wiring=self.wiring,
            letters=self.letters, life=self.life, journal=self.journal, figures=self.figures,
            fail=self.fail_flow,
        )  # fmt: skip
        after = (
            self.debugger.after_update, self.taps.after_update, self.shadows.after_update, self.wiring.settle,
            self.traces.after_update,
        )  # fmt: skip
        self.updates = Updates(means, self.answers, after)
        if message.opened is not None:
            self.journal.take(message.opened)
            if kept is not None:
                self.journal.restore(message.opened.found, kept.facts.states)
                if kept.in_journal:
                    self.journal.say_what_was_lost(message.opened)
        if kept is not None:
            self.unsettled = True
            self.updates.take_up(message, sender, kept, self._settle, self.leave)
            return
        self.record.receipt = first_receipt(message.share)
        self.wiring.build({})
        self.journal.note_flow()
        data = {"leftOut": message.left_out}
        self.answers.reply(message.request, sender, receipt=self.record.receipt, data=data)

    # what comes, and when ------------------------------------------------------------------------------------------

    def _find_handler(self, kind: type) -> Callable[..., None]:
        handler = super()._find_handler(kind)
        if handler is FlowActor._unknown and hasattr(kind, "by"):
            handler = FlowActor._take
        passed_on, waits = issubclass(kind, _PASSED_ON), issubclass(kind, _WAITING) and kind not in _AT_ONCE

        def handle(self: FlowActor, message: Any, sender: ActorAddress) -> None:
            if passed_on and self.gone:
                self._pass_back(message, sender)
            elif waits and self.unsettled:
                self.early.append((message, sender))
            else:
                handler(self, message, sender)
                self._tell_facts()

        self.handlers[kind] = handle
        return handle

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A step of a job, or whoever has set a timer, has waited long enough."""
        what, which = message.payload
        if isinstance(what, Operation):
            what.time_up(which)
        else:
            what(which)

    def _take(self, message: Any, _sender: ActorAddress) -> None:
        """A job may wait for it."""
        self.jobs.take(message)

    def receiveMsg_Reply(self, message: Reply, sender: ActorAddress) -> None:
        """Of a module: to a replay, or it could not describe itself."""
        if not self.letters.take_reply(message):
            self.figures.gathered(message, sender)

    def _tell_facts(self) -> None:
        """The runner answers what is asked of all flows."""
        record = self.record
        facts = FlowFacts(
            share=record.share,
            state=record.state,
            paused=record.debug.paused_by is not None,
            paused_by=record.debug.whole,
        )
        if facts != self.told and not self.gone:
            self.told = facts
            self.send(self.runner, FlowChanged(facts=facts))

    # start, stop ---------------------------------------------------------------------------------------------------

    def receiveMsg_StartFlow(self, message: api.StartFlow, sender: ActorAddress) -> None:
        """Start; starting a running flow is fine."""

        def done(errors: tuple[str, ...]) -> None:
            if errors:
                self.answers.refuse(message, sender, "\n".join(errors), list(errors))
            else:  # `ends`: it will be idle for good one day
                ends = bool(self.record.activity.sources or self.record.ends("in"))
                self.answers.reply(message, sender, data={"ends": ends})

        self.jobs.add(self.life.starting, done, self.answers.refusing(message, sender))

    def receiveMsg_StopFlow(self, message: api.StopFlow, sender: ActorAddress) -> None:
        """Stop; stopping a stopped flow is fine."""
        self._cancel_start()
        stopped = f"{self.record.flow.id}: stopped"

        def done(errors: tuple[str, ...]) -> None:
            self.journal.note_running(False)
            self.answers.reply_or_regret(message, sender, stopped, errors)

        self.jobs.add(self.life.stopping, done, self.answers.refusing(message, sender))

    def _cancel_start(self) -> None:
        """A flow that is to stop needs no environment any more, nor does its update; and `start` is not waited for."""
        if self.record.state == "starting" or self.record.phase == "trying":
            self.hosts.cancel_preparation()
        if self.record.state == "starting":
            self.jobs.hurry(self.record.flow.drain_timeout_s)

    # pages ---------------------------------------------------------------------------------------------------------

    def receiveMsg_JoinPage(self, message: JoinPage | OfPage, sender: ActorAddress) -> None:
        """Whoever has the pages answers."""
        bridge = self.record.bridges.get(PAGES)
        if bridge is None:
            self.answers.refuse(message, sender, f"{self.record.flow.id} has no browser modules")
        else:
            self.pass_on(message, sender, bridge)

    receiveMsg_SayPage = receiveMsg_ReadPage = receiveMsg_LeavePage = receiveMsg_JoinPage

    def receiveMsg_ReadPackage(self, message: ReadPackage, sender: ActorAddress) -> None:
        """What pages import; also of a version that they only try."""
        from actors.pages.packages import read_package

        content = read_package(self.cache, message.environment, message.file)
        if content is None:
            self.answers.refuse(message, sender, f"{message.environment} has no {message.file}")
        else:
            self.answers.reply(message, sender, content)

    # failures ------------------------------------------------------------------------------------------------------

    def fail_flow(self, *errors: str) -> None:
        """A running flow cannot go on."""
        if self.record.state == "running":
            self.jobs.add(lambda: self.life.failing(errors))

    def receiveMsg_HostFailed(self, message: HostFailed, sender: ActorAddress) -> None:
        """While starting, or a host that is not in use yet: no. Else the flow cannot go on."""
        if self.record.state == "running" and any(bridge == sender for bridge in self.record.bridges.values()):
            self.fail_flow(*message.errors)
        self.jobs.take(message)

    def receiveMsg_ActorFailed(self, message: ActorFailed, sender: ActorAddress) -> None:
        """A job may wait for it; and a module or a host that has handled something half cannot go on."""
        self.taps.end_failed(sender)
        works = sender in [*self.record.modules.values(), *self.record.bridges.values()]
        if works or message.flow == self.record.flow.id:
            was_job = self.jobs.fail(message.error) and message.asked
            if works and not was_job:
                self.fail_flow(message.error)

    # the end -------------------------------------------------------------------------------------------------------

    def receiveMsg_RemoveFlow(self, message: api.RemoveFlow, sender: ActorAddress) -> None:
        """Stop and be forgotten."""
        self.figures.show()
        self._cancel_start()
        self.unsettled = True

        def done(errors: tuple[str, ...]) -> None:
            self.answers.reply_or_regret(message, sender, f"{self.record.flow.id}: removed", errors)
            self._settle()

        def failed(error: str) -> None:
            self.answers.refuse(message, sender, error)
            self._settle()

        self.jobs.add(self._removing, done, failed)

    def _removing(self) -> Steps:
        errors = yield from self.life.removing()
        self.leave()
        return errors

    def _settle(self) -> None:
        """It stays, or it is gone: what has come meanwhile is seen to in order."""
        self.unsettled, early, self.early = False, self.early, []
        for message, client in early:
            self.receiveMessage(message, client)

    def receiveMsg_CloseFlow(self, message: CloseFlow, sender: ActorAddress) -> None:
        """Stop, and be kept."""
        flow = self.record.flow
        self._cancel_start()
        self.updates.give_up("the runner is about to end")
        self.jobs.hurry(flow.drain_timeout_s + HURRY_S)

        def done(errors: tuple[str, ...]) -> None:
            self.send(sender, FlowClosed(flow=flow.id, round=message.round, errors=errors))

        def failed(error: str) -> None:
            log.error("%s", error)
            done((error,))

        self.jobs.add_last(self._closing, done, failed, refusal=f"{flow.id}: the runner is about to end")

    def _closing(self) -> Steps:
        return () if self.gone else (yield from self.keep.keeping())

    def leave(self) -> None:
        """It is not here any more; what still comes for it goes back to the runner."""
        self.gone = True
        self.record.modules, self.record.bridges, self.record.watcher = {}, {}, None
        self.figures.show()
        self.taps.end_all()
        self.shadows.end_all()
        self.viewers.end_all()
        self.wiring.crossings.end_all()
        self.send(self.runner, FlowGone(flow=self.record.flow.id))

    def _pass_back(self, message: Any, sender: ActorAddress) -> None:
        if isinstance(message, JoinUpdate):
            sender = message.client
        request = message.request if isinstance(message, (UpdateFlow, JoinUpdate, TryModule)) else message
        self.pass_on(request, sender, self.runner)

    def receiveMsg_FlowForgotten(self, _message: FlowForgotten, _sender: ActorAddress) -> None:
        """Only children can still send anything."""
        self.forgotten = True
        self._end_if_alone()

    def receiveMsg_ChildActorExited(self, _message: ChildActorExited, _sender: ActorAddress) -> None:
        """The last one may have been waited for."""
        self._end_if_alone()

    def _end_if_alone(self) -> None:
        if self.forgotten and not self.system.has_children(self.address):
            self.send(self.address, ActorExitRequest())
