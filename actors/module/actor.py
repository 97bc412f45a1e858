"""The Module actor: one module of a flow. Decides nothing itself (state/module.py does), never looks into a body."""

from __future__ import annotations

import time
from typing import Any

import orjson
from thespian.actors import ActorAddress

from actors.definition.hosting import WireIn
from actors.definition.wire_names import is_tap
from actors.messages import bridge_to_module as from_bridge
from actors.messages import flow_to_module as from_flow
from actors.messages import module_to_bridge as to_bridge
from actors.messages import module_to_flow as to_flow
from actors.messages.module_to_bridge import SendFrames
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.runner_to_client import Reply
from actors.module.debug import Step
from actors.module.update import ModuleUpdate
from actors.state.effects import (
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
from actors.state.latency import Latency
from actors.state.module import WINDOW_MESSAGES, ModuleState
from actors.state.source_life import SourceLife
from runtimes.frames import HEADERS, join

_new = tuple.__new__  # half the time of Deliver(...)


class ModuleActor(ModuleUpdate):
    """Owns mailbox, context and counters; its messages are the events of the ModuleState."""

    def receiveMsg_ConfigureModule(self, message: from_flow.ConfigureModule, sender: ActorAddress) -> None:
        """Become the module; go on from a state if there is one."""
        module = message.module
        self.owner, self.bridge, self.gauge = sender, message.bridge, message.gauge
        self.flow, self.module, self.max_turn_bytes = message.flow, module, message.max_turn_bytes
        self.feeders, self.targets, self.numbers = message.feeders, message.targets, message.numbers
        self.slot, self.unit, self.placed = message.slot, message.unit, message.placed
        self.fused: frozenset[str] = frozenset()
        self.blocked: set[str] = set()  # output wires whose targets are full
        self.holding: set[str] = set()  # input wires that we hold
        self.source_live, self.source = False, SourceLife(module.restart or module.retry)
        self.unwired_ports: set[str] = set()  # that it has sent to, as far as that was said
        self.timed_turn = 0
        self.latency = Latency()
        self.kept_back: list[from_bridge.TurnsCommitted] = []
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
        for port, (_, _, body, flags, _, count, _) in outputs:
            self.emit(port, body, flags & HEADERS, count)
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
        if pulled:
            self.source.has_sent()
        if state.effects:
            self._perform()  # before the gauge sinks: an error port counts first
        self.gauge.pending -= consumed
        self._act()

    def emit(self, port: str, body: bytes, flags: int, count: int) -> None:
        """Deliver messages to every target of a port that the host has not served itself."""
        first = self.numbers.get(port, 0)
        self.numbers[port] = first + count
        targets = self.targets.get(port, ())
        if not targets:  # written only to be shown in a step
            self.state.sent -= count
            self.state.unwired += count
        for target, wire in targets:
            if wire not in self.fused:
                self.gauge.pending += count
                self.send(target, _new(Deliver, (wire, body, flags, 0, count, first)))

    def _act(self) -> None:
        """Do what the last event asked for."""
        state = self.state
        frames = state.fill()
        if frames:
            self.send(self.bridge, _new(SendFrames, (state.slot, frames)))
        if state.effects:
            self._perform()
        if self.gauge.watched and self.gauge.idle:
            self.send(self.owner, to_flow.FlowIdle(flow=self.flow))

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
                        self.owner,
                        to_flow.ModuleStopped(flow=self.flow, module=self.module.id, reason=reason),
                    )
                case Drained("update"):
                    self.send(self.owner, to_flow.ModuleDry(flow=self.flow, module=self.module.id))
                case Drained():
                    self.send(self.bridge, to_bridge.WiresDrained(slot=self.state.slot))
                case Probed(left):
                    self.send(self.bridge, to_bridge.ProbeDone(slot=self.state.slot, left=left))
                case RetryLater(backoff_s):
                    self.wakeupAfter(backoff_s, "retry")
                case SourceFailed(info):
                    self.source.raised(self.placed(self.module.id, orjson.loads(info)["error"]))
                case BreakpointHit():
                    self.breakpoint_hit(effect)
                case Overrun(wire):
                    self.send(
                        self.owner,
                        to_flow.MailboxOverrun(flow=self.flow, module=self.module.id, wire=wire),
                    )

    def _fail(self, failed: Failed) -> None:
        """To the error port if it is wired, else to the dead letters."""
        info = orjson.loads(failed.info)
        error = self.placed(self.module.id, info["error"])
        port = failed.port or info.get("port") or "in"
        headers = failed.headers if failed.headers != b"null" else None
        if headers is None and info.get("headers"):
            headers = orjson.dumps(info["headers"])
        if self.has_error_wire:
            about = {"error": error, "module": self.module.id, "port": port}
            message = orjson.dumps(about)[:-1] + b',"message":' + failed.message + b"}"
            self.emit_error(message, headers)
            return
        self.state.dead_letter()
        self._dead_letter(port, failed.message, headers, error)

    @property
    def has_error_wire(self) -> bool:
        """Whether anybody takes errors; who only looks on does not."""
        return any(not is_tap(wire) for _, wire in self.targets.get("error", ()))

    def emit_error(self, message: bytes, headers: bytes | None) -> None:
        """One message from the error port."""
        body, flags = join([message], [headers] if headers else None), HEADERS if headers else 0
        if self.step is not None:
            self.step.add_outputs("error", body, flags)
        self.emit("error", body, flags, 1)

    def _dead_letter(self, port: str, message: bytes, headers: bytes | None, error: dict[str, Any]) -> None:
        self.send(
            self.owner,
            to_flow.DeadLettered(
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

    # the flow ------------------------------------------------------------------------------------------------------

    def receiveMsg_StopModule(self, message: from_flow.StopModule, _sender: ActorAddress) -> None:
        """Recall everything; ModuleStopped when done."""
        self.state.stop(message.reason, tell=True)
        self._act()

    def receiveMsg_GoOn(self, message: from_flow.GoOn, _sender: ActorAddress) -> None:
        """Work again."""
        self.state.go_on(message.reason)
        if self.state.drain_reason == message.reason:
            self.state.end_drain()
        self.restart_source()
        self._act()

    def receiveMsg_AddTarget(self, message: from_flow.AddTarget, _sender: ActorAddress) -> None:
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

    def receiveMsg_AddFeeder(self, message: from_flow.AddFeeder, _sender: ActorAddress) -> None:
        """One more wire in."""
        self.state.wires[message.wire] = message.info
        if message.feeder is not None:
            self.feeders[message.wire] = message.feeder

    def receiveMsg_SubmitMessage(self, message: from_flow.SubmitMessage, _sender: ActorAddress) -> None:
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

    def receiveMsg_DescribeModule(self, message: from_flow.DescribeModule, sender: ActorAddress) -> None:
        """Our figures."""
        self.send(
            sender,
            to_flow.ModuleDescribed(request_id=message.request_id, module=self.module.id, figures=self._figures()),
        )

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
            "source": self.source.view(),
            "contextBytes": sum(len(key) + len(value) for key, value in state.context.items()),
        }  # fmt: skip
