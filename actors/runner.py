"""The Runner actor: answers the Runner API. Its flows' lives are in flow_life.py; it never sees a message body."""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, WakeupMessage

from actors.dependencies import Dependencies
from actors.flow_debug import FlowDebug
from actors.flow_keep import FlowKeep
from actors.flow_life import missing_runtime
from actors.flow_record import (
    MAX_DEAD_LETTER_BYTES,
    MAX_DEAD_LETTERS,
    Attachment,
    DeadLetter,
    FlowRecord,
)
from actors.flow_tap import FlowTap
from actors.flows import graph
from actors.flows.model import Flow, FlowError, Module
from actors.flows.validation import check_flow
from actors.messages import bridge_to_runner as from_bridge
from actors.messages import client_to_runner as api
from actors.messages import module_to_runner as from_module
from actors.messages import session_to_runner as from_session
from actors.messages.preparation_to_runner import PreparationClosed, Prepared
from actors.messages.runner_to_bridge import DescribeHost
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_module import DescribeModule, SubmitMessage
from actors.messages.runner_to_preparation import CancelPreparation, ClosePreparation, OpenCache
from actors.messages.runner_to_session import Attached, FlowEnded
from actors.messages.system_to_actor import QuietPoint
from actors.operation import Operation, Steps
from actors.preparation import PreparationActor
from runtimes.environments import cache_folder
from runtimes.frames import HEADERS, join
from runtimes.manifest import listed, load_runtimes, runtime_folders

log = logging.getLogger("runner.flow")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureRunner:
    """First message: where hosts may have their folders, the cache of environments and builds, which runtimes to
    offer (None: all), and where flows are kept when it ends (None: they are not).
    """

    run_folder: Path
    cache: Path = field(default_factory=cache_folder)
    runtimes: tuple[str, ...] | None = None
    kept: Path | None = None


@dataclass(slots=True)
class Gathering:
    """Answers of several actors on their way to one reply."""

    left: int
    came: list[Any]
    done: Callable[[list[Any]], None]


class RunnerActor(FlowKeep, FlowDebug, FlowTap, Dependencies):
    """One per runner: owns the flows, their module and bridge actors, and the dead letters."""

    def receiveMsg_ConfigureRunner(self, message: ConfigureRunner, _sender: ActorAddress) -> None:
        """Read the runtimes' manifests."""
        self.run_folder = message.run_folder
        self.cache = message.cache
        self.kept_folder = message.kept
        self.preparation = self.createActor(PreparationActor)
        self.send(self.preparation, OpenCache(cache=message.cache))
        runtimes = load_runtimes(runtime_folders())
        offered = runtimes if message.runtimes is None else message.runtimes
        self.runtimes = {id: runtime for id, runtime in runtimes.items() if id in offered}
        self._gatherings: dict[str, Gathering] = {}
        self._closers: deque[Callable[[Any], None]] = deque()  # of ShutDowns
        self._replays: dict[str, tuple[FlowRecord, DeadLetter, api.ReplayDeadLetter, ActorAddress]] = {}
        self._count = 0
        self.ending = False
        self._samples: dict[str, tuple[float, dict[str, tuple[int, int]]]] = {}

    # the API: flows ------------------------------------------------------------------------------------------------

    def reply(self, request: Any, sender: ActorAddress, value: Any = True, **more: Any) -> None:
        """Answer a request."""
        self.send(sender, Reply(request_id=request.request_id, ok=True, value=value, **more))

    def refuse(self, request: Any, sender: ActorAddress, error: str, data: Any = None) -> None:
        """Refuse a request."""
        self.send(sender, Reply(request_id=request.request_id, ok=False, value=False, error=error, data=data))

    def find_flow(self, request: Any, sender: ActorAddress, flow_id: str) -> FlowRecord | None:
        """The flow, or a refusal."""
        record = self.flows.get(flow_id)
        if record is None:
            known = ", ".join(sorted(self.flows)) or "none"
            self.refuse(request, sender, f"there is no flow {flow_id!r}; flows here: {known}")
        return record

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
            flow, left_out = self._leave_out(flow)
            record = self.flows.get(flow.id)
            if record is None and not message.plan and (path := self.kept_file(flow.id)) is not None:
                record, kept = self.kept_record(path)
        except FlowError as error:
            self.refuse(message, sender, str(error), error.problems)
            return
        if self.ending:
            self.refuse(message, sender, "the runner is about to end")
            return
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
            self._update(record, flow, left_out, message, sender, self.taking_up, kept=kept)
            return
        self._update(record, flow, left_out, message, sender, plan_only=message.plan)

    def _update(
        self, record: FlowRecord, flow: Flow, left_out: dict[str, str], request: Any, sender: ActorAddress,
        job: Callable[..., Steps] | None = None, **how: Any,
    ) -> None:  # fmt: skip
        def done(result: tuple[tuple[str, ...], dict[str, Any]]) -> None:
            errors, receipt = result
            self.after_update(record)
            self.end_lost_taps(record)
            if errors:
                self.refuse(request, sender, "\n".join(errors), list(errors))
            else:
                value = receipt if how.get("plan_only") else True
                self.reply(request, sender, value, receipt=receipt, data={"leftOut": left_out})

        self.enqueue(record, lambda: (job or self.updating)(record, flow, left_out, **how), done)

    def receiveMsg_RollbackFlow(self, message: api.RollbackFlow, sender: ActorAddress) -> None:
        """Update to an earlier version."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is None:
            return
        if message.context not in ("current", "snapshot"):
            self.refuse(message, sender, f"context is 'current' or 'snapshot', not {message.context!r}")
            return
        wanted = [v for v in record.versions if message.version in (None, v.number)]
        if not wanted:
            known = ", ".join(str(version.number) for version in record.versions) or "none"
            what = "an earlier version" if message.version is None else f"version {message.version}"
            self.refuse(message, sender, f"{record.flow.id}: there is no {what} to go back to; kept are {known}")
            return
        version = wanted[-1]
        contexts = version.contexts if message.context == "snapshot" else None
        self._update(record, version.flow, version.left_out, message, sender, contexts=contexts)

    def _leave_out(self, flow: Flow) -> tuple[Flow, dict[str, str]]:
        missing = {
            name: reason for name, module in flow.modules.items()
            if (reason := self._missing(module)) is not None
        }  # fmt: skip
        needed = [f"modules.{name}: {reason}" for name, reason in missing.items() if not flow.modules[name].optional]
        needed += [
            f"modules.{name}.dependencies: modules of {self.runtimes[module.runtime].name} cannot have any"
            for name, module in flow.modules.items()
            if module.dependencies and not self.runtimes[module.runtime].environment
        ]
        if needed:
            raise FlowError(needed)
        return (graph.without_modules(flow, missing.keys()) if missing else flow), missing

    def _missing(self, module: Module) -> str | None:
        runtime = self.runtimes[module.runtime]
        return missing_runtime(runtime) or (self.not_compiled(runtime) if module.optional else None)

    def receiveMsg_RemoveFlow(self, message: api.RemoveFlow, sender: ActorAddress) -> None:
        """Stop and forget; removing what is not there is fine."""
        record = self.flows.get(message.flow_id)
        self._cancel_start(record)
        if record is None:
            self.reply(message, sender)
            return

        def done(_: Any) -> None:
            self.forget_taps(record)
            self.reply(message, sender)

        self.enqueue(record, lambda: self.removing(record), done)

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

        self.enqueue(record, lambda: self.starting(record), done)

    def receiveMsg_StopFlow(self, message: api.StopFlow, sender: ActorAddress) -> None:
        """Stop; stopping a stopped flow is fine."""
        record = self.find_flow(message, sender, message.flow_id)
        self._cancel_start(record)
        if record is not None:
            self.enqueue(
                record, lambda: self.stopping(record),
                lambda errors: self.reply(message, sender, data={"stopErrors": list(errors)} if errors else None),
            )  # fmt: skip

    def _cancel_start(self, record: FlowRecord | None) -> None:
        """A flow that is to stop needs no environment any more, and neither does its update."""
        if record is not None and (record.state == "starting" or record.phase == "trying"):
            self.send(self.preparation, CancelPreparation(flow=record.flow.id))

    def receiveMsg_LastReceipt(self, message: api.LastReceipt, sender: ActorAddress) -> None:
        """What the last update did."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is not None:
            self.reply(message, sender, record.receipt)

    # the API: messages ---------------------------------------------------------------------------------------------

    def find_module(self, request: Any, sender: ActorAddress, flow_module_id: str) -> tuple[FlowRecord, str] | None:
        """The flow and the module, or a refusal."""
        flow_id, slash, module = flow_module_id.partition("/")
        if not slash:
            self.refuse(request, sender, f"{flow_module_id!r} is not of the form flow/module")
            return None
        record = self.find_flow(request, sender, flow_id)
        if record is None:
            return None
        if module not in record.modules:
            known = ", ".join(sorted(record.modules))
            self.refuse(request, sender, f"the flow {flow_id!r} has no module {module!r}; it has {known}")
            return None
        return record, module

    def receiveMsg_SendMessage(self, message: api.SendMessage, sender: ActorAddress) -> None:
        """One message from outside."""
        found = self.find_module(message, sender, message.flow_module_id)
        if found is None:
            return
        record, module = found
        ports = record.flow.modules[module].ports_in
        if ports is not None and message.port not in ports:
            self.refuse(message, sender, f"{module} has no in-port {message.port!r}; it has {', '.join(ports)}")
            return
        encoded = self.encode_message(message, sender, message.message)
        if encoded is not None:
            self._submit(record, module, message.port, join([encoded]), 0, "api", message.request_id, sender)

    def encode_message(self, request: Any, sender: ActorAddress, message: Any) -> bytes | None:
        """The message as JSON, or a refusal."""
        try:
            return json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
        except (ValueError, TypeError, RecursionError) as error:
            self.refuse(request, sender, f"the message is not JSON: {error}")
            return None

    def _submit(
        self, record: FlowRecord, module: str, port: str, body: bytes, flags: int, origin: str, request_id: str,
        client: ActorAddress,
    ) -> None:  # fmt: skip
        wire = f"{origin}->{module}.{port}"
        self.input_wire(record, module, port, wire, None)
        number = record.input_numbers.get(wire, 0)
        record.input_numbers[wire] = number + 1
        self.send(
            record.modules[module],
            SubmitMessage(request_id=request_id, client=client, wire=wire, body=body, flags=flags, number=number),
        )

    def receiveMsg_DeadLetters(self, message: api.DeadLetters, sender: ActorAddress) -> None:
        """The dead letters of a flow, oldest first."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is not None:
            self.reply(message, sender, [letter_view(record.flow.id, letter) for letter in record.dead_letters])

    def receiveMsg_ReplayDeadLetter(self, message: api.ReplayDeadLetter, sender: ActorAddress) -> None:
        """Send it again and take it off the list."""
        flow_id = message.id.partition("/")[0]
        record = self.find_flow(message, sender, flow_id)
        if record is None:
            return
        letter = next((letter for letter in record.dead_letters if letter.id == message.id), None)
        if letter is None or letter.module not in record.modules:
            self.refuse(message, sender, f"there is no dead letter {message.id!r} that could be replayed")
            return
        record.dead_letters.remove(letter)  # at once: nobody replays it twice; it comes back if it is not taken
        record.dead_letter_bytes -= len(letter.message)
        self._count += 1
        request_id = f"replay-{self._count}"
        self._replays[request_id] = (record, letter, message, sender)
        body = join([letter.message], [letter.headers] if letter.headers else None)
        flags = HEADERS if letter.headers else 0
        self._submit(record, letter.module, letter.port, body, flags, "dead", request_id, self.address)

    def _replayed(self, reply: Reply) -> None:
        record, letter, request, client = self._replays.pop(reply.request_id)
        if reply.ok:
            self.reply(request, client)
        else:
            record.dead_letters.appendleft(letter)
            record.dead_letter_bytes += len(letter.message)
            self.refuse(request, client, reply.error or "the message was not taken")

    def add_dead_letter(
        self, record: FlowRecord, module: str, port: str, message: bytes, headers: bytes | None, error: dict[str, Any]
    ) -> None:
        """Keep a dead letter; a full store stops the flow rather than lose one."""
        record.dead_letter_count += 1
        letter = DeadLetter(
            f"{record.flow.id}/{record.dead_letter_count}", module, port, message, headers, error, time.time()
        )
        record.dead_letters.append(letter)
        record.dead_letter_bytes += len(message)
        log.error("%s/%s: dead letter %s: %s: %s", record.flow.id, module, letter.id, error["type"], error["message"])
        if len(record.dead_letters) >= MAX_DEAD_LETTERS or record.dead_letter_bytes >= MAX_DEAD_LETTER_BYTES:
            self._fail_flow(record, f"{record.flow.id}: {len(record.dead_letters)} dead letters: the flow is stopped")

    # the API: figures ----------------------------------------------------------------------------------------------

    def gather(self, record: FlowRecord, hosts: bool, done: Callable[[list[Any]], None]) -> None:
        """Ask every module (and host) to describe itself; `done` gets all answers at once."""
        self._count += 1
        request_id = f"gather-{self._count}"
        asked: list[tuple[Any, Any]] = [
            (module, DescribeModule(request_id=request_id)) for module in record.modules.values()
        ]
        if hosts:
            asked += [(bridge, DescribeHost(request_id=request_id)) for bridge in record.bridges.values()]
        self._gatherings[request_id] = Gathering(len(asked), [], done)
        for actor, question in asked:
            self.send(actor, question)
        if not asked:
            self._gatherings.pop(request_id).done([])

    def _gathered(self, message: Any, _sender: ActorAddress) -> None:
        gathering = self._gatherings[message.request_id]
        if not isinstance(message, Reply):  # a Reply says that the actor could not describe itself (it has logged why)
            gathering.came.append(message)
        gathering.left -= 1
        if not gathering.left:
            del self._gatherings[message.request_id]
            gathering.done(gathering.came)

    receiveMsg_ModuleDescribed = receiveMsg_HostDescribed = _gathered

    def receiveMsg_Reply(self, message: Reply, sender: ActorAddress) -> None:
        """Of a module: to a replay, or it could not describe itself."""
        if message.request_id in self._replays:
            self._replayed(message)
        else:
            self._gathered(message, sender)

    def receiveMsg_FlowState(self, message: api.FlowState, sender: ActorAddress) -> None:
        """The figures of a flow; rates are those since the last call."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is None:
            return

        def done(answers: list[Any]) -> None:
            modules = {a.module: a.figures for a in answers if isinstance(a, from_module.ModuleDescribed)}
            self._add_rates(record.flow.id, modules)
            hosts = {a.key: a.figures for a in answers if isinstance(a, from_bridge.HostDescribed)}
            for key, figures in hosts.items():
                for module in figures["modules"]:
                    modules[module]["host"] = key
            value = {
                "id": record.flow.id, "state": record.state, "debug": self.debug_view(record),
                "errors": list(record.failed_for), "modules": modules,
                "hosts": hosts, "leftOut": record.left_out, "deadLetters": len(record.dead_letters),
            }  # fmt: skip
            self.reply(message, sender, value)

        self.gather(record, record.state != "stopped", done)  # a bridge that never started has no host

    def _add_rates(self, flow_id: str, modules: dict[str, dict[str, Any]]) -> None:
        now = time.monotonic()
        then, before = self._samples.get(flow_id, (now, {}))
        self._samples[flow_id] = (now, {name: (f["accepted"], f["sent"]) for name, f in modules.items()})
        for name, figures in modules.items():
            accepted, sent = before.get(name, (figures["accepted"], figures["sent"]))
            seconds = max(now - then, 1e-9)
            figures["inPerS"] = (figures["accepted"] - accepted) / seconds
            figures["outPerS"] = (figures["sent"] - sent) / seconds

    def receiveMsg_Audit(self, message: api.Audit, sender: ActorAddress) -> None:
        """The accounts of every module."""
        rows: dict[str, dict[str, Any]] = {}
        records = list(self.flows.values())
        left = len(records)

        def done(record: FlowRecord, answers: list[Any]) -> None:
            nonlocal left
            for answer in answers:
                names = ("accepted", "completed", "queued", "dropped", "deadLettered")
                row = {name: answer.figures[name] for name in names}
                row["balanced"] = row["accepted"] == sum(row[name] for name in names[1:])
                rows[f"{record.flow.id}/{answer.module}"] = row
            left -= 1
            if not left:
                self.reply(message, sender, rows)

        for record in records:
            self.gather(record, False, lambda answers, record=record: done(record, answers))  # type: ignore[misc]
        if not records:
            self.reply(message, sender, rows)

    # what modules and bridges say ----------------------------------------------------------------------------------

    def receiveMsg_HostFailed(self, message: from_bridge.HostFailed, sender: ActorAddress) -> None:
        """While starting, or a host that is not in use yet: no. Else the flow cannot go on."""
        record = self.flows[message.flow]
        if record.state == "running" and any(bridge == sender for bridge in record.bridges.values()):
            self._fail_flow(record, *message.errors)
        self.resolve(message.flow, "loaded", message.key, message)
        self.resolve(message.flow, "started", message.key, message)

    def receiveMsg_DeadLettered(self, message: from_module.DeadLettered, _sender: ActorAddress) -> None:
        """A module has given up on a message."""
        record = self.flows[message.flow]
        self.add_dead_letter(record, message.module, message.port, message.message, message.headers, message.error)

    def receiveMsg_SourceRaised(self, message: from_module.SourceRaised, _sender: ActorAddress) -> None:
        """A source has ended with an error."""
        error = message.error
        text = f"{message.flow}/{message.module}: the source failed: {error['type']}: {error['message']}"
        log.error("%s\n%s", text, error.get("stack", ""))
        self.flows[message.flow].source_errors.append(text)

    def receiveMsg_MailboxOverrun(self, message: from_module.MailboxOverrun, _sender: ActorAddress) -> None:
        """A cycle grows without bound."""
        record = self.flows[message.flow]
        self._fail_flow(
            record,
            f"{message.flow}: the feedback wire {message.wire} has filled the mailbox of {message.module}: "
            f"the cycle makes more messages than it takes; the flow is stopped",
        )

    def _fail_flow(self, record: FlowRecord, *errors: str) -> None:
        if record.state == "running":
            self.enqueue(record, lambda: self.failing(record, errors), lambda _: None)

    def receiveMsg_QuietPoint(self, message: QuietPoint, _sender: ActorAddress) -> None:
        """Handovers may happen now."""
        for record in list(self.flows.values()):
            self.resolve(record.flow.id, "quiet", "", message)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A step of an operation has waited long enough."""
        what, which = message.payload
        if isinstance(what, Operation):
            what.time_up(which)
        else:
            self.fall_back(*which)

    # feeds, sinks and the embedded session -------------------------------------------------------------------------

    def _attach(self, message: Any, sender: ActorAddress) -> FlowRecord | None:
        record = self.flows[message.flow]
        if message.module in record.modules:
            return record
        known = ", ".join(sorted(record.modules))
        reason = record.left_out.get(message.module)
        error = reason or f"the flow {record.flow.id!r} has no module {message.module!r}; it has {known}"
        self.send(sender, Attached(wire=message.wire, error=error))
        return None

    def receiveMsg_AttachFeed(self, message: from_session.AttachFeed, sender: ActorAddress) -> None:
        """Somebody outside sends into the flow."""
        record = self._attach(message, sender)
        if record is not None:
            feed = Attachment(message.module, message.port, message.wire, sender)
            record.feeds.append(feed)
            self.connect_feed(record, feed)

    def receiveMsg_AttachSink(self, message: from_session.AttachSink, sender: ActorAddress) -> None:
        """Somebody outside receives from the flow."""
        record = self._attach(message, sender)
        if record is not None:
            sink = Attachment(message.module, message.port, message.wire, sender)
            record.sinks.append(sink)
            self.connect_sink(record, sink)

    def receiveMsg_MuteSources(self, message: from_session.MuteSources, _sender: ActorAddress) -> None:
        """For flow tests."""
        self.flows[message.flow].mute_sources = True

    def receiveMsg_WatchFlow(self, message: from_session.WatchFlow, sender: ActorAddress) -> None:
        """Say when it is over: at once, if it has failed or has nothing to do."""
        record = self.flows[message.flow]
        record.watcher = sender
        if record.state == "failed":
            self.send(sender, FlowEnded(flow=message.flow, errors=record.failed_for))
        record.gauge.watched = True
        if record.gauge.idle:
            self._idle(record)

    def receiveMsg_FlowIdle(self, message: from_module.FlowIdle, _sender: ActorAddress) -> None:
        """A module found the gauge at zero."""
        record = self.flows.get(message.flow)
        if record is not None and record.gauge.idle:
            self._idle(record)

    def _idle(self, record: FlowRecord) -> None:
        record.gauge.watched = False
        if record.watcher is not None:
            self.send(record.watcher, FlowEnded(flow=record.flow.id, errors=tuple(record.source_errors)))

    def receiveMsg_ShutDown(self, message: from_session.ShutDown, sender: ActorAddress) -> None:
        """Stop and keep every flow, stop what is being prepared, then answer."""
        self.ending = True
        left = len(self.flows) + 1
        errors: list[str] = []

        def done(error: str | None) -> None:
            nonlocal left
            left -= 1
            if error is not None:
                log.error("%s", error)
                errors.append(error)
            if not left:
                self.reply(message, sender, data=errors)

        self._closers.append(done)
        self.send(self.preparation, ClosePreparation())
        for record in list(self.flows.values()):
            self.enqueue(record, lambda record=record: self.keeping(record), done)  # type: ignore[misc]

    def receiveMsg_Prepared(self, message: Prepared, _sender: ActorAddress) -> None:
        """For a job of a flow, or for a client."""
        if message.flow:
            self.resolve(message.flow, "prepared", message.key, message)
        else:
            self.installed(message)

    def receiveMsg_PreparationClosed(self, _message: PreparationClosed, _sender: ActorAddress) -> None:
        """Of a runner that ends."""
        self._closers.popleft()(None)


def _listed(record: FlowRecord) -> dict[str, Any]:
    return {**record.flow.document, "id": record.flow.id, "state": record.state}


def letter_view(flow_id: str, letter: DeadLetter) -> dict[str, Any]:
    """A dead letter as the API shows it; the message is decoded here, off the hot path."""
    return {
        "id": letter.id, "flowModuleId": f"{flow_id}/{letter.module}", "port": letter.port,
        "message": json.loads(letter.message), "headers": json.loads(letter.headers) if letter.headers else None,
        "error": letter.error, "time": letter.time,
    }  # fmt: skip


def _step(kind: str, name: str) -> Callable[[RunnerActor, Any, ActorAddress], None]:
    def resolve(self: RunnerActor, message: Any, _sender: ActorAddress) -> None:
        self.resolve(message.flow, kind, getattr(message, name), message)

    return resolve


# What the jobs of flow_life.py and flow_update.py wait for: message class -> (kind, the field with the name).
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
