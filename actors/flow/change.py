"""What an update is: its two sides, what it has to do, and its receipt. Knows nothing of how it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from thespian.actors import ActorAddress

from actors.definition import graph
from actors.definition.hosting import HostPlan
from actors.definition.model import Flow
from actors.definition.plan import Cover, Difference, difference
from actors.flow.prepare import HostCommand
from actors.flow.record import FlowRecord
from actors.host.load import Context


@dataclass(slots=True)
class Side:
    """One of the two versions: what the record holds of it, and the actors of the modules that the other replaces."""

    flow: Flow
    left_out: dict[str, str]
    modules: dict[str, ActorAddress] = field(default_factory=dict)  # all of them
    bridges: dict[str, ActorAddress] = field(default_factory=dict)
    plans: dict[str, HostPlan] = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    own: frozenset[str] = frozenset()  # modules with an actor that is not the other side's
    contexts: dict[str, Context] = field(default_factory=dict)  # that replace the handed over ones

    def own_slots(self) -> dict[str, frozenset[int]]:
        """Host key -> the slots of the modules that only this side has."""
        slots: dict[str, set[int]] = {}
        for module in self.own:
            key, slot = self.places[module]
            slots.setdefault(key, set()).add(slot)
        return {key: frozenset(some) for key, some in slots.items()}


@dataclass(slots=True)
class Update:
    """An update under way."""

    old: Side
    new: Side
    difference: Difference
    contexts: dict[str, Context]  # of a rollback: instead of the current ones
    carried: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()  # keys of hosts that stay
    cover: Cover = field(default_factory=lambda: Cover(modules=(), cyclic=frozenset()))
    at_once: frozenset[str] = frozenset()  # modules that are recalled, not drained
    mixed: frozenset[str] = frozenset()  # those of them that may handle messages of before with the new version
    trials: dict[str, ActorAddress] = field(default_factory=dict)
    commands: dict[str, HostCommand] = field(default_factory=dict)  # of the trials, and of the new hosts
    load_ms: dict[str, float] = field(default_factory=dict)
    migrating: dict[str, int] = field(default_factory=dict)  # module -> the version its context has
    migrated: dict[str, Context] = field(default_factory=dict)
    stop_errors: dict[str, str] = field(default_factory=dict)  # module -> what the `stop` of its old version has raised
    held: dict[str, int] = field(default_factory=dict)
    late: frozenset[tuple[str, str]] = frozenset()  # hosts that were too busy to load the new versions before
    begun: float = 0.0
    holding: bool = False  # it keeps the flow from being over
    pause_ms: float = 0.0

    def dropped(self, module: str) -> frozenset[str]:
        """Removed wires whose messages are not to be handled any more."""
        modules = self.new.flow.modules if module in self.new.flow.modules else self.old.flow.modules
        if modules[module].on_queued != "dead_letter":
            return frozenset()
        return frozenset(w.id for w in self.old.flow.wires if w.to_module == module and w.id in self.difference.gone)


def planned(record: FlowRecord, flow: Flow, left_out: dict[str, str], contexts: dict[str, Context]) -> Update:
    """What is to be done so that `flow` runs; `contexts` replace those of their modules."""
    old = Side(record.flow, record.left_out, record.modules, record.bridges, record.plans, record.places)
    update = Update(old, Side(flow, left_out), difference(record.flow, flow), contexts)
    changed = update.difference
    update.contexts = {m: context for m, context in contexts.items() if m in changed.replaced}
    update.migrating = {
        module: record.flow.modules[module].state_version for module in changed.replaced - contexts.keys()
        if record.flow.modules[module].state_version != flow.modules[module].state_version
    }  # fmt: skip
    return update


def receipt(record: FlowRecord, update: Update, trial_cpu_ms: float) -> dict[str, Any]:
    """What an update has done to every module, or would do."""
    old, new, quiet = update.old.flow.modules, update.new.flow.modules, set(update.cover.modules)
    modules = {}
    for module in (*new, *(old.keys() - new.keys())):
        did = update.difference.did(module, update.carried)
        modules[module] = {
            "did": did,
            "from": graph.module_version(old[module]) if module in old else None,
            "to": graph.module_version(new[module]) if module in new else None,
            "pauseMs": round(update.pause_ms, 3) if module in quiet else 0.0,
            "held": update.held.get(module, 0),
            "migrated": module in update.migrated,
            "mixed": module in update.mixed,
            **({"stopError": update.stop_errors[module]} if module in update.stop_errors else {}),
        }
    return {"version": record.version, "modules": modules, "trialCpuMs": round(trial_cpu_ms, 1)}
