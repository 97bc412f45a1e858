"""Which messages of a flow outlive its runner: `disk` is contagious downstream, up to what may lose them. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import replace

from actors.definition.deliveries import DISK
from actors.definition.model import Flow, Module, Wire
from actors.definition.wire_names import is_sink, is_tap, target_of


def spread(
    wires: Mapping[int, Wire], said: Collection[int], modules: Mapping[str, Module], durable: bool
) -> tuple[dict[int, Wire], dict[int, Wire]]:
    """The wires as they are then, by their place in the file; and for those that follow a `disk` wire, that one.

    `said`: the places of those that have a class of their own; `durable`: `disk` is what the others have.
    """
    found = dict(wires)
    for at, wire in wires.items():
        if durable and at not in said and not _ends_in_page(wire, modules):
            found[at] = replace(wire, delivery=DISK)
    reasons: dict[int, Wire] = {}
    waiting = deque(wire for wire in found.values() if wire.delivery.survives_runner)
    followed: set[str] = set()
    while waiting:
        before = waiting.popleft()
        if before.to_module in followed:
            continue
        followed.add(before.to_module)
        for at, wire in found.items():
            if wire.from_module == before.to_module and _loses(wire, modules):
                reasons[at] = before
                found[at] = replace(wire, delivery=DISK)
                waiting.append(found[at])
    return found, reasons


def _loses(wire: Wire, modules: Mapping[str, Module]) -> bool:
    """Whether it would lose at a crash what it is not allowed to."""
    return not wire.delivery.survives_runner and not wire.delivery.may_drop and not _ends_in_page(wire, modules)


def _ends_in_page(wire: Wire, modules: Mapping[str, Module]) -> bool:
    target = modules.get(wire.to_module)
    return target is not None and target.runtime == "browser"


def is_durable(flow: Flow) -> bool:
    """Whether anything of it outlives the runner."""
    return flow.durable or any(wire.delivery.survives_runner for wire in flow.wires)


class KeptWires(dict[str, bool]):
    """Wire -> whether its messages are written down; also of wires from and to the outside, which no file names."""

    def __init__(self, flow: Flow) -> None:
        super().__init__((wire.id, wire.delivery.survives_runner) for wire in flow.wires)
        self._flow, self._durable = flow, is_durable(flow)
        self._losing = _losing(flow)

    def keeps_as(self, other: KeptWires) -> bool:
        """Whether no wire that both have is kept by only one of them."""
        known = [wire.id for wire in self._flow.wires if wire.id in other]
        return self._losing == other._losing and all(self[wire] == other[wire] for wire in known)

    def __missing__(self, wire: str) -> bool:
        """What comes from outside is kept unless it may be lost further down; so is what leaves, but for taps."""
        kept = self._durable and not is_tap(wire) and (is_sink(wire) or target_of(wire)[0] not in self._losing)
        self[wire] = kept
        return kept


def _losing(flow: Flow) -> set[str]:
    """The modules from which a way leads to a wire that loses what waits on it."""
    firm = [wire for wire in flow.wires if not wire.delivery.may_drop]
    found = {wire.from_module for wire in firm if _loses(wire, flow.modules)}
    while more := {wire.from_module for wire in firm if wire.to_module in found} - found:
        found |= more
    return found
