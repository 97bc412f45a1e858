"""The Runner actor: answers the Runner API. Most of it is mixed in, a noun each; it never sees a message body."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, WakeupMessage

from actors.definition.model import Flow, FlowError
from actors.definition.unsupported import warnings
from actors.definition.validation import check_flow
from actors.flow.ends import FlowEnds
from actors.flow.figures import FlowFigures
from actors.flow.keep import FlowKeep
from actors.flow.letters import FlowMessages
from actors.flow.record import FlowRecord
from actors.flow.taps import FlowTap
from actors.messages import bridge_to_runner as from_bridge
from actors.messages import client_to_runner as api
from actors.messages import session_to_runner as from_session
from actors.messages.actor_to_sender import ActorFailed
from actors.messages.parameters import request_problem
from actors.messages.preparation_to_runner import PreparationClosed
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_preparation import CancelPreparation, ClosePreparation
from actors.messages.sweeper_to_runner import SweeperClosed
from actors.messages.system_to_actor import QuietPoint
from actors.messages.to_sweeper import CloseSweeper
from actors.preparation.state_folder import hidden_places
from actors.runner.closing import Closing
from actors.runner.dependencies import Dependencies
from actors.system.job import JobError, NotBegunError, Operation, Steps
from runtimes.environments import cache_folder
from runtimes.manifest import listed, load_runtimes, runtime_folders

HURRY_S = 10.0  # beyond drain_timeout_s; then a job that is under way when the runner is to end is ended half-way
CLOSE_S = 30.0  # beyond twice drain_timeout_s; then the runner ends without those that have not stopped
_PREPARING, _SWEEPING = "what is being prepared", "what hosts have left"
log = logging.getLogger("runner.flow")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureRunner:
    """First message: where hosts may have their folders, the cache of environments and builds, which runtimes to
    offer (None: all), and where flows are kept when it ends (None: they are not).
    """

    run_folder: Path
    name: str = ""
    cache: Path = field(default_factory=cache_folder)
    runtimes: tuple[str, ...] | None = None
    kept: Path | None = None


class RunnerActor(FlowKeep, FlowFigures, FlowMessages, FlowTap, FlowEnds, Dependencies):
    """One per runner: owns the flows, their module and bridge actors, and the dead letters."""

    def receiveMsg_ConfigureRunner(self, message: ConfigureRunner, _sender: ActorAddress) -> None:
        """Read the runtimes' manifests."""
        self.run_folder, self.name = message.run_folder, message.name or message.run_folder.name
        self.kept_folder = message.kept
        self.open_preparation(message.cache, hidden_places(message.run_folder, message.kept))
        runtimes = load_runtimes(runtime_folders())
        offered = runtimes if message.runtimes is None else message.runtimes
        self.runtimes = {id: runtime for id, runtime in runtimes.items() if id in offered}
        self._closers: list[Closing] = []  # of ShutDowns
        self.ending = False

    def _find_handler(self, kind: type) -> Callable[..., None]:
        """That of a request is run with checked parameters only: it may have come as an actor message."""
        handler = super()._find_handler(kind)
        if not issubclass(kind, api.Request):
            return handler

        def checked(self: RunnerActor, request: api.Request, sender: ActorAddress) -> None:
            if (problem := request_problem(request)) is not None:
                self.refuse(request, sender, problem)
            else:
                handler(self, request, sender)

        self.handlers[kind] = checked
        return checked

    # the API: flows ------------------------------------------------------------------------------------------------

    def receiveMsg_ListRuntimes(self, message: api.ListRuntimes, sender: ActorAddress) -> None:
        """Every runtime with its version, or why it is not available."""
        self.reply(message, sender, listed(self.runtimes.values()))

    def receiveMsg_ListFlows(self, message: api.ListFlows, sender: ActorAddress) -> None:
        """Every flow."""
        self.reply(message, sender, [_listed(record) for record in self.flows.values()])

    def receiveMsg_ListFlowsForRuntime(self, message: api.ListFlowsForRuntime, sender: ActorAddress) -> None:
        """The flows that use a runtime."""
        if self.find_runtime(message, sender, message.runtime_id) is None:
            return
        records = [
            record for record in self.flows.values()
            if any(module.runtime == message.runtime_id for module in record.flow.modules.values())
        ]  # fmt: skip
        self.reply(message, sender, [_listed(record) for record in records])

    def receiveMsg_AddOrUpdateFlow(self, message: api.AddOrUpdateFlow, sender: ActorAddress) -> None:
        """Check the flow; then add it, or replace the running one."""
        kept = None
        try:
            flow = check_flow(message.flow, runtimes=self.runtimes)
            flow, left_out = self.leave_out(flow)
            record = self.flows.get(flow.id)
            if self.comes_too_early(record, message, sender):
                return
            if record is None and not message.plan and (path := self.kept_file(flow.id)) is not None:
                record, kept = self.kept_record(path)
        except FlowError as error:
            self.refuse(message, sender, str(error), error.problems)
            return
        if self.ending:
            self.refuse(message, sender, "the runner is about to end")
            return
        for warning in warnings(message.flow):
            log.warning("%s: %s", flow.id, warning)
        if record is None:
            record = self.flows[flow.id] = FlowRecord(flow=flow, left_out=left_out)
            record.receipt = {"version": 1, "modules": {module: {"did": "added"} for module in flow.modules}}
            if message.plan:
                del self.flows[flow.id]
            else:
                self.build(record, {})
            value = record.receipt if message.plan else True
            self.reply(message, sender, value, receipt=record.receipt, data={"leftOut": left_out})
            return
        if kept is not None:
            self.flows[flow.id] = record
            record.unsettled = True
            self._update(record, flow, left_out, message, sender, self.taking_up, kept=kept)
            return
        self._update(record, flow, left_out, message, sender, plan_only=message.plan)

    def _update(
        self, record: FlowRecord, flow: Flow, left_out: dict[str, str], request: Any, sender: ActorAddress,
        job: Callable[..., Steps] | None = None, **how: Any,
    ) -> None:  # fmt: skip
        def done(result: tuple[tuple[str, ...], dict[str, Any] | None]) -> None:
            errors, receipt = result
            self.after_update(record)
            self.end_lost_taps(record)
            if errors:
                self.refuse(request, sender, "\n".join(errors), list(errors))
            else:
                value = receipt if how.get("plan_only") else True
                self.reply(request, sender, value, receipt=receipt, data={"leftOut": left_out})
            if job is not None:
                self._settle(record)

        self.enqueue(
            record, lambda: (job or self.updating)(record, flow, left_out, **how), done,
            lambda error: done(((error,), None)),
        )  # fmt: skip

    def receiveMsg_RollbackFlow(self, message: api.RollbackFlow, sender: ActorAddress) -> None:
        """Update to an earlier version."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is None:
            return
        wanted = [v for v in record.versions if message.version in (None, v.number)]
        if not wanted:
            known = ", ".join(str(version.number) for version in record.versions) or "none"
            what = "earlier version" if message.version is None else f"version {message.version}"
            self.refuse(message, sender, f"{record.flow.id}: there is no {what} to go back to; kept are {known}")
            return
        version = wanted[-1]
        contexts = version.contexts if message.context == "snapshot" else None
        self._update(record, version.flow, version.left_out, message, sender, contexts=contexts)

    def receiveMsg_RemoveFlow(self, message: api.RemoveFlow, sender: ActorAddress) -> None:
        """Stop and forget; also what is only kept."""
        if message.flow_id not in self.flows and self.forget_kept(message.flow_id):
            self.reply(message, sender)
            return
        record = self.find_flow(message, sender, message.flow_id)
        if record is None:
            return
        self._cancel_start(record)
        record.unsettled = True

        def done(errors: tuple[str, ...]) -> None:
            self.forget_taps(record)
            self.reply_or_regret(message, sender, f"{record.flow.id}: removed", errors)
            self._settle(record)

        def failed(error: str) -> None:
            self.refuse(message, sender, error)
            self._settle(record)

        self.enqueue(record, lambda: self.removing(record), done, failed)

    def _settle(self, record: FlowRecord) -> None:
        record.unsettled, early, record.early = False, record.early, []
        for request, client in early:
            self.receiveMessage(request, client)

    def receiveMsg_StartFlow(self, message: api.StartFlow, sender: ActorAddress) -> None:
        """Start; starting a running flow is fine."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is None:
            return

        def done(errors: tuple[str, ...]) -> None:
            if errors:
                self.refuse(message, sender, "\n".join(errors), list(errors))
            else:  # `ends`: it will be idle for good one day
                self.reply(message, sender, data={"ends": bool(record.gauge.sources or record.feeds)})

        self.enqueue(record, lambda: self.starting(record), done, self.refusing(message, sender))

    def receiveMsg_StopFlow(self, message: api.StopFlow, sender: ActorAddress) -> None:
        """Stop; stopping a stopped flow is fine."""
        record = self.find_flow(message, sender, message.flow_id)
        self._cancel_start(record)
        if record is not None:
            self.enqueue(
                record, lambda: self.stopping(record),
                lambda errors: self.reply_or_regret(message, sender, f"{record.flow.id}: stopped", errors),
                self.refusing(message, sender),
            )  # fmt: skip

    def _cancel_start(self, record: FlowRecord | None) -> None:
        """A flow that is to stop needs no environment any more, nor does its update; and `start` is not waited for."""
        if record is not None and (record.state == "starting" or record.phase == "trying"):
            self.send(self.preparation, CancelPreparation(flow=record.flow.id))
        if record is not None and record.state == "starting":
            self.wakeupAfter(record.flow.drain_timeout_s, ("hurry", (record, record.jobs.current)))

    def receiveMsg_Reply(self, message: Reply, sender: ActorAddress) -> None:
        """Of a module: to a replay, or it could not describe itself."""
        if message.request_id in self.replays:
            self.replayed(message)
        else:
            self.gathered(message, sender)

    # what modules and bridges say ----------------------------------------------------------------------------------

    def receiveMsg_HostFailed(self, message: from_bridge.HostFailed, sender: ActorAddress) -> None:
        """While starting, or a host that is not in use yet: no. Else the flow cannot go on."""
        record = self.flows[message.flow]
        if record.state == "running" and any(bridge == sender for bridge in record.bridges.values()):
            self.fail_flow(record, *message.errors)
        self.resolve(message.flow, "loaded", message.key, message)
        self.resolve(message.flow, "started", message.key, message)

    def receiveMsg_ActorFailed(self, message: ActorFailed, sender: ActorAddress) -> None:
        """A job may wait for it; and a module or a host that has handled something half cannot go on."""
        self.end_failed_tap(sender)
        for record in list(self.flows.values()):
            works = sender in [*record.modules.values(), *record.bridges.values()]
            if works or record.flow.id == message.flow:
                was_job = record.jobs.fail(JobError(message.error)) and message.asked
                if works and not was_job:
                    self.fail_flow(record, message.error)

    def receiveMsg_QuietPoint(self, message: QuietPoint, _sender: ActorAddress) -> None:
        """Handovers may happen now."""
        for record in list(self.flows.values()):
            self.resolve(record.flow.id, "quiet", "", message)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A step of an operation has waited long enough."""
        what, which = message.payload
        if isinstance(what, Operation):
            what.time_up(which)
        elif what == "resume":
            self.fall_back(*which)
        elif what == "close":
            closing, limit_s = which
            closing.give_up(limit_s)
        elif what == "rest":
            which.errors.say_rest()
        else:
            self._hurry(*which)

    def _hurry(self, record: FlowRecord, late: Operation) -> None:
        """It is to stop, and what was under way then still is."""
        if record.jobs.current is late:
            record.jobs.fail(JobError(f"{record.flow.id}: ended half-way: it was told to stop meanwhile"))

    # feeds, sinks and the embedded session -------------------------------------------------------------------------

    def receiveMsg_ShutDown(self, message: from_session.ShutDown, sender: ActorAddress) -> None:
        """Stop and keep every flow, stop what is being prepared, then answer; what is stuck is not waited for."""
        self.ending = True

        names = [_PREPARING, _SWEEPING, *self.flows]
        closing = Closing(names, lambda errors: self.reply(message, sender, data=errors))
        self._closers.append(closing)
        self.send(self.preparation, ClosePreparation())
        self.send(self.sweeper, CloseSweeper())
        drain_s = max((record.flow.drain_timeout_s for record in self.flows.values()), default=0.0)
        self.wakeupAfter(2 * drain_s + CLOSE_S, ("close", (closing, 2 * drain_s + CLOSE_S)))
        for id, record in list(self.flows.items()):
            self._cancel_start(record)
            record.jobs.refuse_waiting(NotBegunError(f"{id}: the runner is about to end"))
            if (current := record.jobs.current) is not None:
                self.wakeupAfter(record.flow.drain_timeout_s + HURRY_S, ("hurry", (record, current)))
            self.enqueue(
                record, partial(self.keeping, record), partial(closing.ended, id), partial(closing.failed, id)
            )  # fmt: skip

    def receiveMsg_PreparationClosed(self, _message: PreparationClosed, _sender: ActorAddress) -> None:
        """Of a runner that ends."""
        for closing in self._closers:
            closing.ended(_PREPARING)

    def receiveMsg_SweeperClosed(self, _message: SweeperClosed, _sender: ActorAddress) -> None:
        """The same."""
        for closing in self._closers:
            closing.ended(_SWEEPING)


def _listed(record: FlowRecord) -> dict[str, Any]:
    return {**record.flow.document, "id": record.flow.id, "state": record.state}


def _step(kind: str, name: str) -> Callable[[RunnerActor, Any, ActorAddress], None]:
    def resolve(self: RunnerActor, message: Any, _sender: ActorAddress) -> None:
        self.resolve(message.flow, kind, getattr(message, name), message)

    return resolve


# What the jobs of flow/life.py and flow/update.py wait for: message class -> (kind, the field with the name).
for _kind, _words in {
    "HostLoaded": ("loaded", "key"),
    "LoadFailed": ("loaded", "key"),
    "ModulesStarted": ("started", "key"),
    "StartFailed": ("started", "key"),
    "ModulesRetired": ("retired", "key"),
    "MembersRemoved": ("removed", "key"),
    "FusingHeld": ("held", "key"),
    "FusingBarred": ("barred", "key"),
    "HeldDescribed": ("waiting", "module"),
    "HostStopped": ("ended", "key"),
    "TrialEnded": ("tried", "key"),
    "ContextsMigrated": ("migrated", "key"),
    "TrialClosed": ("closed", "key"),
    "ModuleStopped": ("stopped", "module"),
    "ModuleDry": ("dry", "module"),
    "ModuleHandedOver": ("handed", "module"),
    "ContextDescribed": ("context", "module"),
}.items():
    setattr(RunnerActor, f"receiveMsg_{_kind}", _step(*_words))
