"""What a bridge does after its host has died: probation of what was uncommitted, then fusing back."""

from __future__ import annotations

from collections import deque

import orjson
from thespian.actors import ActorAddress

from actors.host_link import HostLink, Life
from actors.messages import bridge_to_module as to_module
from actors.messages import module_to_bridge as from_module
from runtimes.frames import Frame, Kind


class Probation(HostLink):
    """The part of the Bridge actor that leads its modules back to full windows and fused wires."""

    members: tuple[ActorAddress, ...]

    def new_probation(self) -> None:
        """For a new host."""
        self.suspects: dict[int, int] = {}
        self.unfusable: set[str] = set()  # wires with messages in a mailbox: they have to run dry first
        self.probing: int | None = None
        self.probation = self.turn_seen = False
        self.fused: frozenset[str] = frozenset()
        self.draining: deque[int] = deque()

    # probation: what was uncommitted when the host died is tried again one message at a time -----------------------

    def _probe_next(self) -> None:
        self.turn_seen = False
        self.probing = next((slot for slot, count in self.suspects.items() if count), None)
        if self.probing is not None:
            self.send(self.members[self.probing], to_module.ProbeNext())
            return
        self.probation = False
        for member in self.members:
            self.send(member, to_module.ProbationOver())
        self._drain_to_fuse()

    def receiveMsg_ProbeDone(self, message: from_module.ProbeDone, _sender: ActorAddress) -> None:
        """One suspect is innocent."""
        if self.life is Life.OPEN and message.slot == self.probing:
            self.suspects[message.slot] = message.left
            self._probe_next()

    # fusing back: in topological order each module runs dry on its wires that are to be fused ----------------------

    def _drain_to_fuse(self) -> None:
        ends = {slot for wire in self.plan.fusable for slot in (wire[0], wire[2])}
        self.draining = deque(sorted(ends))
        self._drain_next()

    def _drain_next(self) -> None:
        if self.draining:
            slot = self.draining[0]
            wires = frozenset(wire for _, _, to_slot, _, wire in self.plan.fusable if to_slot == slot)
            self.send(self.members[slot], to_module.DrainWires(wires=wires))
            return
        self.fused = self.plan.fusable_wires
        if not self.fused:
            return
        wirings = self.plan.wirings(self.fused)
        slots = sorted({slot for wire in self.plan.fusable for slot in (wire[0], wire[2])})
        self._write([Frame(Kind.WIRES, slot, orjson.dumps(wirings[slot])) for slot in slots])
        for slot in slots:
            self.send(self.members[slot], to_module.EndDrain(fused=self.fused))

    def receiveMsg_WiresDrained(self, message: from_module.WiresDrained, _sender: ActorAddress) -> None:
        """The next module's turn."""
        if self.life is Life.OPEN and self.draining and self.draining[0] == message.slot:
            self.draining.popleft()
            self._drain_next()
