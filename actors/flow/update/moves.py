"""What of an update moves modules to other runners: their state goes there, and stays here until that is decided.

Nothing is taken from a module or a wire before the decision, so there is nothing to give back. What they have is told
as facts, those of the files of kept flows; they travel as messages of a wire of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from thespian.actors import ActorAddress, ActorExitRequest

from actors.definition.deliveries import MEMORY
from actors.definition.graph import PAGES
from actors.definition.model import Wire
from actors.definition.plan import behind
from actors.definition.wire_names import target_of
from actors.flow.kept_file import KeptFlow, letter_fact
from actors.flow.moved import LEAVING, arrived_key, forget, note_ends
from actors.flow.update.arrival import LENGTH, ArrivalActor
from actors.links.crossed import Crossed, Incoming, Outgoing
from actors.links.sending import SendingActor
from actors.messages.flow_to_arrival import AwaitModules, EndArrival
from actors.messages.flow_to_bridge import BarFusing
from actors.messages.flow_to_module import DescribeState, SetBreakpoint
from actors.messages.link_to_owner import WireEmptied, WireHandedOver
from actors.messages.module_to_flow import ModuleHandedOver, StateDescribed
from actors.messages.module_to_module import Deliver
from actors.messages.owner_to_link import EmptyWire, HandOverWire, StartSending
from actors.state.activity import Activity
from actors.state.condition import Breakpoint
from actors.state.facts import Fact, facts_of
from actors.system.job import Expect, JobError, Steps

if TYPE_CHECKING:
    from actors.flow.update.joint import Joint
    from actors.flow.update.means import Means
    from actors.flow.update.plan import Plan

PIECE_BYTES = 256 << 10  # at least, but for the only one: a wire joins what is small


class Moves:
    """Of one update of several runners."""

    def __init__(self, means: Means, plan: Plan, joint: Joint) -> None:
        self._means, self._plan, self._joint = means, plan, joint
        self._here = means.premises.name
        self._arrivals: list[ActorAddress] = []
        self._senders: dict[str, ActorAddress] = {}  # by wire
        self._said: dict[Any, Any] = {}  # what modules and ends here have described
        self._unfinished: dict[str, int] = {}  # wire that was inside -> messages of it that are not finished, at most
        self._ends = Crossed()  # how the ends here of wires that change go on
        self._sessions: tuple[Any, ...] = ()  # of pages, which leave with all browser modules
        self._noted: set[str] = set()  # facts of the journal
        self.came = KeptFlow()  # what the modules that come have had

    def expect(self) -> None:
        """From now on what the other runners give is taken in."""
        for runner in sorted({before for before, after in self._plan.moves.values() if after == self._here}):
            actor = self._means.port.createActor(ArrivalActor)
            self._arrivals.append(actor)
            assert self._means.premises.links.router is not None
            self._means.port.send(
                actor,
                AwaitModules(
                    flow=self._plan.old.flow.id, update=self._joint.name, wire=self._wire_to(self._here), runner=runner,
                    router=self._means.premises.links.router,
                ),
            )  # fmt: skip

    def exchanging(self) -> Steps:
        """Give, and take what the others give. Returns no errors, but may raise JobError."""
        yield from self._giving()
        yield from self._taking()
        return ()

    def _giving(self) -> Steps:
        """At a quiet point: let the other runners have what is here of modules that move to them, and note how the
        ends here of wires that change go on.
        """
        yield from self._asking()
        by_runner: dict[str, list[str]] = {}
        for module, (before, after) in self._plan.moves.items():
            if before == self._here:
                by_runner.setdefault(after, []).append(module)
        for runner, modules in by_runner.items():
            self._send(runner, self._facts([name for name in modules if name in self._plan.leaving]))
        for actor in self._senders.values():
            self._means.port.send(actor, EmptyWire())
        keys: list[Any] = [(WireEmptied, wire) for wire in self._senders]
        if leaving := {name: self._plan.moves[name][1] for name in self._plan.leaving}:
            keys += self._note({LEAVING: leaving})
        came = yield Expect(keys, self._plan.old.flow.drain_timeout_s)
        if len(came) < len(keys):
            raise JobError(f"{self._plan.old.flow.id}: what moves does not arrive within drain_timeout_s")
        self._note_ends(lambda module: module in self._plan.old.share.modules)

    def _taking(self) -> Steps:
        """What has been given here has come; the ends of its wires go on from what the other runner knew."""
        wanted = {before for before, after in self._plan.moves.values() if after == self._here}
        yield Expect(("arrived", self._joint.name, runner) for runner in wanted - self._joint.arrived.keys())
        for runner in wanted:
            self.came.add(self._joint.arrived[runner].kept)
        self._means.record.sessions = tuple(self.came.sessions)
        if self.came.states:
            yield Expect(self._note({arrived_key(runner): self._joint.arrived[runner].data for runner in wanted}))
        self._note_ends(lambda module: module in self._plan.coming)

    def handed(self) -> dict[Any, Any]:
        """The states of what moves here, as if modules here had handed them over."""
        return {
            (ModuleHandedOver, name): ModuleHandedOver(
                flow=self._plan.old.flow.id, module=name, state=state, numbers=numbers
            )
            for name, (state, numbers) in self.came.states.items()
        }

    @property
    def waiting(self) -> int:
        """Messages in the mailboxes of what moves here."""
        return sum(state.mailbox.queued for state, _ in self.came.states.values())

    def _note(self, facts: dict[str, Any]) -> list[Any]:
        """For a runner that starts again before anybody can tell it more. Returns what is to be waited for."""
        record = self._means.record
        if record.durable_journal is None and not record.dead_letters and not self.came.dead_letters:
            return []
        self._noted |= facts.keys()
        return self._means.journal.ask_noted(facts)

    def stand(self) -> None:
        """It is decided: in one, what the journal had of what has left is void, and it has what has come."""
        record, journal, plan = self._means.record, self._means.record.durable_journal, self._plan
        if journal is not None:
            from actors.module.notes import note_module

            for name in plan.leaving:
                self._means.journal.note_removed(name, self._said[StateDescribed, name].state)
            for name, (state, numbers) in self.came.states.items():
                note_module(journal, name, state, numbers)
            note_ends(journal, plan.old.share, plan.new.share, self._ends)
        for wire, number in self.came.input_numbers.items():
            record.input_numbers[wire] = max(number, record.input_numbers.get(wire, 0))
        self._move_breakpoints()
        self._means.letters.give(plan.leaving)
        self._means.letters.take(self.came.dead_letters)
        self._forget()

    def _move_breakpoints(self) -> None:
        """No wire is fused now."""
        record, debug = self._means.record, self._means.record.debug
        for name in self._plan.leaving & debug.breakpoints.keys():
            del debug.breakpoints[name]
        debug.hits -= self._plan.leaving
        if not self.came.breakpoints and not self._plan.leaving:
            return
        for name, view in self.came.breakpoints.items():
            debug.breakpoints[name] = Breakpoint(view["when"], view["scope"], view["log"], view["timeoutS"])
            self._means.port.send(record.modules[name], SetBreakpoint(breakpoint=debug.breakpoints[name]))
        self._means.journal.note_breakpoints()
        for bridge in record.bridges.values() if record.state == "running" else ():
            self._means.port.send(bridge, BarFusing(modules=debug.barred))

    def _forget(self) -> None:
        if self._means.record.journal is not None:
            forget(self._means.record.journal, self._noted)
            self._noted.clear()

    def end(self) -> None:
        """The update is over."""
        if not self._joint.in_doubt:
            self._forget()
        port = self._means.port
        for actor in self._arrivals:
            port.send(actor, EndArrival())
        for actor in self._senders.values():
            port.send(actor, HandOverWire())
            port.send(actor, ActorExitRequest())

    def least(self, module: str) -> dict[str, int]:
        """Out-ports of a module that is here -> the number that the next message has at least: a wire that was between
        runners has had others.
        """
        found: dict[str, int] = {}
        for wire in self._inside():
            if wire.from_module == module:
                if wire.to_module in self._plan.coming:
                    number = self.came.crossed.receiving[wire.id].next
                else:
                    number = self._next_in(wire)
                found[wire.from_port] = max(number, found.get(wire.from_port, 0))
        return found

    # what is here --------------------------------------------------------------------------------------------------

    def _inside(self) -> list[Wire]:
        """The wires that have both ends here from now on, and had not."""
        old, new = self._plan.old.share.modules, self._plan.new.share
        return [
            wire for wire in new.wires
            if {wire.from_module, wire.to_module} <= new.modules.keys()
            and not {wire.from_module, wire.to_module} <= old.keys()
        ]  # fmt: skip

    def _asking(self) -> Steps:
        """The modules here at both ends of the wires of what moves, and the ends of those that cross."""
        old, port, moves = self._plan.old, self._means.port, self._plan.moves
        touched = [wire for wire in old.share.wires if wire.from_module in moves or wire.to_module in moves]
        modules = {name for wire in touched for name in (wire.from_module, wire.to_module) if name in old.share.modules}
        modules |= self._plan.leaving
        inside = [wire for wire in touched if {wire.from_module, wire.to_module} <= old.share.modules.keys()]
        lost_with = {wire.id: self._lost_with(wire) for wire in inside}
        modules = modules.union(*lost_with.values())
        keys: list[Any] = []
        for module in modules:
            port.send(old.modules[module], DescribeState(moves=module in self._plan.leaving))
            keys.append((StateDescribed, module))
        ids = {wire.id for wire in touched} | {wire.id for wire in old.share.wires if wire.from_module in modules}
        for end in self._means.wiring.crossings.of(old.share):
            if end.wire in ids:
                port.send(end.actor, HandOverWire(stays=True))
                keys.append((WireHandedOver, end.wire))
        self._said = yield Expect(keys)
        self._unfinished = {wire: self._count(wire, modules) for wire, modules in lost_with.items()}
        if any(old.share.modules[name].runtime == PAGES for name in self._plan.leaving):
            self._sessions = yield from self._means.life.sessions()

    def _lost_with(self, wire: Wire) -> set[str]:
        """The modules that have what a wire has brought, or what came of that, and are on the runner of its target."""
        stays = self._plan.old.share.modules.keys() - self._plan.leaving
        target = {wire.to_module}
        return behind(self._plan.old.flow, target) & stays | target if target <= stays else target

    def _count(self, wire: str, modules: set[str]) -> int:
        """How many messages that are, at most: behind the target nobody can tell any more which wire they came of."""
        count, target = 0, target_of(wire)[0]
        for name in modules:
            mailbox = self._said[StateDescribed, name].state.mailbox
            segments = (*mailbox.window, *mailbox.waiting())
            count += sum(one.count for one in segments if name != target or one.wire == wire)
        for end in self._means.wiring.crossings.of(self._plan.old.share):
            if end.side == "out" and end.module in modules:
                count += self._said[WireHandedOver, end.wire].state.messages
        return count

    def _next_in(self, wire: Wire) -> int:
        """The number of the next message of a wire to a module that is here now."""
        if (from_ := self._said.get((StateDescribed, wire.from_module))) is not None:
            number: int = from_.numbers.get(wire.from_port, 0)
            return number
        state = self._said[WireHandedOver, wire.id].state
        known = self._means.record.input_numbers.get(wire.id, 0)
        return known if state is None else state.next

    def _incoming(self, wire: Wire) -> Incoming:
        """How the receiving end of a wire to a module that is here now goes on."""
        described = self._said.get((WireHandedOver, wire.id))
        known: Incoming | None = described.state if described is not None else None
        return known or Incoming(0, self._next_in(wire))

    def _outgoing(self, wire: Wire) -> Outgoing:
        """How the sending end of a wire from a module that is here now goes on. Nothing is on its way."""
        if (described := self._said.get((WireHandedOver, wire.id))) is not None:
            left: Outgoing = described.state
            return replace(left, waiting=[])
        number = self._said[StateDescribed, wire.from_module].numbers.get(wire.from_port, 0)
        return Outgoing(0, number, number - self._unfinished[wire.id])

    def _note_ends(self, of: Callable[[str], bool]) -> None:
        """For the ends that `wiring` makes next, of modules for which `of` holds."""
        old, new, crossed = self._plan.old.share, self._plan.new.share, self._ends
        for crossing, wire in new.crossings.items():
            module = wire.from_module if crossing.side == "out" else wire.to_module
            if crossing in old.crossings or not of(module):
                continue
            came = self.came.crossed
            if crossing.side == "out":
                crossed.sending[wire.id] = came.sending.get(wire.id) or self._outgoing(wire)
            else:
                crossed.receiving[wire.id] = came.receiving.get(wire.id) or self._incoming(wire)
                crossed.receiving[wire.id] = crossed.receiving[wire.id].of(crossing.runner)
        self._means.record.crossed.sending |= crossed.sending
        self._means.record.crossed.receiving |= crossed.receiving

    # the facts -----------------------------------------------------------------------------------------------------

    def _facts(self, modules: Collection[str]) -> Iterator[Fact]:
        """Of these modules. Epochs are of a runner, so none goes along."""
        record, share = self._means.record, self._plan.old.share
        ends = Crossed()
        for name in modules:
            described = self._said[StateDescribed, name]
            yield from facts_of(name, described.state, described.numbers)
            for wire in share.ends_of(name).inputs:
                ends.receiving[wire.id] = self._incoming(wire)
            for wire in share.ends_of(name).outputs:
                ends.sending[wire.id] = replace(self._outgoing(wire), epoch=0)
            if (breakpoint := record.debug.breakpoints.get(name)) is not None:
                yield "breakpoint", name, breakpoint.view()
            yield from (letter_fact(letter) for letter in record.dead_letters if letter.module == name)
            yield "inputs", {wire: n for wire, n in record.input_numbers.items() if target_of(wire)[0] == name}
        yield from ends.facts()
        if any(share.modules[name].runtime == PAGES for name in modules):
            yield from (("session", session) for session in self._sessions)

    def _send(self, runner: str, facts: Iterable[Fact]) -> None:
        import msgpack

        port, links, wire = self._means.port, self._means.premises.links, self._wire_to(runner)
        assert links.router is not None
        actor = self._senders[wire] = port.createActor(SendingActor)
        start = StartSending(
            flow=self._plan.old.flow.id, wire=wire, runner=runner, delivery=MEMORY,
            new_epoch=self._means.wiring.crossings.new_epoch, window_bytes=PIECE_BYTES, router=links.router,
            activity=Activity(),
        )  # fmt: skip
        port.send(actor, start)
        data = b"".join(map(msgpack.packb, facts))
        data = LENGTH.pack(len(data)) + data
        pieces = max(1, len(data) // PIECE_BYTES)
        for number in range(pieces):
            end = (number + 1) * PIECE_BYTES if number + 1 < pieces else len(data)
            port.send(actor, Deliver(wire, data[number * PIECE_BYTES : end], 0, 0, 1, number))

    def _wire_to(self, runner: str) -> str:
        return f"move {self._joint.name} to {runner}"
