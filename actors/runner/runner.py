"""The Runner actor: the entry of the Runner API. It has the runtimes and the list of flows; each flow is an actor of
its own (flow/actor.py), which gets what names it and answers itself. It never sees a message body.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress, WakeupMessage

from actors.definition.model import FlowError
from actors.definition.origin import with_module
from actors.definition.places import among
from actors.definition.share import Share
from actors.definition.unsupported import warnings
from actors.ends.log_lines import call_runner
from actors.flow.actor import FlowActor
from actors.flow.journalled import forget_journal
from actors.flow.kept import forget_kept
from actors.flow.update.plan import first_receipt
from actors.messages import client_to_runner as api
from actors.messages import session_to_flow as from_session
from actors.messages.actor_to_sender import ActorFailed
from actors.messages.flow_to_runner import FlowAudited, FlowChanged, FlowClosed, FlowFacts, FlowGone
from actors.messages.gateway_to_flow import ReadTapLines
from actors.messages.module_to_flow import FlowIdle
from actors.messages.naming import flow_of
from actors.messages.owner_to_runner import ConfigureRunner, ShutDown
from actors.messages.parameters import request_problem
from actors.messages.preparation_to_runner import PreparationClosed
from actors.messages.runner_to_flow import AddFlow, AuditFlow, CloseFlow, FlowForgotten, TryModule, UpdateFlow
from actors.messages.runner_to_preparation import ClosePreparation, OpenCache
from actors.messages.sweeper_to_runner import SweeperClosed
from actors.messages.to_sweeper import CloseSweeper
from actors.preparation.actor import PreparationActor
from actors.preparation.premises import Premises, UnknownRuntimeError
from actors.preparation.state_folder import hidden_places, shown_places
from actors.preparation.sweeper import SweeperActor
from actors.runner.authoring import Authoring
from actors.runner.dependencies import Dependencies
from actors.runner.journals import RunnerJournals
from actors.runner.links import RunnerLinks
from actors.runner.log_book import LogBook
from actors.runner.round import Round
from actors.runner.traces import RunnerTraces
from actors.system.answers import Answers
from actors.system.base import BaseActor
from runtimes.manifest import listed, load_runtimes, runtime_folders

CLOSE_S = 30.0  # beyond twice drain_timeout_s; then the runner ends without those that have not stopped
ENDING = "the runner is about to end"
OfASession = from_session.AttachEnd | from_session.MuteSources | from_session.WatchFlow
log = logging.getLogger("runner.flow")
_PREPARING, _SWEEPING = "what is being prepared", "what hosts have left"


@dataclass(slots=True)
class FlowEntry:
    """A flow of this runner: who it is, and what it has last said of itself."""

    actor: ActorAddress
    facts: FlowFacts


class RunnerActor(BaseActor):
    """One per runner: checks what is asked, and passes on what a flow answers."""

    parts = ("authoring", "dependencies", "journals", "links", "log_book", "traces")
    authoring: Authoring
    dependencies: Dependencies
    journals: RunnerJournals
    links: RunnerLinks
    log_book: LogBook
    traces: RunnerTraces

    def receiveMsg_ConfigureRunner(self, message: ConfigureRunner, _sender: ActorAddress) -> None:
        """Read the runtimes' manifests."""
        self.answers = Answers(self)
        self.journals = RunnerJournals(self, self.answers)
        name = message.name or message.run_folder.name
        call_runner(name)
        self.traces = RunnerTraces(self, name, message.traces)
        runtimes = load_runtimes(runtime_folders())
        offered = runtimes if message.runtimes is None else message.runtimes
        hidden = hidden_places(message.run_folder, message.kept, message.journals, message.keys)
        self.premises = Premises(
            name=name, runner=self.address,
            run_folder=message.run_folder, kept=message.kept, journals=self.journals.place(message),
            cache=message.cache, hidden=hidden, shown=shown_places(message.cache, hidden),
            runtimes={id: runtime for id, runtime in runtimes.items() if id in offered}, known=runtimes,
            sweeper=self.createActor(SweeperActor), preparation=self.createActor(PreparationActor),
            numbers=itertools.count(1), exporter=self.traces.exporter, life=message.life,
        )  # fmt: skip
        self.premises.links.incarnation = message.incarnation
        self.send(self.premises.preparation, OpenCache(cache=message.cache))
        self.flows: dict[str, FlowEntry] = {}
        self.dependencies = Dependencies(self, self.answers, self.premises, self._shares)
        self.log_book = LogBook(self.answers, lambda: self.flows)
        self.links = RunnerLinks(self, self.answers, self.premises, lambda: self.flows)
        self.authoring = Authoring(
            self, self.answers, message.run_folder, message.files, self._shares, self.premises.runtimes
        )  # fmt: skip
        self.rounds: dict[int, Round] = {}  # of questions to all flows
        self.closings: list[Round] = []  # those of ShutDowns
        self.ending = False

    def _shares(self) -> Iterable[Share]:
        return [entry.facts.share for entry in self.flows.values()]

    def _find_handler(self, kind: type) -> Callable[..., None]:
        """That of a request is run with checked parameters only: it may have come as an actor message. What the runner
        itself does not answer names a flow, which does.
        """
        handler = super()._find_handler(kind)
        if not issubclass(kind, api.Request):
            return handler
        answer = RunnerActor._pass_on if handler is RunnerActor._unknown else handler

        def checked(self: RunnerActor, request: api.Request, sender: ActorAddress) -> None:
            if (problem := request_problem(request)) is not None:
                self.answers.refuse(request, sender, problem)
            else:
                answer(self, request, sender)

        self.handlers[kind] = checked
        return checked

    def _pass_on(self, request: api.Request, sender: ActorAddress) -> None:
        try:
            flow_id = flow_of(request)
        except ValueError as error:
            self.answers.refuse(request, sender, str(error))
            return
        if flow_id in self.flows:
            self.pass_on(request, sender, self.flows[flow_id].actor)
        elif self.ending:
            self.answers.refuse(request, sender, ENDING)
        else:
            self.answers.refuse(request, sender, f"there is no flow {among(flow_id, self.flows, 'flows here:')}")

    # the API -------------------------------------------------------------------------------------------------------

    def receiveMsg_Ping(self, message: api.Ping, sender: ActorAddress) -> None:
        """Answer: the runner turns."""
        self.answers.reply(message, sender)

    def receiveMsg_ListRuntimes(self, message: api.ListRuntimes, sender: ActorAddress) -> None:
        """Every runtime with its version, or why it is not available."""
        self.answers.reply(message, sender, listed(self.premises.runtimes.values()))

    def receiveMsg_ListFlows(self, message: api.ListFlows, sender: ActorAddress) -> None:
        """The document of every flow, with its state."""
        self.answers.reply(message, sender, [_listed(entry.facts) for entry in self.flows.values()])

    def receiveMsg_ListFlowsForRuntime(self, message: api.ListFlowsForRuntime, sender: ActorAddress) -> None:
        """The flows that use a runtime."""
        try:
            runtime = self.premises.runtime(message.runtime_id)
        except UnknownRuntimeError as error:
            self.answers.refuse(message, sender, str(error))
            return
        found = [
            _listed(entry.facts) for entry in self.flows.values()
            if any(module.runtime == runtime.id for module in entry.facts.share.modules.values())
        ]  # fmt: skip
        self.answers.reply(message, sender, found)

    def receiveMsg_AddOrUpdateFlow(self, message: api.AddOrUpdateFlow, sender: ActorAddress) -> None:
        """Check the flow; then add it, or let the running one be replaced."""
        try:
            flow = self.premises.check(message.flow)
            if message.expected_version is not None and flow.id not in self.flows:
                raise FlowError([f"there is no flow {flow.id!r} here: it has no version"])
            share, left_out = self.premises.leave_out(self.premises.share_of(flow))
            is_new = flow.id not in self.flows and not message.plan
            opened, kept = self.journals.what_was(self.premises, flow) if is_new else (None, None)
        except FlowError as error:
            self.answers.refuse(message, sender, str(error), error.problems)
            return
        if self.ending:
            self.answers.refuse(message, sender, ENDING)
            return
        for warning in warnings(message.flow, alone=self.premises.links.router is None):
            log.warning("%s: %s", flow.id, warning)
        if flow.id in self.flows:
            update = UpdateFlow(request=message, share=share, left_out=left_out)
            self.pass_on(update, sender, self.flows[flow.id].actor)
        elif message.plan:
            receipt = first_receipt(share)
            self.answers.reply(message, sender, receipt, receipt=receipt, data={"leftOut": left_out})
        else:
            actor = self.createActor(FlowActor)
            self.authoring.read(message.flow)
            self.flows[flow.id] = FlowEntry(actor, FlowFacts(share=kept.share if kept else share))
            add = AddFlow(
                request=message, share=share, left_out=left_out, premises=self.premises, kept=kept, opened=opened
            )  # fmt: skip
            self.pass_on(add, sender, actor)

    def receiveMsg_ShadowModule(self, message: api.ShadowModule, sender: ActorAddress) -> None:
        """Check the flow as it would be with the other fields; the running one sees to the rest."""
        flow_id, _, module = message.flow_module_id.partition("/")
        entry = self.flows.get(flow_id)
        if entry is None or module not in entry.facts.share.modules:
            self._pass_on(message, sender)
            return
        document = with_module(entry.facts.share.flow.document, module, message.module)
        try:
            share, _ = self.premises.leave_out(self.premises.share_of(self.premises.check(document)))
        except FlowError as error:
            self.answers.refuse(message, sender, str(error), error.problems)
        else:
            self.pass_on(TryModule(request=message, share=share), sender, entry.actor)

    def receiveMsg_RemoveFlow(self, message: api.RemoveFlow, sender: ActorAddress) -> None:
        """Stop and forget; also what is only kept."""
        forgotten = message.flow_id not in self.flows and (
            forget_kept(self.premises.kept, message.flow_id) | forget_journal(self.premises, message.flow_id)
        )
        if forgotten:
            self.answers.reply(message, sender)
        else:
            self._pass_on(message, sender)

    def receiveMsg_SingleStepFlow(self, message: api.SingleStepFlow | api.Explain, sender: ActorAddress) -> None:
        """If no flow is named, of the one that is paused; of the only one, if that makes no difference."""
        if message.flow_id is None:
            steps = isinstance(message, api.SingleStepFlow)
            found = [flow_id for flow_id, entry in self.flows.items() if entry.facts.paused or not steps]
            if len(found) != 1:
                some = f"these are {'paused' if steps else 'here'}: {', '.join(found)}; say which"
                self.answers.refuse(message, sender, some if found else f"no flow is {'paused' if steps else 'here'}")
                return
            message = replace(message, flow_id=found[0])
        self._pass_on(message, sender)

    receiveMsg_Explain = receiveMsg_SingleStepFlow

    def receiveMsg_ReadTap(self, message: api.ReadTap | api.EndTap | ReadTapLines, sender: ActorAddress) -> None:
        """Of a flow that is gone: it has ended."""
        if flow_of(message) in self.flows:
            self._pass_on(message, sender)
        else:
            self.answers.refuse(message, sender, f"there is no tap {message.tap_id!r}, or it has ended")

    receiveMsg_EndTap = receiveMsg_ReadTapLines = receiveMsg_ReadTap

    def receiveMsg_Audit(self, message: api.Audit, sender: ActorAddress) -> None:
        """The accounts of every module."""
        self._ask_flows(AuditFlow, Round(self.flows, lambda rows: self.answers.reply(message, sender, dict(rows))))

    def _ask_flows(self, question: type[AuditFlow] | type[CloseFlow], of: Round) -> None:
        """Every flow answers, also one that is gone meanwhile."""
        number = next(self.premises.numbers)
        if not of.over:
            self.rounds[number] = of
        for entry in self.flows.values():
            self.send(entry.actor, question(round=number))

    # the session, feeds and sinks ----------------------------------------------------------------------------------

    def receiveMsg_AttachEnd(self, message: OfASession, sender: ActorAddress) -> None:
        """It is the flow's affair."""
        self.pass_on(message, sender, self.flows[message.flow].actor)

    receiveMsg_MuteSources = receiveMsg_WatchFlow = receiveMsg_AttachEnd

    def receiveMsg_FlowIdle(self, message: FlowIdle, sender: ActorAddress) -> None:
        """A feed or a sink found that nothing is under way any more."""
        if message.flow in self.flows:
            self.pass_on(message, sender, self.flows[message.flow].actor)

    # what flows say -------------------------------------------------------------------------------------------------

    def receiveMsg_FlowChanged(self, message: FlowChanged, _sender: ActorAddress) -> None:
        """For what is asked of all flows."""
        entry = self.flows[message.facts.share.flow.id]
        before, entry.facts = entry.facts, message.facts
        if before.paused_by != message.facts.paused_by:
            self.links.paused(message.facts.share.flow.id, message.facts.paused_by)

    def receiveMsg_FlowGone(self, message: FlowGone, sender: ActorAddress) -> None:
        """What comes for it from now on names no flow, or makes a new one."""
        if self.flows.pop(message.flow).facts.paused_by is not None:
            self.links.paused(message.flow, None)
        self.send(sender, FlowForgotten())

    def receiveMsg_FlowAudited(self, message: FlowAudited, _sender: ActorAddress) -> None:
        """One of the answers."""
        self._answered(message.round, message.flow, message.rows.items())

    def receiveMsg_FlowClosed(self, message: FlowClosed, _sender: ActorAddress) -> None:
        """One of the answers."""
        self._answered(message.round, message.flow, message.errors)

    def _answered(self, number: int, flow_id: str, said: Iterable[Any]) -> None:
        if (asked := self.rounds.get(number)) is not None:
            asked.ended(flow_id, said)
            if asked.over:
                del self.rounds[number]

    def receiveMsg_ActorFailed(self, _message: ActorFailed, _sender: ActorAddress) -> None:
        """It is in the log; the flow that it concerns, if there is one, has been told."""

    # the end -------------------------------------------------------------------------------------------------------

    def receiveMsg_ShutDown(self, message: ShutDown, sender: ActorAddress) -> None:
        """Stop and keep every flow, stop what is being prepared, then answer; what is stuck is not waited for."""
        self.ending = True
        names = [_PREPARING, _SWEEPING, *self.flows]
        closing = Round(
            names, lambda errors: self.traces.close(lambda: self.answers.reply(message, sender, data=errors))
        )  # fmt: skip
        self.closings.append(closing)
        self.send(self.premises.preparation, ClosePreparation())
        self.send(self.premises.sweeper, CloseSweeper())
        limit_s = 2 * max((share.flow.drain_timeout_s for share in self._shares()), default=0.0) + CLOSE_S
        self.wakeupAfter(limit_s, (closing, limit_s))
        self._ask_flows(CloseFlow, closing)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """The runner has waited long enough for its end."""
        closing, limit_s = message.payload
        closing.give_up(limit_s)

    def receiveMsg_PreparationClosed(self, _message: PreparationClosed, _sender: ActorAddress) -> None:
        """Of a runner that ends."""
        for closing in self.closings:
            closing.ended(_PREPARING)

    def receiveMsg_SweeperClosed(self, _message: SweeperClosed, _sender: ActorAddress) -> None:
        """The sweeper has no process left: the end may be waiting for it."""
        for closing in self.closings:
            closing.ended(_SWEEPING)


def _listed(facts: FlowFacts) -> dict[str, Any]:
    flow = facts.share.flow
    return {**flow.document, "id": flow.id, "state": facts.state}
