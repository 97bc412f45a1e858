"""What a journal has of modules that move, until that is decided: whoever starts again then has it, once.

The runner that a module leaves notes that it does, the new one notes all that it has; both before anything is decided.
A runner that dies in between is given the flow as it was decided: if the module is to be elsewhere there, what is
written of it is void; if it is to be here, it goes on from what has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actors.definition.model import Flow
from actors.definition.share import Share
from actors.definition.wire_names import target_of
from actors.flow.kept_file import KeptFlow, take_fact
from actors.links.crossed import Crossed, Incoming, Outgoing, receiving_key, sending_key

if TYPE_CHECKING:
    from actors.journal.gathering import Gathering
    from actors.journal.group import Recovered

LEAVING = "leaving"
_ARRIVED = "arrived/"


def arrived_key(runner: str) -> str:
    """The fact that has what modules of that runner have, as it came."""
    return f"{_ARRIVED}{runner}"


def read_modules(data: bytes) -> KeptFlow:
    """What a runner has given of modules that move."""
    import msgpack

    kept = KeptFlow()
    unpacker = msgpack.Unpacker(use_list=False, max_buffer_size=0, strict_map_key=False)
    unpacker.feed(data)
    for fact in unpacker:
        take_fact(kept, fact)
    return kept


def forget(journal: Gathering, keys: Iterable[str]) -> None:
    """It is decided, whichever way."""
    for key in keys:
        if key == LEAVING or key.startswith(_ARRIVED):
            journal.fact(key, None)


def note_ends(journal: Gathering, old: Share, new: Share, ends: Crossed) -> None:
    """In one with the decision: the ends that are here now, and that those that were are not."""
    import msgpack

    for crossing in old.crossings.keys() - new.crossings.keys():
        key = sending_key if crossing.side == "out" else receiving_key
        journal.fact(key(crossing.wire), None)
    for wire, out in ends.sending.items():
        if out.epoch:
            journal.fact(sending_key(wire), msgpack.packb(out.fact))
        journal.consumed(wire, out.next)
    for wire, come in ends.receiving.items():
        journal.fact(receiving_key(wire), msgpack.packb(come.fact))


def placed_as(document: dict[str, Any], wanted: Flow, here: str, places: Mapping[str, str]) -> dict[str, Any]:
    """A document with modules on other runners: those of `places`, and those that are elsewhere before and after, of
    which only the ends of their wires are here.
    """
    modules: dict[str, Any] = {}
    for name, module in document["modules"].items():
        was, to = module.get("runner"), places.get(name)
        if to is None and name in wanted.modules and here not in (was, wanted.modules[name].runner):
            to = wanted.modules[name].runner
        modules[name] = module if to in (None, was) else {**module, "runner": to}
    return {**document, "modules": modules}


@dataclass(slots=True)
class Moved:
    """Of a flow that is read from its journal: the modules that have left or come since it was written."""

    left: dict[str, str] = field(default_factory=dict)  # to which runner
    came: KeptFlow = field(default_factory=KeptFlow)
    void: set[str] = field(default_factory=set)  # wires of which what is written has gone along, or come with them

    @classmethod
    def find(cls, found: Recovered, document: dict[str, Any], wanted: Flow, here: str) -> Moved:
        """`document`: as it was written; `wanted`: as it is to be."""
        import msgpack

        moved = cls()
        was = {name: module.get("runner") for name, module in document["modules"].items()}
        places = {name: module.runner for name, module in wanted.modules.items()}
        for key, value in found.facts.items():
            if key == LEAVING:
                to = msgpack.unpackb(value)
                moved.left = {name: to[name] for name in to if was.get(name) == here and places.get(name) == to[name]}
            elif key.startswith(_ARRIVED):
                kept = read_modules(msgpack.unpackb(value))
                if any(places.get(name) == here != was.get(name, here) for name in kept.states):
                    moved.came.add(kept)
        return moved

    def __bool__(self) -> bool:
        return bool(self.left or self.came.states)

    def document(self, document: dict[str, Any], wanted: Flow, here: str) -> dict[str, Any]:
        """As it is with that."""
        return placed_as(document, wanted, here, self.left | dict.fromkeys(self.came.states, here))

    def touches(self, fact: tuple[Any, ...]) -> bool:
        """Whether what was left at an orderly end, in doubt, is of what has moved, or of its wires."""
        source, target = fact[1].partition("->")[0].partition(".")[0], target_of(fact[1])[0]
        return not {source, target, fact[1]}.isdisjoint((*self.left, *self.came.states))

    def drop_bodies(self, found: Recovered, share: Share) -> None:
        """Those that have gone along with a module, or come with it; and what a module that has left had sent on."""
        for wire in (*found.consumed, *(body.wire for body in found.bodies)):
            source, target = wire.partition("->")[0].partition(".")[0], target_of(wire)[0]
            if (
                target in self.left
                or target in self.came.states
                or (source in self.left and target not in share.modules)
            ):
                self.void.add(wire)
        found.bodies = [body for body in found.bodies if body.wire not in self.void]

    def settle(self, kept: KeptFlow, found: Recovered, share: Share) -> None:
        """The modules that are here, the ends of their wires, and the numbers of those that are inside now.
        `kept` has the modules that were here.
        """
        import msgpack

        numbers = {name: numbers for name, (_, numbers) in kept.states.items()}
        for name in self.left:
            del kept.states[name]
        kept.add(self.came)
        for letter in self.came.dead_letters:
            kept.dead_letter_count += 1
            letter.id = f"{share.flow.id}/{kept.dead_letter_count}"
        numbers |= {name: numbers for name, (_, numbers) in self.came.states.items()}
        for crossing, wire in share.crossings.items():
            number = numbers.get(wire.from_module, {}).get(wire.from_port, 0)
            if crossing.side == "out" and wire.to_module in self.left:
                kept.crossed.sending[wire.id] = Outgoing(0, number)
            elif crossing.side == "in" and wire.from_module in self.left:
                kept.crossed.receiving[wire.id] = Incoming(0, number)
        for wire in share.wires:
            come = kept.crossed.receiving.get(wire.id)
            if come is None and (fact := found.facts.get(receiving_key(wire.id))) is not None:
                come = Incoming(*msgpack.unpackb(fact))
            if come is not None and {wire.from_module, wire.to_module} <= share.modules.keys():
                own = numbers[wire.from_module]
                own[wire.from_port] = max(come.next, own.get(wire.from_port, 0))
        inside = {crossing.wire for crossing in share.crossings}
        kept.crossed.sending = {wire: out for wire, out in kept.crossed.sending.items() if wire in inside}
        kept.crossed.receiving = {wire: come for wire, come in kept.crossed.receiving.items() if wire in inside}
