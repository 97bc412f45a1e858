"""A flow's share: what of it one runner has. Pure; the whole flow is known everywhere, who decides on shares is not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from actors.definition.model import Flow, Module, Wire
from actors.definition.ports import Side


class Ends(NamedTuple):
    """The wires that lead to a module, and those that leave it, in the order of the file. The other end of each may be
    elsewhere.
    """

    inputs: tuple[Wire, ...]
    outputs: tuple[Wire, ...]


class Crossing(NamedTuple):
    """The end here of a wire whose other end is on `runner`: it comes in, or goes out."""

    wire: str
    side: Side
    runner: str


@dataclass(frozen=True)
class Share:
    """`here`: the ids of the modules that are here; the flow need not have all of them."""

    flow: Flow
    here: frozenset[str]

    @classmethod
    def whole(cls, flow: Flow) -> Share:
        """All of a flow."""
        return cls(flow, frozenset(flow.modules))

    @cached_property
    def modules(self) -> dict[str, Module]:
        """The modules that are here, in the order of the file."""
        return {name: module for name, module in self.flow.modules.items() if name in self.here}

    @cached_property
    def wires(self) -> tuple[Wire, ...]:
        """Those with one end here at least, in the order of the file."""
        return tuple(w for w in self.flow.wires if w.from_module in self.modules or w.to_module in self.modules)

    @cached_property
    def crossings(self) -> dict[Crossing, Wire]:
        """The wires whose other end is elsewhere."""
        found = {}
        for wire in self.wires:
            goes = wire.from_module in self.modules
            if (runner := self.away(wire.to_module if goes else wire.from_module)) is not None:
                found[Crossing(wire.id, "out" if goes else "in", runner)] = wire
        return found

    def away(self, module: str) -> str | None:
        """The runner that has a module of the flow; None if it is here."""
        return None if module in self.here else self.flow.modules[module].runner

    @cached_property
    def everywhere(self) -> tuple[Share, ...]:
        """This one, and those that other runners have of the flow."""
        away = {name: module.runner for name, module in self.flow.modules.items() if name not in self.here}
        theirs = [frozenset(name for name in away if away[name] == runner) for runner in {*away.values()}]
        return (self, *(Share(self.flow, names) for names in theirs))

    def ends_of(self, module: str) -> Ends:
        """The wires of a module that is here."""
        return self._ends[module]

    @cached_property
    def _ends(self) -> dict[str, Ends]:
        found: dict[str, tuple[list[Wire], list[Wire]]] = {module: ([], []) for module in self.modules}
        for wire in self.wires:
            if wire.to_module in found:
                found[wire.to_module][0].append(wire)
            if wire.from_module in found:
                found[wire.from_module][1].append(wire)
        return {module: Ends(tuple(inputs), tuple(outputs)) for module, (inputs, outputs) in found.items()}
