"""Fusing: which wires between the modules of a host are handed over inside of it, and how that is begun again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from thespian.actors import ActorAddress

from actors.host.host import Host
from actors.host.members import Members
from actors.host.reports import Reports
from actors.messages import bridge_to_flow as to_flow
from actors.messages import bridge_to_module as to_module
from actors.messages import flow_to_bridge as from_flow
from actors.messages import module_to_bridge as from_module
from runtimes.frames import Frame, Kind


@dataclass
class Bars:
    """What keeps wires from being fused, over all starts of a host."""

    held: bool  # an update is under way
    modules: frozenset[str] | None  # wires into them are not: they are debugged; None: no wire at all
    fragile: set[int] = field(
        default_factory=set
    )  # sources at work when the last start died, that have done nothing since


class Fusing:
    """Of one start of a host. In topological order each module runs dry on its wires that are to be fused."""

    def __init__(
        self, host: Host, members: Members, reports: Reports, bars: Bars, is_steady: Callable[[], bool]
    ) -> None:
        """`is_steady`: the host works, and is not on probation."""
        self._conversation = host.conversation
        self._write = host.link.write
        self._members = members
        self._reports = reports
        self._bars = bars
        self._is_steady = is_steady
        self.fused: frozenset[str] = frozenset()  # ids of wires
        self._draining: deque[int] = deque()
        self._wired: dict[int, dict[str, Any]] = {}  # the last WIRES of each slot

    # wires ---------------------------------------------------------------------------------------------------------

    @property
    def fusable(self) -> list[tuple[int, str, int, str, str]]:
        """The plan's fusable wires that are not barred."""
        plan, barred = self._members.plan, self._bars.modules
        if barred is None:
            return []
        return [wire for wire in plan.fusable if plan.modules[wire[2]] not in barred]

    @property
    def fusable_wires(self) -> frozenset[str]:
        """The ids of the wires that may be fused now."""
        return frozenset(wire for *_, wire in self.fusable)

    @property
    def _ends(self) -> set[int]:
        return {slot for wire in self.fusable for slot in (wire[0], wire[2])}

    def begin(self, entering: Iterable[int], sending: Iterable[int], waiting: set[str], *, cautious: bool) -> None:
        """Before modules begin to work: a wire that was fused still is, and others may be. Then all is wired.

        One into a module that enters may be fused if nothing is `waiting` for it there; not one from a module that may
        be `sending` too early. `cautious`: none at all.
        """
        fusable = self.fusable
        into = {wire for _, _, slot, _, wire in fusable if slot in entering}
        early = {wire for slot, _, _, _, wire in fusable if slot in sending}
        if cautious or self._bars.fragile:
            self.fused = frozenset()
        else:
            self.fused = (self.fused | into - waiting) & self.fusable_wires - early
        self.write_wires()

    def write_wires(self) -> None:
        """WIRES for every slot whose wiring is not what it was told last."""
        feeders: dict[int, list[int]] = {}
        for from_slot, _, to_slot, _, _ in self._members.plan.fusable:
            feeders.setdefault(to_slot, []).append(from_slot)
        self._conversation.transaction.fuse(feeders)
        for slot, body in self._members.plan.wirings(self.fused).items():
            if self._wired.get(slot) != body:
                self._wired[slot] = body
                self._write([Frame(Kind.WIRES, slot, orjson.dumps(body))])

    def is_wired(self, slot: int) -> bool:
        """Whether it was ever to work here."""
        return slot in self._wired

    def forget(self, slot: int) -> None:
        """The slot has gone: whoever gets it next is wired anew."""
        self._wired.pop(slot, None)

    # running dry ---------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Fuse what may be fused and is not, unless an update is under way.

        Nothing is while a source is fragile: what has killed the host may be its next message, in a module fused behind
        it. Unfused the message is that module's own, and is blamed if it does so again.
        """
        given = self._conversation.given
        self._bars.fragile &= {slot for slot in given if given[slot].source}
        if self._bars.held or self._bars.fragile or self.fused == self.fusable_wires:
            return
        self._draining = deque(slot for slot in self._members.plan.modules if slot in self._ends)
        self._drain_next()

    def _drain_next(self) -> None:
        if self._draining:
            slot = self._draining[0]
            wires = frozenset(wire for _, _, to_slot, _, wire in self.fusable if to_slot == slot)
            self._members.tell(slot, to_module.DrainWires(wires=wires))
            return
        self.fused = self.fusable_wires
        self.write_wires()
        self._end_drain()

    def receiveMsg_WiresDrained(self, message: from_module.WiresDrained, _sender: ActorAddress) -> None:
        """The next module's turn."""
        if self._is_steady() and self._draining and self._draining[0] == message.slot:
            self._draining.popleft()
            self._drain_next()

    def _stop_draining(self) -> None:
        if self._draining:
            self._draining.clear()
            self._end_drain()  # of all that may have been told to run dry

    def _end_drain(self) -> None:
        for slot in self._ends:
            self._members.tell(slot, to_module.EndDrain(fused=self.fused))

    # what keeps wires from being fused -----------------------------------------------------------------------------

    def receiveMsg_BarFusing(self, message: from_flow.BarFusing, _sender: ActorAddress) -> None:
        """The debugger wants to see what comes over a wire, or does not any more. No turn is under way now."""
        self._stop_draining()  # before fewer may be fused
        self._bars.modules = message.modules
        if not self.fused <= self.fusable_wires:
            self.fused &= self.fusable_wires
            self.write_wires()
            for slot in self._members.serving:
                self._members.tell(slot, to_module.EndDrain(fused=self.fused))
        self._reports.tell(to_flow.FusingBarred)
        if self._is_steady():
            self.drain()

    def receiveMsg_HoldFusing(self, message: from_flow.HoldFusing, _sender: ActorAddress) -> None:
        """An update begins or ends."""
        self._bars.held = message.on
        if message.on:
            self._stop_draining()
            self._reports.tell(to_flow.FusingHeld)
        elif self._is_steady():
            self.drain()

    def host_died(self, working: Iterable[int]) -> None:
        """These slots' sources were at work."""
        self._bars.fragile = set(working)

    def source_worked(self, slots: Iterable[int]) -> None:
        """These sources have ended a turn, or for good."""
        if self._bars.fragile:
            self._bars.fragile.difference_update(slots)
            if not self._bars.fragile and self._is_steady():
                self.drain()
