"""A module's wires: who is at their other ends, which number comes next, and who has to wait for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.wire_names import is_tap
from actors.messages import flow_to_module as from_flow
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.module.port import ModulePort
from actors.module.record import ModuleRecord

_new = tuple.__new__  # half the time of Deliver(...)


class Wires:
    """Of one module; the tables are as in ConfigureModule."""

    def __init__(self, record: ModuleRecord, port: ModulePort, message: from_flow.ConfigureModule) -> None:
        self._record, self._port = record, port
        self._activity, self._send = record.activity, port.send
        self._journal = message.journal
        self.feeders = message.feeders
        self.targets = message.targets
        self.numbers = message.numbers
        self.fused: frozenset[str] = frozenset()  # the host serves them itself
        self.blocked: set[str] = set()  # output wires whose targets are full
        self.holding: set[str] = set()  # input wires that we hold

    # out -----------------------------------------------------------------------------------------------------------

    def emit(self, port: str, body: bytes, flags: int, count: int) -> None:
        """Deliver messages to every target of a port that the host has not served itself."""
        first = self.numbers.get(port, 0)
        self.numbers[port] = first + count
        targets = self.targets.get(port, ())
        if not targets:  # written only to be shown in a step
            self._record.state.not_wired(count)
        for target, wire in targets:
            if wire not in self.fused:
                self._activity.pending += count
                self._send(target, _new(Deliver, (wire, body, flags, 0, count, first)))
                if self._journal is not None:
                    self._journal.sent(wire, body, flags, 0, count, first)

    @property
    def takes_errors(self) -> bool:
        """Whether anybody takes errors; who only looks on does not."""
        return any(not is_tap(wire) for _, wire in self.targets.get("error", ()))

    # back-pressure -------------------------------------------------------------------------------------------------

    def receiveMsg_HoldWire(self, message: HoldWire, _sender: ActorAddress) -> None:
        """A target is full: nothing more on that wire, so no turn of ours at all."""
        self.blocked.add(message.wire)
        self._record.state.stop("target")
        self.hold()
        self._port.act()

    def receiveMsg_ReleaseWire(self, message: ReleaseWire, _sender: ActorAddress) -> None:
        """A target has room again."""
        self.blocked.discard(message.wire)
        self.go_on()
        self._port.act()

    def hold(self) -> None:
        """Hold the feeders of a full mailbox; those of fused wires when our own output is full."""
        mailbox = self._record.state.mailbox
        wanted: set[str] = set()
        if mailbox.over_high:
            wanted |= {wire for wire in mailbox.wires if mailbox.must_hold(wire)}
        if self.blocked:
            wanted |= self.fused & mailbox.wires.keys()
        for wire in wanted ^ self.holding:
            feeder = self.feeders.get(wire)
            if feeder is not None:
                self._send(feeder, HoldWire(wire=wire) if wire in wanted else ReleaseWire(wire=wire))
        self.holding = wanted

    def go_on(self) -> None:
        """Work again, unless a target is full."""
        if not self.blocked:
            self._record.state.go_on("target")
        self.hold()

    def fuse(self, fused: frozenset[str]) -> None:
        """These are inside the host from now on, and no others."""
        self.settle()
        self.fused = fused
        self.hold()

    def settle(self) -> None:
        """Count what came on fused wires."""
        state = self._record.state
        state.mailbox.counts.settle(state.fused, self.fused & self.feeders.keys())  # `fused`: all wires of the host

    def view(self) -> dict[str, dict[str, Any]]:
        """What is known here of each wire in: messages that came and that wait, whether it is fused, or held."""
        self.settle()
        mailbox = self._record.state.mailbox
        waiting: Counter[str] = Counter()
        for segment in (*mailbox.window, *mailbox.waiting()):
            waiting[segment.wire] += segment.count
        return {
            wire: {
                "messages": mailbox.counts.of(wire), "waiting": waiting[wire],
                "fused": wire in self.fused, "held": wire in self.holding,
            }
            for wire in self.feeders
        }  # fmt: skip

    # who is at their ends ------------------------------------------------------------------------------------------

    def receiveMsg_AddTarget(self, message: from_flow.AddTarget, _sender: ActorAddress) -> None:
        """One more receiver of a port, or one less."""
        targets = self.targets.setdefault(message.port, [])
        targets[:] = [entry for entry in targets if entry[1] != message.wire]
        if message.target is not None:
            targets.append((message.target, message.wire))
        else:
            self.blocked.discard(message.wire)
            self.go_on()
            self._port.act()

    def receiveMsg_AddFeeder(self, message: from_flow.AddFeeder, _sender: ActorAddress) -> None:
        """One more wire in, or somebody at the other end of one; if we are full, he waits."""
        if message.info is not None:
            self._record.state.mailbox.add_wires({message.wire: message.info})
        if message.feeder is not None:
            self.feeders[message.wire] = message.feeder
            self.holding.discard(message.wire)
            self.hold()

    def forget_waits(self) -> None:
        """Nobody waits: whoever is full says so again."""
        self.blocked.clear()
        self.holding.clear()

    def take(self, ends: from_flow.Rewire, numbers: dict[str, int]) -> None:
        """Have the ends of another version, and go on with its numbers."""
        self.feeders, self.targets, self.numbers = ends.feeders, ends.targets, numbers
        self.raise_numbers(ends.least)

    def rewire(self, ends: from_flow.Rewire) -> None:
        """Other wires or other actors; who is not the same as before says again that it is full."""
        self.holding &= {wire for wire, feeder in self.feeders.items() if ends.feeders.get(wire) == feeder}
        before = {(str(actor), wire) for targets in self.targets.values() for actor, wire in targets}
        after = {(str(actor), wire) for targets in ends.targets.values() for actor, wire in targets}
        self.blocked &= {wire for _, wire in before & after}
        self.feeders, self.targets = ends.feeders, ends.targets
        self.raise_numbers(ends.least)

    def raise_numbers(self, least: Mapping[str, int]) -> None:
        """Of these ports: on a wire that was between runners there may have been higher ones."""
        for port, number in least.items():
            self.numbers[port] = max(number, self.numbers.get(port, 0))
