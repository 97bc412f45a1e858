"""The shape of a flow's graph: cycles, order, hosts. Pure functions; ties are broken by the order of the file."""

from __future__ import annotations

import hashlib
import heapq
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from actors.definition.model import Flow, FlowTest, Module
    from actors.definition.ports import Side
    from actors.definition.share import Share

Targets = dict[str, list[str]]
PAGES = "browser"  # the runtime whose host is every page that has joined


def feedback_wires(flow: Flow) -> frozenset[str]:
    """The ids of the wires that close a cycle when the wires are added one by one, in the order of the file."""
    order = _OnlineOrder(flow)
    return frozenset(wire.id for wire in flow.wires if not order.add(wire.from_module, wire.to_module))


class _OnlineOrder:
    """A topological order kept while wires are added (Pearce and Kelly 2006).

    It starts from the depth-first order of the whole graph, in which most wires point forward already and cost nothing.
    """

    def __init__(self, flow: Flow) -> None:
        self.rank = {module: rank for rank, module in enumerate(depth_first_order(flow))}
        self.targets: Targets = {module: [] for module in flow.modules}
        self.sources: Targets = {module: [] for module in flow.modules}

    def add(self, source: str, target: str) -> bool:
        """Adds a wire; False, and nothing is added, if it would close a cycle."""
        low, high = self.rank[target], self.rank[source]
        if low <= high:
            after = self._reached(target, self.targets, low, high)
            if source in after:
                return False
            before = self._reached(source, self.sources, low, high)
            self._reorder(before, after)
        self.targets[source].append(target)
        self.sources[target].append(source)
        return True

    def _reached(self, start: str, neighbours: Targets, low: int, high: int) -> set[str]:
        """What `start` reaches among the modules whose rank is from low to high."""
        reached, waiting = {start}, [start]
        while waiting:
            for module in neighbours[waiting.pop()]:
                if module not in reached and low <= self.rank[module] <= high:
                    reached.add(module)
                    waiting.append(module)
        return reached

    def _reorder(self, before: set[str], after: set[str]) -> None:
        """Gives the ranks of both sets to `before` first, then to `after`."""
        ranks = sorted(self.rank[module] for module in before | after)
        ordered = sorted(before, key=self.rank.__getitem__) + sorted(after, key=self.rank.__getitem__)
        self.rank.update(zip(ordered, ranks, strict=True))


def depth_first_order(flow: Flow) -> list[str]:
    """The modules in reverse postorder: a topological order as far as there are no cycles."""
    targets = _targets(flow)
    seen: set[str] = set()
    postorder: list[str] = []
    for root in flow.modules:
        stack = [] if root in seen else [(root, iter(targets[root]))]
        seen.add(root)
        while stack:
            module, rest = stack[-1]
            for target in rest:
                if target not in seen:
                    seen.add(target)
                    stack.append((target, iter(targets[target])))
                    break
            else:
                postorder.append(module)
                stack.pop()
    return postorder[::-1]


def runner_order(flow: Flow) -> tuple[str, ...]:
    """The module ids so that each comes after all that feed it; feedback wires are ignored."""
    targets = _targets(flow, feedback_wires(flow))
    position = {module: index for index, module in enumerate(flow.modules)}
    feeders = dict.fromkeys(flow.modules, 0)
    for module in targets.values():
        for target in module:
            feeders[target] += 1
    names = list(flow.modules)
    ready = [position[module] for module in names if not feeders[module]]
    result = []
    while ready:
        module_id = names[heapq.heappop(ready)]
        result.append(module_id)
        for target in targets[module_id]:
            feeders[target] -= 1
            if not feeders[target]:
                heapq.heappush(ready, position[target])
    return tuple(result)


def is_of_pages(flow: Flow, side: Side, module: str, port: str) -> bool:
    """Whether what goes into a port comes from pages, or what leaves it goes there, or is of a page itself."""
    modules = flow.modules
    if modules[module].runtime == PAGES:
        return True
    if side == "in":
        others = (wire.from_module for wire in flow.wires if (wire.to_module, wire.to_port) == (module, port))
    else:
        others = (wire.to_module for wire in flow.wires if (wire.from_module, wire.from_port) == (module, port))
    return any(modules[other].runtime == PAGES for other in others)


def goes_to_all_pages(flow: Flow, module: str, port: str) -> bool:
    """Whether each page gets what leaves a port, whichever page it comes from."""
    return any((wire.from_module, wire.from_port, wire.to_client) == (module, port, "all") for wire in flow.wires)


def host_key(module: Module) -> str:
    """The host that runs a module: `python3`, `python3:alarm` for one of its own, `python3#1f2e3d4c` for a special one.

    Modules share a host if they may share a process: same runtime, dependencies, environment, limits and placement.
    """
    if module.runtime == PAGES:
        return PAGES  # a page says by itself what it gives a Worker of its own
    if module.isolated or module.timeout_s is not None:
        return f"{module.runtime}:{module.id}"
    needs = host_needs(module)
    if not any(needs):
        return module.runtime
    return f"{module.runtime}#{_digest(needs)[:8]}"


def host_needs(module: Module) -> list[Any]:
    """What a module asks of its host's process; a running host cannot change it."""
    return [sorted(module.dependencies), module.env, module.limits, module.runner]


def module_version(module: Module) -> str:
    """A short name of a module as it is: its runtime and the beginning of its hash."""
    return f"{module.runtime}@{module_hash(module)[:8]}"


def host_groups(share: Share) -> dict[str, tuple[str, ...]]:
    """Host key -> the ids of its modules, both in the order of the file; of the hosts that are here."""
    groups: dict[str, list[str]] = {}
    for module in share.modules.values():
        groups.setdefault(host_key(module), []).append(module.id)
    return {key: tuple(ids) for key, ids in groups.items()}


def fusable_wires(share: Share, feedback: Collection[str]) -> frozenset[str]:
    """The ids of the wires that may hand over native values inside a host.

    Beyond what the target asks for, neither end may overlap its turns: behind a module with `concurrency`
    the next one would see messages in the order they ended.
    """
    modules = share.modules
    hosts = {module.id: host_key(module) for module in modules.values()}
    return frozenset(
        wire.id
        for wire in share.wires
        if wire.delivery.fusable
        and wire.from_port != "error"
        and hosts.get(wire.from_module) == hosts.get(wire.to_module)  # both are here, then
        and modules[wire.from_module].concurrency == 1
        and _takes_native_values(modules[wire.to_module])
        and wire.id not in feedback
    )


def _takes_native_values(module: Module) -> bool:
    return module.retry is None and module.timeout_s is None and module.concurrency == 1


def without_modules(flow: Flow, ids: Collection[str]) -> Flow:
    """The flow without some modules, their wires, and the tests that mention them; `document` stays as it was."""

    def stays(test: FlowTest) -> bool:
        return not any(endpoint.split(".")[0] in ids for endpoint in (*test.send, *test.expect, *test.dead))

    return replace(
        flow,
        modules={id: module for id, module in flow.modules.items() if id not in ids},
        wires=tuple(wire for wire in flow.wires if wire.from_module not in ids and wire.to_module not in ids),
        tests=tuple(test for test in flow.tests if stays(test)),
    )


def module_hash(module: Module) -> str:
    """Changes when anything of the module does: its text, files, config, dependencies or any other field."""
    return _digest(asdict(module))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _targets(flow: Flow, without: Iterable[str] = ()) -> Targets:
    """Module id -> the targets of its wires, a module as often as it has wires."""
    dropped = frozenset(without)
    targets: Targets = {module: [] for module in flow.modules}
    for wire in flow.wires:
        if wire.id not in dropped:
            targets[wire.from_module].append(wire.to_module)
    return targets
