"""What a module actor does with its host: load, work, probation, fusing, its end. Mixed into the Module actor."""

from __future__ import annotations

import logging

import orjson
from thespian.actors import ActorAddress, WakeupMessage

from actors.definition.model import Module
from actors.definition.origin import Placed
from actors.definition.places import closest
from actors.host.load import encode_context, load_body
from actors.messages import bridge_to_module as from_bridge
from actors.messages import module_to_bridge as to_bridge
from actors.messages import module_to_flow as to_flow
from actors.state.activity import Gauge
from actors.state.module import ModuleState
from actors.state.recall import Link
from actors.state.source_life import SourceLife
from actors.system.base import BaseActor

log = logging.getLogger("runner.module")


class ModuleHost(BaseActor):
    """The part of the Module actor that listens to the bridge."""

    serves_flow = True
    owner: ActorAddress
    bridge: ActorAddress
    flow: str
    module: Module
    gauge: Gauge
    state: ModuleState
    loaded_state: ModuleState | None  # the one whose context the host has
    fused: frozenset[str]
    source: SourceLife
    source_live: bool  # it counts as work to come: it runs, or will run again
    timed_turn: int
    targets: dict[str, list[tuple[ActorAddress, str]]]
    unwired_ports: set[str]
    placed: Placed

    def _act(self) -> None:
        raise NotImplementedError

    def _perform(self) -> None:
        raise NotImplementedError

    def _update_holds(self) -> None:
        raise NotImplementedError

    def __str__(self) -> str:
        return f"the actor of {self.flow}/{self.module.id}" if hasattr(self, "module") else super().__str__()

    def receiveMsg_HostUp(self, _message: from_bridge.HostUp, sender: ActorAddress) -> None:
        """Give the host our code and context."""
        state = self.state
        state.host_up()
        self.loaded_state = state
        body = load_body(self.flow, self.module, self.max_turn_bytes, state.context, self.unit)
        loading = to_bridge.LoadModule(
            slot=state.slot, body=body, suspects=state.suspects, max_turn_bytes=self.max_turn_bytes,
            retry=self.module.retry is not None, timeout_s=self.module.timeout_s, context=state.context,
        )  # fmt: skip
        self.send(sender, loading)

    def receiveMsg_EnterService(self, _message: from_bridge.EnterService, sender: ActorAddress) -> None:
        """Say how `start` is to be called: with the context, if the host has not got it at LOAD."""
        state = self.state
        context = None if self.loaded_state is state else state.context
        self.loaded_state = state
        body = self._start_body(with_context=context is not None)
        self.send(
            sender,
            to_bridge.StartModule(slot=state.slot, body=body, context=context, waiting=state.waiting_wires()),
        )

    def _start_body(self, with_context: bool) -> bytes:
        encoded = orjson.dumps({"hook": "start", "turns": self.state.source_turns})
        if with_context:
            encoded = encoded[:-1] + b',"context":' + encode_context(self.state.context) + b"}"
        return encoded

    def receiveMsg_HostOpen(self, message: from_bridge.HostOpen, _sender: ActorAddress) -> None:
        """The host is ready for messages."""
        self.state.host_open(message.probation)
        self.state.pulls = not message.muted
        self.fused = message.fused
        self._source_begun(message.source, message.source or message.muted)
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
        self.source.host_down()
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
        self.restart_source()
        self._act()

    def receiveMsg_PortUnwired(self, message: from_bridge.PortUnwired, _sender: ActorAddress) -> None:
        """What is sent there is dropped: said once, unless the port is declared."""
        port = message.port
        if port in self.unwired_ports or port in (self.module.ports_out or ()):
            return
        self.unwired_ports.add(port)
        close = closest(port, self.targets)
        hint = f"; did you mean {close!r}?" if close else ""
        log.warning(
            "%s/%s: the port %r has no wire: what is sent there is lost%s", self.flow, self.module.id, port, hint
        )

    # our source ----------------------------------------------------------------------------------------------------

    def _source_begun(self, live: bool, is_source: bool) -> None:
        self.source.begun(is_source)
        self.gauge.sources += live - self.source_live
        self.source_live = live
        if is_source:
            self.send(self.owner, to_flow.SourceBegun(flow=self.flow, module=self.module.id))
        elif self.module.restart is not None:
            log.warning("%s/%s: `restart` has no effect: the module is no source", self.flow, self.module.id)

    def receiveMsg_SourceFinished(self, message: from_bridge.SourceFinished, _sender: ActorAddress) -> None:
        """It has ended."""
        if message.ok:
            self.source.ended()
            self._source_ended()
        else:
            self._source_failed()
        self._act()

    def _source_ended(self) -> None:
        self.gauge.sources -= self.source_live
        self.source_live = False

    def _source_failed(self) -> None:
        """It is started again after a while; or it has failed, and its error goes to the error port."""
        again_s, error = self.source.failed(), self.source.error or {"type": "Error", "message": "unknown"}
        raised = to_flow.SourceRaised(flow=self.flow, module=self.module.id, error=error, again_s=again_s)
        self.send(self.owner, raised)
        if again_s is not None:
            self.wakeupAfter(again_s, ("restart", self.source.life))
            return
        if self.has_error_wire:
            about = {"error": error, "module": self.module.id, "port": "start", "message": None}
            self.emit_error(orjson.dumps(about), None)
        self._source_ended()

    def restart_source(self) -> None:
        """When it is due: recall what the host has of us, credit too; then call `start` once more."""
        state = self.state
        if not self.source.due or state.stops - {"restart"} or state.draining is not None:
            return
        state.stop("restart")
        if state.link is Link.OPEN and not state.window and not state.credit:
            self.source.due = False
            self.send(self.bridge, to_bridge.RestartSource(slot=state.slot, body=self._start_body(with_context=True)))

    def receiveMsg_SourceRestarted(self, message: from_bridge.SourceRestarted, _sender: ActorAddress) -> None:
        """It runs again, or `start` itself has raised."""
        if self.source.state != "restarting":
            return
        self.state.go_on("restart")
        if message.error is not None:
            self.source.raised(self.placed(self.module.id, message.error))
            self._source_failed()
        else:
            self._source_begun(message.source and self.source_live, message.source)
        self._act()

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
        elif message.payload == ("restart", self.source.life):
            self.source.due = True
            self.restart_source()
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
