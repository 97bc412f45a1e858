"""The Session actor: the embedded default, `runner run`. Adds one flow, feeds it, and knows when it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thespian.actors import ActorAddress, WakeupMessage

from actors.base import BaseActor
from actors.feed import BadLine, FeedActor, FeedReady, StartFeed
from actors.messages import client_to_runner as api
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_session import FlowEnded
from actors.messages.session_to_runner import MuteSources, ShutDown, WatchFlow
from actors.messages.system_to_actor import Ready
from actors.operation import Expect, Operation, Steps
from actors.sink import FlushSink, SinkActor, SinkBroken, SinkFlushed, SinkReady, StartSink
from actors.watcher import StartWatcher, StopWatcher, WatcherActor

if TYPE_CHECKING:
    from actors.flow_watch import FlowWatch

log = logging.getLogger("runner")
FLUSH_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`-i` or `-o`: `module.port` and an open descriptor."""

    module: str
    port: str
    fd: int
    name: str


@dataclass(slots=True)
class Outcome:
    """What the session found; filled while it runs."""

    over: bool = False
    errors: list[str] = field(default_factory=list)
    bad_lines: list[str] = field(default_factory=list)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFlow:
    """Run the flow until it ends, a signal arrives on `signal_fd`, or `for_s` seconds are over."""

    runner: ActorAddress
    flow: dict[str, Any]
    inputs: tuple[Endpoint, ...]
    outputs: tuple[Endpoint, ...]
    for_s: float | None
    signal_fd: int
    outcome: Outcome
    watch: FlowWatch | None = None
    show: Callable[[dict[str, Any]], None] | None = None
    mute_sources: bool = False
    show_every_s: float = 0.5


class SessionActor(BaseActor):
    """One job, step by step."""

    def receiveMsg_RunFlow(self, message: RunFlow, _sender: ActorAddress) -> None:
        """Begin."""
        self.job, self.outcome, self.starting = message, message.outcome, False
        self.system.watch(message.signal_fd, 1, self.myAddress)
        self.operation = Operation(self._running(), self._ended, self.wakeupAfter)
        self.operation.begin()

    def _call(self, request: type[api.Request] | type[ShutDown], **fields: Any) -> Expect:
        self._calls = getattr(self, "_calls", 0) + 1
        request_id = f"session-{self._calls}"
        self.send(self.job.runner, request(request_id=request_id, **fields))
        return Expect([request_id])

    def _running(self) -> Steps:
        job, outcome, flow_id = self.job, self.outcome, self.job.flow.get("id")
        reply = _only((yield self._call(api.AddOrUpdateFlow, flow=job.flow)))
        if not reply.ok:
            outcome.errors += reply.data or [reply.error]
            return
        for module, reason in reply.data["leftOut"].items():
            log.warning("left out %s: %s", module, reason)
        if job.mute_sources:
            self.send(job.runner, MuteSources(flow=str(flow_id)))
        sinks = [self._start(SinkActor, StartSink, end, flow_id) for end in job.outputs]
        ready = yield Expect([("sink", end.name) for end in job.outputs])
        for end in job.inputs:
            self._start(FeedActor, StartFeed, end, flow_id)
        ready |= yield Expect([("feed", end.name) for end in job.inputs])
        outcome.errors += [f"{key[1]}: {message.error}" for key, message in ready.items() if message.error]
        if not outcome.errors:
            self.starting = True
            reply = _only((yield self._call(api.StartFlow, flow_id=flow_id)))
            self.starting = False
            if not reply.ok:
                outcome.errors += reply.data or [reply.error]
        if not outcome.errors:
            watcher = self._start_watcher()
            yield from self._until_over(flow_id, reply.data["ends"])
            if watcher is not None:
                self.send(watcher, StopWatcher())
        yield self._call(ShutDown)
        for sink in sinks:
            self.send(sink, FlushSink())
        yield Expect([("flushed", end.name) for end in job.outputs], timeout_s=FLUSH_TIMEOUT_S)
        outcome.dead_letters = _only((yield self._call(api.DeadLetters, flow_id=flow_id))).value or []  # removed: none

    def _start(self, kind: type[BaseActor], message: Any, end: Endpoint, flow_id: Any) -> ActorAddress:
        actor = self.createActor(kind)
        self.send(
            actor,
            message(
                flow=flow_id, module=end.module, port=end.port, fd=end.fd, name=end.name, runner=self.job.runner
            ),
        )  # fmt: skip
        return actor

    def _start_watcher(self) -> ActorAddress | None:
        if self.job.watch is None:
            return None
        watcher = self.createActor(WatcherActor)
        self.send(watcher, StartWatcher(watch=self.job.watch, runner=self.job.runner))
        return watcher

    def _until_over(self, flow_id: Any, ends: bool) -> Steps:
        if ends:  # it has sources or feeds: it is over when they are
            self.send(self.job.runner, WatchFlow(flow=flow_id))
        if self.job.for_s is not None:
            self.wakeupAfter(self.job.for_s, "over")
        if self.job.show is not None:
            self.wakeupAfter(self.job.show_every_s, "show")
        ended = yield from self._over(flow_id)
        if isinstance(ended, FlowEnded):
            self.outcome.errors += ended.errors
        if self.job.show is not None:
            self.outcome.state = _only((yield self._call(api.FlowState, flow_id=flow_id))).value

    def _over(self, flow_id: Any) -> Steps:
        """What ends it. A flow without `-i` that is watched waits for edits when it has nothing to do."""
        while True:
            came = yield Expect(["over"])
            if self.job.watch is None or self.job.inputs or not isinstance(came["over"], FlowEnded):
                return came["over"]
            question = self._call(api.FlowState, flow_id=flow_id)
            question.also = {"over"}
            answers = yield question
            if "over" in answers or not _only(answers).ok:  # a signal; or it has been removed
                return answers.get("over", came["over"])
            log.info("%s has come to its end and waits for edits; Ctrl-C ends it", flow_id)

    def _ended(self, _result: Any) -> None:
        self.outcome.over = True

    # events --------------------------------------------------------------------------------------------------------

    def receiveMsg_Reply(self, message: Reply, _sender: ActorAddress) -> None:
        """An answer of the runner."""
        if message.request_id == "show":
            if self.job.show is not None and message.ok:
                self.job.show(message.value)
                self.wakeupAfter(self.job.show_every_s, "show")
        else:
            self.operation.resolve(message.request_id, message)

    def receiveMsg_FlowEnded(self, message: FlowEnded, _sender: ActorAddress) -> None:
        """Nothing is left to do."""
        self.operation.resolve("over", message)

    def receiveMsg_Ready(self, _message: Ready, _sender: ActorAddress) -> None:
        """A signal: SIGINT or SIGTERM."""
        self.system.unwatch(self.job.signal_fd)
        if self.starting:  # it may wait for a compiler: then that ends
            self.send(self.job.runner, api.StopFlow(request_id="signal", flow_id=str(self.job.flow.get("id"))))
        self.operation.resolve("over", None)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """Time is up, or time to show."""
        if message.payload == "over":
            self.operation.resolve("over", None)
        elif message.payload == "show":
            self.send(self.job.runner, api.FlowState(request_id="show", flow_id=str(self.job.flow.get("id"))))
        else:
            operation, step = message.payload
            operation.time_up(step)

    def receiveMsg_FeedReady(self, message: FeedReady, _sender: ActorAddress) -> None:
        """A feed is attached, or cannot be."""
        self.operation.resolve(("feed", message.name), message)

    def receiveMsg_SinkReady(self, message: SinkReady, _sender: ActorAddress) -> None:
        """A sink is attached, or cannot be."""
        self.operation.resolve(("sink", message.name), message)

    def receiveMsg_SinkFlushed(self, message: SinkFlushed, _sender: ActorAddress) -> None:
        """Everything is written."""
        self.operation.resolve(("flushed", message.name), message)

    def receiveMsg_BadLine(self, message: BadLine, _sender: ActorAddress) -> None:
        """An input line was left out."""
        text = f"{message.name}: line {message.number}: {message.reason}"
        log.error("%s", text)
        self.outcome.bad_lines.append(text)

    def receiveMsg_SinkBroken(self, message: SinkBroken, _sender: ActorAddress) -> None:
        """The reader of an output has gone: the work is over."""
        self.outcome.errors.append(f"{message.name}: {message.reason}")
        self.operation.resolve("over", None)


def _only(came: dict[Any, Any]) -> Any:
    (message,) = came.values()
    return message
