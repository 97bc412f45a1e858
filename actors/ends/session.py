"""The Session actor: the embedded default, `runner run`. Adds one flow, feeds it, and knows when it is over."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from thespian.actors import ActorAddress, WakeupMessage

from actors.counted import counted
from actors.definition.places import listed
from actors.ends.feed import FeedActor
from actors.ends.sink import SinkActor
from actors.ends.watcher import WatcherActor
from actors.host.load import source_failure
from actors.messages import client_to_runner as api
from actors.messages.actor_to_sender import ActorFailed
from actors.messages.end_to_session import BadLines, EndReady, FeedBroken, SinkBroken, SinkFlushed
from actors.messages.flow_to_session import FlowEnded
from actors.messages.owner_to_runner import CloseJournals, ShutDown
from actors.messages.run_to_session import Endpoint, RunFlow
from actors.messages.runner_to_client import Reply
from actors.messages.session_to_end import EndFeed, FlushSink, StartEnd
from actors.messages.session_to_flow import MuteSources, WatchFlow
from actors.messages.session_to_watcher import StartWatcher, StopWatcher
from actors.messages.system_to_actor import Ready
from actors.system.base import BaseActor
from actors.system.job import Expect, JobError, Operation, Steps

log = logging.getLogger("runner")
FLUSH_TIMEOUT_S = 5.0


class SessionActor(BaseActor):
    """One job, step by step."""

    def receiveMsg_RunFlow(self, message: RunFlow, _sender: ActorAddress) -> None:
        """Add the flow, attach its ends and start it; `outcome` says when it is over."""
        self.job, self.outcome, self.starting, self.failing = message, message.outcome, False, False
        self.broken: set[str] = set()  # outputs
        self.removed = False  # the flow, by somebody else
        self.signalled = False
        self.system.watch(message.signal_fd, 1, self.myAddress)
        self._begin(self._running())

    def _begin(self, steps: Steps) -> None:
        self.operation = Operation(steps, self._ended, self._has_failed, self.wakeupAfter)
        self.operation.begin()

    def _has_failed(self, error: Exception) -> None:
        """The job has failed: what runs is stopped all the same."""
        if not isinstance(error, JobError):
            log.error("the session has failed", exc_info=error)
        self.outcome.errors.append(str(error) if isinstance(error, JobError) else f"internal error: {error!r}")
        if self.failing:
            self.outcome.over = True
        else:
            self.failing = True
            self._begin(self._shutting_down())

    def _shutting_down(self) -> Steps:
        yield self._call(ShutDown)
        yield self._call(CloseJournals)

    def _call(self, request: type[api.Request] | type[ShutDown] | type[CloseJournals], **fields: Any) -> Expect:
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
        outcome.left_out = reply.data["leftOut"]
        for module, reason in outcome.left_out.items():
            log.warning("left out %s: %s", module, reason)
        if job.mute_sources:
            self.send(job.runner, MuteSources(flow=str(flow_id)))
        sinks = [self._start(SinkActor, end, flow_id) for end in job.outputs]
        ready = yield Expect([("out", end.name) for end in job.outputs])
        feeds = [self._start(FeedActor, end, flow_id) for end in job.inputs]
        ready |= yield Expect([("in", end.name) for end in job.inputs])
        outcome.errors += [f"{message.name}: {error}" for message in ready.values() for error in message.errors]
        if not outcome.errors and not self.signalled:
            self.starting = True
            reply = _only((yield self._call(api.StartFlow, flow_id=flow_id)))
            self.starting = False
            if not reply.ok:
                outcome.errors += reply.data or [reply.error]
        if not outcome.errors and not self.signalled:  # it may have come at any moment of the start
            watcher = self._start_watcher()
            yield from self._until_over(flow_id, reply.data["ends"])
            if self.outcome.ended and any(module.get("background") for module in job.flow["modules"].values()):
                yield from self._run_dry(str(flow_id))
            if watcher is not None:
                self.send(watcher, StopWatcher())
        yield from self._ending(feeds, sinks)
        if not self.removed:
            reply = _only((yield self._call(api.DeadLetters, flow_id=flow_id)))
            outcome.dead_letters = reply.value or []
            outcome.errors += [] if reply.ok else [reply.error]

    def _run_dry(self, flow_id: str) -> Steps:
        """What `stop` sends when all is done, such as a list that is not full, is for modules that have stopped, too:
        they take it, while the sources rest.
        """
        for _ in self.job.flow["modules"]:
            reply = _only((yield self._call(api.StopFlow, flow_id=flow_id)))
            self._add_errors([] if reply.ok else [reply.error])
            rows = _only((yield self._call(api.Audit))).value
            if not reply.ok or self.signalled or not any(row["queued"] for row in rows.values()):
                return
            self.send(self.job.runner, MuteSources(flow=flow_id))
            reply = _only((yield self._call(api.StartFlow, flow_id=flow_id)))
            if not reply.ok:
                self._add_errors(reply.data or [reply.error])
                return
            self.send(self.job.runner, WatchFlow(flow=flow_id, idle=True))
            yield Expect(["over"])

    def _ending(self, feeds: list[ActorAddress], sinks: list[ActorAddress]) -> Steps:
        """Read no more, stop, write what has come out; say what was not done."""
        for feed in feeds:
            self.send(feed, EndFeed())
        state = _only((yield self._call(api.FlowState, flow_id=str(self.job.flow.get("id")), rates=False)))
        sources = {name: m["source"] for name, m in state.value["modules"].items() if m["source"]} if state.ok else {}
        self._add_errors(
            source_failure(f"{state.value['id']}/{name}", source["error"])
            for name, source in sources.items() if source["state"] == "failed"
        )  # fmt: skip
        self._add_errors(_only((yield self._call(ShutDown))).data or ())
        for sink in sinks:
            self.send(sink, FlushSink(timeout_s=FLUSH_TIMEOUT_S))
        flushed = yield Expect([("flushed", end.name) for end in self.job.outputs])
        yield self._call(CloseJournals)
        accounts = _only((yield self._call(api.Audit))).value or {}
        left = {module: row["queued"] for module, row in accounts.items() if row["queued"]}
        if left:
            where = listed(f"{count:,} at {module}" for module, count in left.items())
            log.warning("it was ended before all messages were handled: %s", where)
        self.outcome.errors += [
            f"{sink.name}: {sink.reason}; {counted(sink.lost, 'message')} {_was(sink.lost)} not written"
            for sink in flushed.values() if sink.lost or (sink.reason and left)
        ]  # fmt: skip

    def _add_errors(self, errors: Iterable[str]) -> None:
        """Each is said once."""
        self.outcome.errors += [error for error in errors if error not in self.outcome.errors]

    def _start(self, kind: type[BaseActor], end: Endpoint, flow_id: Any) -> ActorAddress:
        actor = self.createActor(kind)
        self.send(actor, StartEnd(flow=flow_id, end=end, runner=self.job.runner, raw=self.job.raw))
        return actor

    def _start_watcher(self) -> ActorAddress | None:
        if self.job.watch is None:
            return None
        watcher = self.createActor(WatcherActor)
        self.send(watcher, StartWatcher(watch=self.job.watch, runner=self.job.runner))
        return watcher

    def _until_over(self, flow_id: Any, ends: bool) -> Steps:
        self.send(self.job.runner, WatchFlow(flow=flow_id, idle=ends and not self.job.stays))
        if not ends and not self.job.stays and self.job.for_s is None:
            log.info("%s has no source and no -i: it waits for `runner send %s/MODULE JSON`", flow_id, flow_id)
        if self.job.for_s is not None:
            self.wakeupAfter(self.job.for_s, "over")
        if self.job.show is not None:
            self.wakeupAfter(self.job.show_every_s, "show")
        ended = None if self._all_broken() else (yield from self._over(flow_id))
        self.outcome.ended = isinstance(ended, FlowEnded)
        if isinstance(ended, FlowEnded):
            self._add_errors(ended.errors)
        if self.job.show is not None:
            self.outcome.state = _only((yield self._call(api.FlowState, flow_id=flow_id))).value

    def _over(self, flow_id: Any) -> Steps:
        """What ends it. A flow without `-i` that is watched waits for edits when it has nothing to do."""
        while True:
            came = yield Expect(["over"])
            if self.job.watch is None or self.job.inputs or not isinstance(came["over"], FlowEnded):
                return came["over"]
            question = self._call(api.FlowState, flow_id=flow_id, rates=False)
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

    def receiveMsg_ActorFailed(self, message: ActorFailed, _sender: ActorAddress) -> None:
        """A feed, a sink or the runner could not do what it was told."""
        self.operation.fail(JobError(message.error))

    def receiveMsg_FlowEnded(self, message: FlowEnded, _sender: ActorAddress) -> None:
        """Nothing is left to do."""
        if message.removed:
            self.removed = True
            log.info("%s has been removed", message.flow)
        self.operation.resolve("over", message)

    def receiveMsg_Ready(self, _message: Ready, _sender: ActorAddress) -> None:
        """A signal: SIGINT or SIGTERM."""
        self.system.unwatch(self.job.signal_fd)
        if self.starting:  # it may wait for a compiler: then that ends
            self.send(self.job.runner, api.StopFlow(request_id="signal", flow_id=str(self.job.flow.get("id"))))
        self.signalled = True
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

    def receiveMsg_EndReady(self, message: EndReady, _sender: ActorAddress) -> None:
        """A feed or a sink is attached, or cannot be."""
        self.operation.resolve((message.side, message.name), message)

    def receiveMsg_SinkFlushed(self, message: SinkFlushed, _sender: ActorAddress) -> None:
        """A sink has written what it had, or has given up."""
        self.operation.resolve(("flushed", message.name), message)

    def receiveMsg_BadLines(self, message: BadLines, _sender: ActorAddress) -> None:
        """Input lines were left out."""
        for text in message.named or (f"{message.count:,} lines so far were left out",):
            log.error("%s: %s", message.name, text)
        self.outcome.bad_lines[message.name] = message.count

    def receiveMsg_FeedBroken(self, message: FeedBroken, _sender: ActorAddress) -> None:
        """For the flow the input has ended."""
        self.outcome.errors.append(f"{message.name}: {message.reason}; what came before it has been read")

    def receiveMsg_SinkBroken(self, message: SinkBroken, _sender: ActorAddress) -> None:
        """The reader of an output has gone, or its disk is full: without any output the work is over."""
        self.broken.add(message.name)
        if self._all_broken():
            self.operation.resolve("over", None)
        else:
            log.error("%s: %s; the other outputs go on", message.name, message.reason)

    def _all_broken(self) -> bool:
        return bool(self.broken) and len(self.broken) == len(self.job.outputs)


def _only(came: dict[Any, Any]) -> Any:
    (message,) = came.values()
    return message


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
