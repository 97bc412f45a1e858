"""What an update is: its two sides, what it has to do, and its receipt. Knows nothing of how it is done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from thespian.actors import ActorAddress

from actors.definition import graph
from actors.definition.hosting import HostPlan
from actors.definition.model import Flow, Wire
from actors.definition.plan import Cover, Difference, cover, difference, mixing, stopped_cover
from actors.definition.share import Share
from actors.flow.record import FlowRecord
from actors.host.load import Context
from runtimes.manifest import Runtime

MAX_LIVE_LOAD_MS = 20.0


@dataclass(slots=True)
class Side:
    """One of the two versions: what the record holds of it, and the actors of the modules that the other replaces."""

    share: Share
    left_out: dict[str, str]
    modules: dict[str, ActorAddress] = field(default_factory=dict)  # all that are here
    bridges: dict[str, ActorAddress] = field(default_factory=dict)
    plans: dict[str, HostPlan] = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    own: frozenset[str] = frozenset()  # modules with an actor that is not the other side's
    contexts: dict[str, Context] = field(default_factory=dict)  # that replace the handed over ones

    @property
    def flow(self) -> Flow:
        """All of it, also what is elsewhere."""
        return self.share.flow

    def own_slots(self) -> dict[str, frozenset[int]]:
        """Host key -> the slots of the modules that only this side has."""
        slots: dict[str, set[int]] = {}
        for module in self.own:
            key, slot = self.places[module]
            slots.setdefault(key, set()).add(slot)
        return {key: frozenset(some) for key, some in slots.items()}


@dataclass(slots=True)
class Plan:
    """What is to be done. The hosts that stay, and what follows from that, are decided when the new code was tried."""

    old: Side
    new: Side
    difference: Difference
    contexts: dict[str, Context]  # of a rollback: instead of the current ones
    migrating: dict[str, int]  # module -> the version its context has
    moves: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # module -> from where, to where
    carried: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()  # keys of hosts that stay
    cover: Cover = field(default_factory=lambda: Cover(modules=(), cyclic=frozenset()))
    at_once: frozenset[str] = frozenset()  # modules that are recalled, not drained
    mixed: frozenset[str] = frozenset()  # those of them that may handle messages of before with the new version

    @property
    def fresh(self) -> frozenset[str]:
        """Modules whose code is to be loaded."""
        return self.difference.replaced | self.difference.added

    @property
    def leaving(self) -> frozenset[str]:
        """The modules here that move to another runner."""
        return self.difference.removed & self.moves.keys()

    @property
    def coming(self) -> frozenset[str]:
        """Those that move here."""
        return self.difference.added & self.moves.keys()

    @property
    def quiet(self) -> tuple[str, ...]:
        """The modules here that must be quiet, feeders before their targets."""
        return tuple(module for module in self.cover.modules if module in self.old.share.modules)

    def runs_dry(self, wire: Wire) -> bool:
        """Whether nothing may be left on it: it goes, or leads, also to another runner, to what runs dry or moves."""
        if self.moves:
            return wire.from_module in self.moves or wire.to_module in self.moves
        return wire.id in self.difference.gone or (
            wire.from_module not in self.at_once and wire.to_module in self.cover.modules
        )

    def dropped(self, module: str) -> frozenset[str]:
        """Removed wires whose messages are not to be handled any more."""
        old, new = self.old.share, self.new.share
        modules = new.modules if module in new.modules else old.modules
        if modules[module].on_queued != "dead_letter" or module not in old.modules:
            return frozenset()
        return frozenset(wire.id for wire in old.ends_of(module).inputs if wire.id in self.difference.gone)

    def decide_hosts(self, load_ms: Mapping[str, float], runtimes: Mapping[str, Runtime]) -> None:
        """Which hosts stay: those that run already, with the same needs, and can load the new code quickly."""
        old, new, changed = self.old.share, self.new.share, self.difference

        def loads_live(members: Iterable[str]) -> bool:
            fresh = [module for module in members if module in load_ms]
            hot = all(runtimes[new.modules[module].runtime].hot_load for module in fresh)
            return hot and all(load_ms[module] <= MAX_LIVE_LOAD_MS for module in fresh)

        old_groups, new_groups = graph.host_groups(old), graph.host_groups(new)
        self.kept = frozenset(
            key for key in old_groups.keys() & new_groups.keys()
            if graph.host_needs(old.modules[old_groups[key][0]]) == graph.host_needs(new.modules[new_groups[key][0]])
            and loads_live(new_groups[key])
            and self.old.plans[key].has_room(new, self.fresh)
        )  # fmt: skip
        stays = {module for key in self.kept for module in new_groups[key]}
        self.carried = frozenset(new.modules.keys() - stays - self.fresh)
        self.new.own = self.fresh | self.carried
        self.old.own = changed.replaced | changed.removed | self.carried

    @property
    def unsettled(self) -> frozenset[str]:
        """The modules here for which something has to be quiet."""
        return self.old.own | self.difference.unsettled

    def decide_cover(self, unsettled: Collection[str], paused: bool) -> None:
        """What has to be quiet, and of that what does not run dry. `unsettled`: of all runners."""
        old, changed = self.old.share, self.difference
        if self.moves:  # what waits goes along
            self.cover = stopped_cover(old, unsettled)
            self.at_once = frozenset(self.quiet)
            return
        self.cover = cover(old, unsettled)
        at_once = {m for m in changed.removed if old.modules[m].on_queued == "dead_letter"}
        quiet = frozenset(self.quiet)
        self.mixed = quiet if paused else quiet & self.cover.cyclic
        self.at_once = self.mixed | at_once

    def mix(self, waiting: Mapping[str, frozenset[str]]) -> None:
        """The flow does not run. `waiting`: module -> the wires that its mailbox has messages of."""
        if self.moves:
            return
        changed = self.difference.replaced | self.difference.removed
        self.mixed = mixing(self.old.share.flow, changed, waiting) & self.difference.replaced


def plan_of(
    record: FlowRecord, share: Share, left_out: dict[str, str], contexts: dict[str, Context],
    moves: Mapping[str, tuple[str, str]],
) -> Plan:  # fmt: skip
    """What is to be done so that `share` runs; `contexts` replace those of their modules."""
    old, new = record.share.modules, share.modules
    changed = difference(record.share, share)
    migrating = {
        module: old[module].state_version for module in changed.replaced - contexts.keys()
        if old[module].state_version != new[module].state_version
    }  # fmt: skip
    return Plan(
        Side(record.share, record.left_out, record.modules, record.bridges, record.plans, record.places),
        Side(share, left_out), changed, {m: context for m, context in contexts.items() if m in changed.replaced},
        migrating, moves,
    )  # fmt: skip


@dataclass(slots=True)
class Account:
    """What an update has done so far, for its receipt."""

    pause_ms: float = 0.0
    trial_cpu_ms: float = 0.0
    held: dict[str, int] = field(default_factory=dict)  # module -> messages that were handed over
    migrated: dict[str, Context] = field(default_factory=dict)
    stop_errors: dict[str, str] = field(default_factory=dict)  # module -> what the `stop` of its old version has raised


def receipt_of(version: int, plan: Plan, account: Account) -> dict[str, Any]:
    """What an update has done to every module, or would do."""
    old, new, quiet = plan.old.share.modules, plan.new.share.modules, {*plan.quiet, *plan.coming}
    modules = {}
    for module in (*new, *(old.keys() - new.keys() - plan.leaving)):
        did = "moved" if module in plan.coming else plan.difference.did(module, plan.carried)
        modules[module] = {
            "did": did,
            "from": graph.module_version(old[module]) if module in old else None,
            "to": graph.module_version(new[module]) if module in new else None,
            "pauseMs": round(account.pause_ms, 3) if module in quiet else 0.0,
            "held": account.held.get(module, 0),
            "migrated": module in account.migrated,
            "mixed": module in plan.mixed,
            **({"stopError": account.stop_errors[module]} if module in account.stop_errors else {}),
        }
    return {"version": version, "modules": modules, "trialCpuMs": round(account.trial_cpu_ms, 1)}


def first_receipt(share: Share) -> dict[str, Any]:
    """Of a flow that is added."""
    return {"version": 1, "modules": {module: {"did": "added"} for module in share.modules}}
