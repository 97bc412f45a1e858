"""What a bridge does after its host has died: probation of what was uncommitted, then fusing back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import orjson
from thespian.actors import ActorAddress

from actors.host.link import HostLink, Life
from actors.messages import bridge_to_flow as to_flow
from actors.messages import bridge_to_module as to_module
from actors.messages import flow_to_bridge as from_flow
from actors.messages import module_to_bridge as from_module
from runtimes.frames import Frame, Kind


class Probation(HostLink):
    """The part of the Bridge actor that leads its modules back to full windows and fused wires."""

    members: dict[int, ActorAddress]
    serving: frozenset[int]
    fusing_held: bool
    barred: frozenset[str] | None  # modules into which no wire is fused: they are debugged; None: all
    owner: ActorAddress
    fragile: set[int]  # slots whose source was at work when the last host died, and has done nothing since

    def new_probation(self) -> None:
        """For a new host."""
        self.suspects: dict[int, int] = {}
        self.unfusable: set[str] = set()  # wires with messages in a mailbox: they have to run dry first
        self.probing: int | None = None
        self.probation = self.turn_seen = False
        self.fused: frozenset[str] = frozenset()
        self.draining: deque[int] = deque()
        self.wired: dict[int, dict[str, Any]] = {}  # the last WIRES of each slot

    def write_wires(self) -> None:
        """WIRES for every slot whose wiring is not what it was told last."""
        feeders: dict[int, list[int]] = {}
        for from_slot, _, to_slot, _, _ in self.plan.fusable:
            feeders.setdefault(to_slot, []).append(from_slot)
        self.conversation.transaction.fuse(feeders)
        for slot, body in self.plan.wirings(self.fused).items():
            if self.wired.get(slot) != body:
                self.wired[slot] = body
                self._write([Frame(Kind.WIRES, slot, orjson.dumps(body))])

    # probation: what was uncommitted when the host died is tried again one message at a time -----------------------

    def probe_next(self) -> None:
        """The next suspect, or the end of probation."""
        self.turn_seen = False
        self.probing = next((slot for slot, count in self.suspects.items() if count), None)
        if self.probing is not None:
            self.send(self.members[self.probing], to_module.ProbeNext())
            return
        self.probation = False
        for slot in self.serving:
            self.send(self.members[slot], to_module.ProbationOver())
        self.drain_to_fuse()

    def receiveMsg_ProbeDone(self, message: from_module.ProbeDone, _sender: ActorAddress) -> None:
        """One suspect is innocent."""
        if self.life is Life.OPEN and message.slot == self.probing:
            self.suspects[message.slot] = message.left
            self.probe_next()

    def source_worked(self, slots: Iterable[int]) -> None:
        """These sources have ended a turn, or for good."""
        if self.fragile:
            self.fragile.difference_update(slots)
            if self.life is Life.OPEN and not self.fragile and not self.probation:
                self.drain_to_fuse()

    # fusing back: in topological order each module runs dry on its wires that are to be fused ----------------------

    def drain_to_fuse(self) -> None:
        """Fuse what may be fused and is not, unless an update is under way.

        Nothing is while a source is fragile: what has killed the host may be its next message, in a module fused behind
        it. Unfused the message is that module's own, and is blamed if it does so again.
        """
        given = self.conversation.given
        self.fragile = {slot for slot in self.fragile if slot in given and given[slot].source}
        if self.fusing_held or self.fragile or self.fused == self.fusable_wires:
            return
        self.draining = deque(slot for slot in self.plan.modules if slot in self._ends)
        self._drain_next()

    @property
    def fusable(self) -> list[tuple[int, str, int, str, str]]:
        """The plan's fusable wires that are not barred."""
        if self.barred is None:
            return []
        return [wire for wire in self.plan.fusable if self.plan.modules[wire[2]] not in self.barred]

    @property
    def fusable_wires(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(wire for *_, wire in self.fusable)

    def receiveMsg_BarFusing(self, message: from_flow.BarFusing, _sender: ActorAddress) -> None:
        """The debugger wants to see what comes over a wire, or does not any more. No turn is under way now."""
        if self.draining:
            self.draining.clear()
            self._end_drain()  # of all that may have been told to run dry: before fewer may be fused
        self.barred = message.modules
        if not self.fused <= self.fusable_wires:
            self.fused &= self.fusable_wires
            self.write_wires()
            for slot in self.serving:
                self.send(self.members[slot], to_module.EndDrain(fused=self.fused))
        self.send(self.owner, to_flow.FusingBarred(flow=self.flow, key=self.plan.key))
        if self.life is Life.OPEN and not self.probation:
            self.drain_to_fuse()

    @property
    def _ends(self) -> set[int]:
        return {slot for wire in self.fusable for slot in (wire[0], wire[2])}

    def _drain_next(self) -> None:
        if self.draining:
            slot = self.draining[0]
            wires = frozenset(wire for _, _, to_slot, _, wire in self.fusable if to_slot == slot)
            self.send(self.members[slot], to_module.DrainWires(wires=wires))
            return
        self.fused = self.fusable_wires
        self.write_wires()
        self._end_drain()

    def _end_drain(self) -> None:
        for slot in self._ends:
            self.send(self.members[slot], to_module.EndDrain(fused=self.fused))

    def receiveMsg_HoldFusing(self, message: from_flow.HoldFusing, _sender: ActorAddress) -> None:
        """An update begins or ends."""
        self.fusing_held = message.on
        if message.on:
            if self.draining:
                self.draining.clear()
                self._end_drain()
            self.send(self.owner, to_flow.FusingHeld(flow=self.flow, key=self.plan.key))
        elif self.life is Life.OPEN and not self.probation:
            self.drain_to_fuse()

    def receiveMsg_WiresDrained(self, message: from_module.WiresDrained, _sender: ActorAddress) -> None:
        """The next module's turn."""
        if self.life is Life.OPEN and self.draining and self.draining[0] == message.slot:
            self.draining.popleft()
            self._drain_next()
