"""The Module actor: one module of a flow. Decides nothing itself (module_state.py does), never looks into a body."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import orjson
from thespian.actors import ActorAddress, WakeupMessage

from actors.effects import (
    BreakpointHit,
    Drained,
    Failed,
    HoldsChanged,
    Overrun,
    Probed,
    RetryLater,
    SourceFailed,
    Stopped,
)
from actors.flows.graph import module_version
from actors.flows.hosting import WireIn
from actors.latency import Latency
from actors.load import encode_context, load_body
from actors.messages import bridge_to_module as from_bridge
from actors.messages import module_to_bridge as to_bridge
from actors.messages import module_to_runner as to_runner
from actors.messages import runner_to_module as from_runner
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.runner_to_client import Reply
from actors.module_debug import ModuleDebug, Step
from actors.module_state import WINDOW_MESSAGES, ModuleState
from actors.tap import is_tap
from runtimes.frames import HEADERS, join

log = logging.getLogger("runner.module")


class ModuleActor(ModuleDebug):
    """Owns mailbox, context and counters; its messages are the events of the ModuleState."""

    def receiveMsg_ConfigureModule(self, message: from_runner.ConfigureModule, sender: ActorAddress) -> None:
        """Become the module; go on from a state if there is one."""
        module = message.module
        self.runner, self.bridge, self.gauge = sender, message.bridge, message.gauge
        self.flow, self.module, self.max_turn_bytes = message.flow, module, message.max_turn_bytes
        self.feeders, self.targets, self.numbers = message.feeders, message.targets, message.numbers
        self.slot, self.unit = message.slot, message.unit
        self.fused: frozenset[str] = frozenset()
        self.blocked: set[str] = set()  # output wires whose targets are full
        self.holding: set[str] = set()  # input wires that we hold
        self.source_live = False
        self.timed_turn = 0
        self.latency = Latency()
        self.step: Step | None = None  # while one is under way
        self.loaded_state: ModuleState | None = None  # the one whose context the host has
        self._go_on_from(message.state or ModuleState(), message.wires_in)

    def _go_on_from(self, state: ModuleState, wires_in: dict[str, WireIn]) -> None:
        self.state = state
        retry, timed = self.module.retry, self.module.timeout_s is not None
        state.configure(
            slot=self.slot, wires=wires_in, retry_times=retry.times if retry else None,
            backoff_s=retry.backoff_s if retry else 0.0, announce=timed,
            window_messages=self.module.concurrency if timed else WINDOW_MESSAGES,
        )  # fmt: skip
        if not self.blocked:  # whoever is full says so again
            state.stops.discard("target")
        self._update_holds()

    # the hot path --------------------------------------------------------------------------------------------------

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        """Messages of a wire arrive."""
        wire, body, flags, skip, count, first = message
        dropped = self.state.deliver(wire, body, flags, skip, count, first, time.monotonic())
        if dropped:
            self.gauge.pending -= dropped
        self._act()

    def receiveMsg_TurnsCommitted(self, message: from_bridge.TurnsCommitted, _sender: ActorAddress) -> None:
        """Our part of a transaction: outputs go on, the context changes, consumed messages leave the mailbox."""
        consumed, handled, failed, pulled, sent, unwired, busy_us, fused, outputs, context, errors = message
        for port, frame in outputs:
            self.emit(port, frame.body, frame.flags & HEADERS, frame.count)
        state = self.state
        if consumed > state.window_messages:
            self.send(
                self.bridge, to_bridge.KillHost(reason="it broke the link protocol: it consumed what it never got")
            )
            return
        if consumed:
            self.latency.add(time.monotonic() - state.window[0].arrived)
        state.commit(consumed, handled, failed, pulled, sent, unwired, busy_us, fused, context, errors)
        self.timed_turn = 0
        if state.effects:
            self._perform()  # before the gauge sinks: an error port counts first
        self.gauge.pending -= consumed
        self._act()

    def emit(self, port: str, body: bytes, flags: int, count: int) -> None:
        """Deliver messages to every target of a port that the host has not served itself."""
        first = self.numbers.get(port, 0)
        self.numbers[port] = first + count
        for target, wire in self.targets.get(port, ()):
            if wire not in self.fused:
                self.gauge.pending += count
                self.send(target, Deliver(wire, body, flags, 0, count, first))

    def _act(self) -> None:
        """Do what the last event asked for."""
        state = self.state
        frames = state.fill()
        if frames:
            self.send(self.bridge, to_bridge.SendFrames(frames))
        if state.effects:
            self._perform()
        if self.gauge.watched and self.gauge.idle:
            self.send(self.runner, to_runner.FlowIdle(flow=self.flow))

    # effects -------------------------------------------------------------------------------------------------------

    def _perform(self) -> None:
        effects, self.state.effects = self.state.effects, []
        for effect in effects:
            match effect:
                case HoldsChanged():
                    self._update_holds()
                case Failed():
                    self._fail(effect)
                case Stopped(reason):
                    self.send(
                        self.runner,
                        to_runner.ModuleStopped(flow=self.flow, module=self.module.id, reason=reason),
                    )
                case Drained("update"):
                    self.send(self.runner, to_runner.ModuleDry(flow=self.flow, module=self.module.id))
                case Drained():
                    self.send(self.bridge, to_bridge.WiresDrained(slot=self.state.slot))
                case Probed(left):
                    self.send(self.bridge, to_bridge.ProbeDone(slot=self.state.slot, left=left))
                case RetryLater(backoff_s):
                    self.wakeupAfter(backoff_s, "retry")
                case SourceFailed(info):
                    error = orjson.loads(info)["error"]
                    self.send(self.runner, to_runner.SourceRaised(flow=self.flow, module=self.module.id, error=error))
                case BreakpointHit():
                    self.breakpoint_hit(effect)
                case Overrun(wire):
                    self.send(
                        self.runner,
                        to_runner.MailboxOverrun(flow=self.flow, module=self.module.id, wire=wire),
                    )

    def _fail(self, failed: Failed) -> None:
        """To the error port if it is wired, else to the dead letters."""
        info = orjson.loads(failed.info)
        port = failed.port or info.get("port") or "in"
        headers = failed.headers if failed.headers != b"null" else None
        if headers is None and info.get("headers"):
            headers = orjson.dumps(info["headers"])
        if any(not is_tap(wire) for _, wire in self.targets.get("error", ())):
            about = {"error": info["error"], "module": self.module.id, "port": port}
            message = orjson.dumps(about)[:-1] + b',"message":' + failed.message + b"}"
            body, flags = join([message], [headers] if headers else None), HEADERS if headers else 0
            if self.step is not None:
                self.step.add_outputs("error", body, flags)
            self.emit("error", body, flags, 1)
            return
        self.state.dead_letter()
        self._dead_letter(port, failed.message, headers, info["error"])

    def _dead_letter(self, port: str, message: bytes, headers: bytes | None, error: dict[str, Any]) -> None:
        self.send(
            self.runner,
            to_runner.DeadLettered(
                flow=self.flow, module=self.module.id, port=port, message=message, headers=headers, error=error
            ),
        )

    # back-pressure -------------------------------------------------------------------------------------------------

    def receiveMsg_HoldWire(self, message: HoldWire, _sender: ActorAddress) -> None:
        """A target is full: nothing more on that wire, so no turn of ours at all."""
        self.blocked.add(message.wire)
        self.state.stop("target")
        self._update_holds()
        self._act()

    def receiveMsg_ReleaseWire(self, message: ReleaseWire, _sender: ActorAddress) -> None:
        """A target has room again."""
        self.blocked.discard(message.wire)
        if not self.blocked:
            self.state.go_on("target")
        self._update_holds()
        self._act()

    def _update_holds(self) -> None:
        """Hold the feeders of a full mailbox; those of fused wires when our own output is full."""
        wanted: set[str] = set()
        if self.state.over_high:
            wanted |= {wire for wire in self.state.wires if self.state.must_hold(wire)}
        if self.blocked:
            wanted |= self.fused & self.state.wires.keys()
        for wire in wanted ^ self.holding:
            feeder = self.feeders.get(wire)
            if feeder is not None:
                self.send(feeder, HoldWire(wire=wire) if wire in wanted else ReleaseWire(wire=wire))
        self.holding = wanted

    # the host ------------------------------------------------------------------------------------------------------

    def receiveMsg_HostUp(self, _message: from_bridge.HostUp, sender: ActorAddress) -> None:
        """Give the host our code and context."""
        state = self.state
        state.host_up()
        self.loaded_state = state
        body = load_body(self.flow, self.module, self.max_turn_bytes, state.context, self.unit)
        self.send(
            sender,
            to_bridge.LoadModule(
                slot=state.slot, body=body, suspects=state.suspects
            ),
        )  # fmt: skip

    def receiveMsg_EnterService(self, _message: from_bridge.EnterService, sender: ActorAddress) -> None:
        """Say how `start` is to be called: with the context, if the host has not got it at LOAD."""
        state = self.state
        body: dict[str, Any] = {"hook": "start", "turns": state.source_turns}
        encoded = orjson.dumps(body)
        has_context = self.loaded_state is not state
        if has_context:
            self.loaded_state = state
            encoded = encoded[:-1] + b',"context":' + encode_context(state.context) + b"}"
        self.send(
            sender,
            to_bridge.StartModule(
                slot=state.slot, body=encoded, has_context=has_context, waiting=state.waiting_wires()
            ),
        )

    def receiveMsg_HostOpen(self, message: from_bridge.HostOpen, _sender: ActorAddress) -> None:
        """The host is ready for messages."""
        self.state.host_open(message.probation)
        self.state.pulls = not message.muted
        self.fused = message.fused
        if message.source and not self.source_live:
            self.gauge.sources += 1
        self.source_live = message.source
        self._update_holds()
        self._act()

    def receiveMsg_Retired(self, _message: from_bridge.Retired, _sender: ActorAddress) -> None:
        """Another version is to work in our place."""
        self.state.retired()

    def receiveMsg_HostDown(self, message: from_bridge.HostDown, _sender: ActorAddress) -> None:
        """The host died; a message that killed it often enough, alone, becomes a dead letter."""
        error = {
            "type": "HostDied",
            "message": f"the message killed its host: {message.reason}",
            "stack": message.stderr,
        }
        self.fused = frozenset()
        before = self.state.queued
        self.state.host_down(orjson.dumps({"error": error}))
        self._update_holds()
        if self.state.effects:
            self._perform()
        self.gauge.pending -= before - self.state.queued
        self._act()

    def receiveMsg_SlotPaused(self, _message: from_bridge.SlotPaused, _sender: ActorAddress) -> None:
        """What was not committed is ours again; a message that used up its retries leaves."""
        before = self.state.queued
        self.state.paused()
        if self.state.effects:
            self._perform()
        self.gauge.pending -= before - self.state.queued
        self._act()

    def receiveMsg_SourceFinished(self, _message: from_bridge.SourceFinished, _sender: ActorAddress) -> None:
        """Our source has ended."""
        self._source_ended()
        self._act()

    def _source_ended(self) -> None:
        if self.source_live:
            self.source_live = False
            self.gauge.sources -= 1

    def receiveMsg_TurnBegun(self, message: from_bridge.TurnBegun, _sender: ActorAddress) -> None:
        """An announced turn has begun; from here its time counts."""
        self.state.turn()
        if self.module.timeout_s is not None:
            self.timed_turn = message.number + 1
            self.wakeupAfter(self.module.timeout_s, self.timed_turn)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A retry is due, or a turn may have run out of time."""
        if message.payload == "retry":
            self.state.go_on("retry")
            self._act()
        elif self.timed_turn and message.payload == self.timed_turn:
            self.timed_turn = 0
            self.send(
                self.bridge, to_bridge.KillHost(reason=f"a turn took longer than timeout_s {self.module.timeout_s}")
            )

    def receiveMsg_ProbeNext(self, _message: from_bridge.ProbeNext, _sender: ActorAddress) -> None:
        """Our next suspect may go, alone."""
        self.state.probe()
        self._act()

    def receiveMsg_ProbationOver(self, _message: from_bridge.ProbationOver, _sender: ActorAddress) -> None:
        """Back to full windows."""
        self.state.end_probation()
        self._act()

    def receiveMsg_DrainWires(self, message: from_bridge.DrainWires, _sender: ActorAddress) -> None:
        """Run dry on these wires."""
        self.state.drain(message.wires)
        self._act()

    def receiveMsg_EndDrain(self, message: from_bridge.EndDrain, _sender: ActorAddress) -> None:
        """Go on, unless an update holds us as well."""
        if self.state.drain_reason == "fuse":
            self.state.end_drain()
        self.fused = message.fused
        self._update_holds()
        self._act()

    # the runner ----------------------------------------------------------------------------------------------------

    def receiveMsg_StopModule(self, message: from_runner.StopModule, _sender: ActorAddress) -> None:
        """Recall everything; ModuleStopped when done."""
        self.state.stop(message.reason, tell=True)
        self._act()

    def receiveMsg_GoOn(self, message: from_runner.GoOn, _sender: ActorAddress) -> None:
        """Work again."""
        self.state.go_on(message.reason)
        if self.state.drain_reason == message.reason:
            self.state.end_drain()
        self._act()

    def receiveMsg_AddTarget(self, message: from_runner.AddTarget, _sender: ActorAddress) -> None:
        """One more receiver of a port, or one less."""
        targets = self.targets.setdefault(message.port, [])
        targets[:] = [entry for entry in targets if entry[1] != message.wire]
        if message.target is not None:
            targets.append((message.target, message.wire))
        else:
            self.blocked.discard(message.wire)
            if not self.blocked:
                self.state.go_on("target")
            self._act()

    def receiveMsg_AddFeeder(self, message: from_runner.AddFeeder, _sender: ActorAddress) -> None:
        """One more wire in."""
        self.state.wires[message.wire] = message.info
        if message.feeder is not None:
            self.feeders[message.wire] = message.feeder

    def receiveMsg_SubmitMessage(self, message: from_runner.SubmitMessage, _sender: ActorAddress) -> None:
        """A message from the API."""
        if self.state.over_high:
            error = (
                f"the mailbox of {self.flow}/{self.module.id} is full: {self.state.queued} messages; try again later"
            )
            self.send(message.client, Reply(request_id=message.request_id, ok=False, value=False, error=error))
            return
        self.gauge.pending += 1
        self.state.deliver(message.wire, message.body, message.flags, 0, 1, message.number, time.monotonic())
        self.send(message.client, Reply(request_id=message.request_id, ok=True, value=True))
        self._act()

    def receiveMsg_DescribeModule(self, message: from_runner.DescribeModule, sender: ActorAddress) -> None:
        """Our figures."""
        self.send(
            sender,
            to_runner.ModuleDescribed(request_id=message.request_id, module=self.module.id, figures=self._figures()),
        )

    def module_version(self) -> str:
        """The short name of what runs here."""
        return module_version(self.module)

    def _figures(self) -> dict[str, Any]:
        state = self.state
        return {
            "runtime": self.module.runtime, "version": self.module_version(),
            "link": state.link.name.lower(), "stops": sorted(state.stops),
            "accepted": state.accepted, "completed": state.completed, "queued": state.queued,
            "dropped": state.dropped, "deadLettered": state.dead_lettered,
            "mailbox": state.queued - state.window_messages, "inFlight": state.window_messages,
            "mailboxBytes": state.queued_bytes, "handled": state.handled, "sent": state.sent, "errors": state.errors,
            "unwired": state.unwired, "busyMs": state.busy_us / 1000,
            "latencyMs": {"p50": self.latency.percentile_ms(0.5), "p99": self.latency.percentile_ms(0.99)},
            "contextBytes": sum(len(key) + len(value) for key, value in state.context.items()),
        }  # fmt: skip

    # updates -------------------------------------------------------------------------------------------------------

    def receiveMsg_Quiesce(self, message: from_runner.Quiesce, _sender: ActorAddress) -> None:
        """Run dry on some wires, hold the others."""
        self.state.drain(EVERY_WIRE if message.wires is None else message.wires, "update")
        self._act()

    def receiveMsg_AskDry(self, _message: from_runner.AskDry, _sender: ActorAddress) -> None:
        """Say when it is done."""
        self.state.ask_drained()
        self._act()

    def receiveMsg_DescribeContext(self, _message: from_runner.DescribeContext, sender: ActorAddress) -> None:
        """Our context as of the last commit."""
        self.send(
            sender,
            to_runner.ContextDescribed(flow=self.flow, module=self.module.id, context=dict(self.state.context)),
        )

    def receiveMsg_HandOver(self, _message: from_runner.HandOver, sender: ActorAddress) -> None:
        """The state goes to the other version; this one may get it back."""
        state, self.state = self.state, ModuleState()
        self.state.configure(slot=self.slot, wires={})
        self.state.link = state.link
        self.loaded_state = self.step = None
        self.blocked.clear()
        self.holding.clear()
        self._source_ended()
        self.handlers = _REPLACED
        self.send(
            sender,
            to_runner.ModuleHandedOver(flow=self.flow, module=self.module.id, state=state, numbers=self.numbers),
        )

    def _fence(self, message: Any, _sender: ActorAddress) -> None:
        """A replaced incarnation has no say: what its code still commits (from a timer, say) is not applied."""
        what = type(message).__name__
        log.warning("%s/%s: the replaced version still works: ignored: %s", self.flow, self.module.id, what)

    def receiveMsg_TakeOver(self, message: from_runner.TakeOver, _sender: ActorAddress) -> None:
        """Go on from the state of the other version."""
        if "handlers" in vars(self):
            del self.handlers
        state = message.state
        state.move_to(self.state)
        if message.context is not None:
            state.context = message.context
        ends = message.ends
        self.numbers, self.feeders, self.targets = message.numbers, ends.feeders, ends.targets
        self._go_on_from(state, ends.wires_in)
        self._drop(ends.drop)

    def receiveMsg_Rewire(self, message: from_runner.Rewire, _sender: ActorAddress) -> None:
        """Other wires or other actors; whoever is full says so again."""
        state = self.state
        kept = {wire for wire, feeder in self.feeders.items() if message.feeders.get(wire) == feeder}
        self.holding &= kept
        before = {(str(actor), wire) for targets in self.targets.values() for actor, wire in targets}
        after = {(str(actor), wire) for targets in message.targets.values() for actor, wire in targets}
        self.blocked &= {wire for _, wire in before & after}
        self.feeders, self.targets = message.feeders, message.targets
        state.wires = state.wires | message.wires_in
        self._drop(message.drop)
        if not self.blocked:
            state.go_on("target")
        self._update_holds()
        self._act()

    def _drop(self, wires: frozenset[str]) -> None:
        letters = self.state.discard(wires) if wires else ()
        error = {"type": "WireRemoved", "message": "the wire was removed while this message was queued"}
        for port, body, headers in letters:
            self._dead_letter(port, body, headers, error)
        self.gauge.pending -= len(letters)


class _EveryWire(frozenset[str]):
    """Holds every wire, those to come too."""

    def __contains__(self, _wire: object) -> bool:
        return True


EVERY_WIRE = _EveryWire()
_IGNORED = (from_bridge.TurnsCommitted, from_bridge.SourceFinished, from_bridge.TurnBegun)
_REPLACED: dict[type, Callable[..., None]] = {kind: ModuleActor._fence for kind in _IGNORED}
