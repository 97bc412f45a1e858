"""What a module exchanges with the bridge of its host: load, work, probation, fusing, the host's end.

What the host commits is not here: that is the actor's own affair.
"""

from __future__ import annotations

import logging
from functools import partial

import orjson
from thespian.actors import ActorAddress

from actors.definition.places import closest
from actors.host.load import load_body, start_body
from actors.messages import bridge_to_module as from_bridge
from actors.messages import module_to_bridge as to_bridge
from actors.module.port import ModulePort
from actors.module.record import ModuleRecord
from actors.module.source import Source
from actors.module.wires import Wires
from actors.module.witness import Witness
from actors.state.module import ModuleState

log = logging.getLogger("runner.module")


class HostSide:
    """Of one module: what it tells its bridge, and what that tells it."""

    def __init__(self, record: ModuleRecord, port: ModulePort, wires: Wires, source: Source, witness: Witness) -> None:
        self._record, self._port, self._wires, self._source = record, port, wires, source
        self._witness = witness
        self._loaded_state: ModuleState | None = None  # the one whose context the host has
        self._unwired_ports: set[str] = set()  # that it has sent to, as far as that was said
        self.timed_turn = 0  # the number of the one whose time counts, plus 1

    # load, work, end -----------------------------------------------------------------------------------------------

    def receiveMsg_HostUp(self, message: from_bridge.HostUp, sender: ActorAddress) -> None:
        """Give the host our code and context."""
        record = self._record
        state, module = record.state, record.module
        state.recall.move("host_up")
        self._loaded_state = state
        body = load_body(record.flow, module, record.max_turn_bytes, state.context, record.unit, message.secrets)
        loading = to_bridge.LoadModule(
            slot=record.slot, body=body, suspects=state.blame.suspects, max_turn_bytes=record.max_turn_bytes,
            retry=module.retry is not None, timeout_s=module.timeout_s, context=state.context,
        )  # fmt: skip
        self._port.send(sender, loading)

    def receiveMsg_EnterService(self, _message: from_bridge.EnterService, sender: ActorAddress) -> None:
        """Say how `start` is to be called: with the context, if the host has not got it at LOAD."""
        record = self._record
        state = record.state
        context = None if self._loaded_state is state else state.context
        self._loaded_state = state
        start = to_bridge.StartModule(
            slot=record.slot, body=start_body(state.source_turns, context), context=context,
            waiting=state.mailbox.waiting_wires(),
        )  # fmt: skip
        self._port.send(sender, start)

    def receiveMsg_HostOpen(self, message: from_bridge.HostOpen, _sender: ActorAddress) -> None:
        """The host is ready for messages."""
        self._record.state.host_open(message.probation, pulls=not message.muted)
        self._source.begun(message.source, message.source or message.muted)
        self._wires.fuse(message.fused)
        self._port.act()

    def receiveMsg_Retired(self, _message: from_bridge.Retired, _sender: ActorAddress) -> None:
        """Another version is to work in our place: the host has nothing of us, and gets nothing until it opens."""
        self._record.state.recall.move("retired")

    def handed_over(self) -> None:
        """The host has the context of nobody now."""
        self._loaded_state = None

    def receiveMsg_HostDown(self, message: from_bridge.HostDown, _sender: ActorAddress) -> None:
        """The host died; a message that killed it often enough, alone, becomes a dead letter."""
        error = {
            "type": "HostDied",
            "message": f"the message killed its host: {message.reason}",
            "stack": message.stderr,
        }
        state = self._record.state
        self._source.life.host_down()
        before, head = state.mailbox.queued, state.mailbox.head
        state.host_down(orjson.dumps({"error": error}))
        self._wires.fuse(frozenset())
        self._count_out(before, head)
        self._port.act()

    def receiveMsg_SlotPaused(self, _message: from_bridge.SlotPaused, _sender: ActorAddress) -> None:
        """What was not committed is ours again; a message that used up its retries leaves."""
        state = self._record.state
        before, head = state.mailbox.queued, state.mailbox.head
        state.paused()
        self._count_out(before, head)
        self._source.restart()
        self._port.act()

    def _count_out(self, before: int, head: tuple[str, int]) -> None:
        """What the mailbox has fewer than `before` is done: its head. An error port counts first."""
        state = self._record.state
        if self._record.notes is not None and state.mailbox.queued < before:
            self._record.notes.given_up(*head)
        self._witness.given_up(before - state.mailbox.queued)
        if state.effects:
            self._port.perform()
        self._record.activity.pending -= before - state.mailbox.queued

    # turns ---------------------------------------------------------------------------------------------------------

    def receiveMsg_TurnBegun(self, message: from_bridge.TurnBegun, _sender: ActorAddress) -> None:
        """An announced turn has begun; from here its time counts."""
        self._record.state.blame.turn()
        timeout_s = self._record.module.timeout_s
        if timeout_s is not None:
            self.timed_turn = message.number + 1
            self._port.wakeupAfter(timeout_s, partial(self._time_up, self.timed_turn))

    def turn_ended(self) -> None:
        """The turn whose time counts has ended in time."""
        self.timed_turn = 0

    def _time_up(self, turn: int) -> None:
        if self.timed_turn == turn:
            self.timed_turn = 0
            reason = f"a turn took longer than timeout_s {self._record.module.timeout_s}"
            self._port.send(self._record.bridge, to_bridge.KillHost(reason=reason))

    def retry_later(self, backoff_s: float) -> None:
        """The head of the mailbox may go again after a while."""
        self._port.wakeupAfter(backoff_s, self._retry)

    def _retry(self) -> None:
        self._record.state.go_on("retry")
        self._port.act()

    def receiveMsg_PortUnwired(self, message: from_bridge.PortUnwired, _sender: ActorAddress) -> None:
        """What is sent there is dropped: said once, unless the port is declared."""
        port, record = message.port, self._record
        if port in self._unwired_ports or port in (record.module.ports_out or ()):
            return
        self._unwired_ports.add(port)
        close = closest(port, self._wires.targets)
        hint = f"; did you mean {close!r}?" if close else ""
        log.warning("%s: the port %r has no wire: what is sent there is lost%s", record.name, port, hint)

    # probation, fusing ---------------------------------------------------------------------------------------------

    def receiveMsg_ProbeNext(self, _message: from_bridge.ProbeNext, _sender: ActorAddress) -> None:
        """Our next suspect may go, alone."""
        self._record.state.blame.probe()
        self._port.act()

    def receiveMsg_ProbationOver(self, _message: from_bridge.ProbationOver, _sender: ActorAddress) -> None:
        """Back to full windows."""
        self._record.state.end_probation()
        self._port.act()

    def receiveMsg_DrainWires(self, message: from_bridge.DrainWires, _sender: ActorAddress) -> None:
        """Run dry on these wires."""
        self._record.state.drain(message.wires)
        self._port.act()

    def receiveMsg_EndDrain(self, message: from_bridge.EndDrain, _sender: ActorAddress) -> None:
        """Go on, unless an update holds us as well."""
        self._record.state.end_drain("fuse")
        self._wires.fuse(message.fused)
        self._port.act()
