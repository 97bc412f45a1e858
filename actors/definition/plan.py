"""What an update of a flow has to do here: the difference of two shares, and which part of the flow must be quiet.

Pure. It knows neither hosts that run nor messages that wait.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from actors.definition import graph
from actors.definition.model import Flow
from actors.definition.share import Share

Signature = dict[str, dict[str, tuple[object, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Module ids by what happens to them. `rewired`: only wires changed; `unsettled`: rewired, and a message could be
    on its way on a wire that goes, or leave by one that comes, or to another runner. `gone`: ids of removed wires.
    """

    replaced: frozenset[str]
    added: frozenset[str]
    removed: frozenset[str]
    rewired: frozenset[str]
    unsettled: frozenset[str]
    gone: frozenset[str]

    @property
    def nothing(self) -> bool:
        """Whether the flows do the same."""
        return not (self.replaced or self.added or self.removed or self.rewired)

    def did(self, module: str, carried: Collection[str] = ()) -> str:
        """The word for a module in plan and receipt."""
        for word in ("replaced", "added", "removed"):
            if module in getattr(self, word):
                return word
        return "carried" if module in carried else "rewired" if module in self.rewired else "untouched"


def difference(old: Share, new: Share) -> Difference:
    """From what runs here, `old`, to `new`."""
    both = old.modules.keys() & new.modules.keys()
    whole = old.flow.max_turn_bytes != new.flow.max_turn_bytes  # every host is told it at LOAD
    replaced = {m for m in both if whole or graph.module_hash(old.modules[m]) != graph.module_hash(new.modules[m])}
    old_ins, old_outs = _signatures(old)
    new_ins, new_outs = _signatures(new)
    same = both - replaced
    outs = {m for m in same if old_outs[m] != new_outs[m]}
    ins = {m for m in same if old_ins[m] != new_ins[m]}
    lost = {m for m in ins if _as_read(old_ins[m]) - _as_read(new_ins[m])}
    return Difference(
        replaced=frozenset(replaced),
        added=frozenset(new.modules.keys() - old.modules.keys()),
        removed=frozenset(old.modules.keys() - new.modules.keys()),
        rewired=frozenset(outs | ins),
        unsettled=frozenset(outs | lost),
        gone=frozenset({wire.id for wire in old.wires} - {wire.id for wire in new.wires}),
    )


def _signatures(share: Share) -> tuple[Signature, Signature]:
    """Per module its input and its output wires: wire -> port, how it behaves, and the runner of its other end."""
    feedback = graph.feedback_wires(share.flow)
    fusable = graph.fusable_wires(share, feedback)
    ins: Signature = {}
    outs: Signature = {}
    for module in share.modules:
        ends = share.ends_of(module)
        ins[module] = {w.id: (w.to_port, w.delivery, w.id in feedback, share.away(w.from_module)) for w in ends.inputs}
        outs[module] = {w.id: (w.from_port, w.id in fusable, share.away(w.to_module)) for w in ends.outputs}
    return ins, outs


def _as_read(ins: dict[str, tuple[object, ...]]) -> set[object]:
    """What a module that takes messages knows of them: not where they come from."""
    return {(wire, how[:-1]) for wire, how in ins.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The modules that must be quiet, wherever they are. `modules`: feeders before their targets; `cyclic`: those of
    them on a cycle.
    """

    modules: tuple[str, ...]
    cyclic: frozenset[str]

    def inside(self, flow: Flow) -> dict[str, frozenset[str]]:
        """The wires into each module of the cover that come from the cover: they run dry, all others are held."""
        wires: dict[str, set[str]] = {module: set() for module in self.modules}
        for wire in flow.wires:
            if wire.from_module in wires and wire.to_module in wires:
                wires[wire.to_module].add(wire.id)
        return {module: frozenset(ids) for module, ids in wires.items()}


def cover(share: Share, changed: Collection[str]) -> Cover:
    """The smallest part of the running flow such that no message is handled by a changed module before the update and
    by another one after it: the heads of its input wires are held, the rest runs dry.

    It holds the changed modules, every path between two of them, what is fused in front of them, and every module
    from which two ways lead to them: of its outputs one could arrive before, the other after. (Not the ways around a
    cycle: messages on a cycle may meet both versions.)
    """
    flow = share.flow
    fusable = _fusable(share)
    component = _components(flow)
    members = set(changed)
    while True:
        before = len(members)
        above = _reached(members, [(wire.to_module, wire.from_module) for wire in flow.wires])
        members |= above & _reached(members, [(wire.from_module, wire.to_module) for wire in flow.wires])
        members |= {wire.from_module for wire in flow.wires if wire.id in fusable and wire.to_module in members}
        ways: dict[str, int] = {}
        for wire in flow.wires:
            if wire.to_module in above and component[wire.from_module] != component[wire.to_module]:
                ways[wire.from_module] = ways.get(wire.from_module, 0) + 1
        members |= {module for module, count in ways.items() if count > 1}
        if len(members) == before:
            break
    return Cover(
        modules=_in_order(flow, members),
        cyclic=frozenset(
            wire.from_module for wire in flow.wires
            if wire.from_module in members and component[wire.to_module] == component[wire.from_module]
        ),
    )  # fmt: skip


def stopped_cover(share: Share, changed: Collection[str]) -> Cover:
    """What has to be stopped so that nothing comes to `changed` modules and nothing leaves them: what is fused in front
    of them, too, since a host hands that on by itself. Nothing of it runs dry.
    """
    inside = _fusable(share)
    fusable = [(wire.to_module, wire.from_module) for wire in share.flow.wires if wire.id in inside]
    return Cover(modules=_in_order(share.flow, _reached(changed, fusable)), cyclic=frozenset())


def _fusable(share: Share) -> set[str]:
    """The wires that may be inside a host, on any runner."""
    feedback = graph.feedback_wires(share.flow)
    return {wire for one in share.everywhere for wire in graph.fusable_wires(one, feedback)}


def _in_order(flow: Flow, modules: Collection[str]) -> tuple[str, ...]:
    return tuple(module for module in graph.runner_order(flow) if module in modules)


def behind(flow: Flow, modules: Collection[str]) -> set[str]:
    """These modules and all that their messages lead to."""
    return _reached(modules, [(wire.from_module, wire.to_module) for wire in flow.wires])


def mixing(flow: Flow, changed: Collection[str], waiting: Mapping[str, Collection[str]]) -> frozenset[str]:
    """The changed modules of a flow that does not run which may get a message that another of them has worked on before
    it changed, directly or by what it has made of it. `waiting`: module -> the wires that its mailbox has messages of.
    """
    edges = [(wire.from_module, wire.to_module) for wire in flow.wires]
    worked_on = _reached(changed, edges)
    heads = {
        wire.to_module for wire in flow.wires
        if wire.from_module in worked_on and wire.id in waiting.get(wire.to_module, ())
    }  # fmt: skip
    return frozenset(changed) & _reached(heads, edges)


def _reached(start: Collection[str], edges: list[tuple[str, str]]) -> set[str]:
    """`start` and everything its members lead to."""
    after: dict[str, list[str]] = {}
    for source, target in edges:
        after.setdefault(source, []).append(target)
    reached, waiting = set(start), list(start)
    while waiting:
        for module in after.get(waiting.pop(), ()):
            if module not in reached:
                reached.add(module)
                waiting.append(module)
    return reached


def _components(flow: Flow) -> dict[str, int]:
    """Module -> the number of its strongly connected component.

    Kosaraju's algorithm: backwards through the graph, from the modules in the order in which a depth-first search
    forwards has left them, last one first.
    """
    feeders: dict[str, list[str]] = {module: [] for module in flow.modules}
    for wire in flow.wires:
        feeders[wire.to_module].append(wire.from_module)
    component: dict[str, int] = {}
    for root in graph.depth_first_order(flow):
        waiting = [] if root in component else [root]
        number = len(component)
        while waiting:
            module = waiting.pop()
            if module not in component:
                component[module] = number
                waiting += feeders[module]
    return component
