"""What a runner has for its flows: which runtimes it offers, where hosts live and where what they need is made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress

from actors.definition import graph
from actors.definition.limits import HostLimits, limits_of
from actors.definition.model import Flow, FlowError, Module
from actors.definition.places import no_runtime
from actors.definition.share import Share
from actors.definition.validation import check_flow
from runtimes.environments import Recipe, Unit, about_of, build_recipe, environment_id, environment_recipe
from runtimes.manifest import Runtime, find_version


class UnknownRuntimeError(Exception):
    """The runner does not offer it; the message says what it does."""


@dataclass(slots=True)
class Links:
    """To other runners: who finds them, None while this is the only one; and how often this one has been started."""

    router: ActorAddress | None = None
    incarnation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Journals:
    """Where journals are written, by whom (who is begun when he is first asked for); `every_flow`: one for each, also
    if nothing of it is `disk`; `accept_loss`: those that are damaged go on with what is left; `fresh`: none goes on.
    """

    actor: Callable[[], ActorAddress]
    folder: Path
    every_flow: bool
    accept_loss: bool
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """The same for all flows of a runner. `run_folder` holds one folder per host, `numbers` gives what no two of a
    runner have; `kept`: where flows are kept when it ends, `journals`: where they are written down while they run,
    None: they are not; `known`: all runtimes, also those that only other runners offer; `hidden`: what no host is to
    see, `shown`: what of that it is to see; `links`: to other runners; `exporter`: who takes the spans of followed
    messages, begun when he is first asked for. `life`: of the deployment, from one orderly
    end to the next.
    """

    name: str
    runner: ActorAddress
    run_folder: Path
    kept: Path | None
    journals: Journals | None
    cache: Path
    hidden: tuple[str, ...]
    shown: tuple[str, ...]
    runtimes: dict[str, Runtime]
    known: dict[str, Runtime]
    preparation: ActorAddress
    sweeper: ActorAddress
    numbers: Iterator[int]
    exporter: Callable[[], ActorAddress]
    links: Links = field(default_factory=Links)
    life: str = ""

    @property
    def accepts_loss(self) -> bool:
        """Whether flows go on though something durable of them is missing."""
        return self.journals is not None and self.journals.accept_loss

    def runtime(self, runtime_id: str) -> Runtime:
        """A runtime. Raises UnknownRuntimeError with a sentence."""
        if runtime_id not in self.runtimes:
            raise UnknownRuntimeError(no_runtime(runtime_id, self.runtimes).removesuffix("."))
        return self.runtimes[runtime_id]

    def check(self, document: dict[str, Any]) -> Flow:
        """The flow of a document; of what is here the runtimes are offered. Raises FlowError."""
        if self.links.router is None:
            return check_flow(document, runtimes=self.runtimes)
        flow = check_flow(document, runtimes=self.known)
        if wrong := [
            f"modules.{name}.runtime: the runner {self.name} does not offer {module.runtime}"
            for name, module in self.share_of(flow).modules.items() if module.runtime not in self.runtimes
        ]:  # fmt: skip
            raise FlowError(wrong)
        return flow

    def share_of(self, flow: Flow) -> Share:
        """What of a flow this runner has: all of it, or with links what is placed here."""
        if self.links.router is None:
            return Share.whole(flow)
        here = {name for name, module in flow.modules.items() if module.runner in (None, self.name)}
        return Share(flow, frozenset(here))

    def leave_out(self, share: Share) -> tuple[Share, dict[str, str]]:
        """The share without optional modules that this machine cannot run, and why each; FlowError for others."""
        reasons: dict[tuple[str, bool], str | None] = {}
        missing: dict[str, str] = {}
        for name, module in share.modules.items():
            kind = module.runtime, module.optional
            if kind not in reasons:
                reasons[kind] = self._missing(*kind)
            if (reason := reasons[kind]) is not None:
                missing[name] = reason
        needed = [f"modules.{name}: {reason}" for name, reason in missing.items() if not share.modules[name].optional]
        needed += [
            f"modules.{name}.dependencies: modules of {self.runtimes[module.runtime].name} cannot have any"
            for name, module in share.modules.items()
            if module.dependencies and not self.runtimes[module.runtime].environment
        ]
        if needed:
            raise FlowError(needed)
        if missing:
            share = replace(share, flow=graph.without_modules(share.flow, missing.keys()))
        return share, missing

    def _missing(self, runtime_id: str, optional: bool) -> str | None:
        runtime = self.runtimes[runtime_id]
        return _missing_runtime(runtime) or (self._not_compiled(runtime) if optional else None)

    def _not_compiled(self, runtime: Runtime) -> str | None:
        """Why a compiled runtime cannot be used at once: the first time, its library takes long to compile."""
        if not runtime.build or not runtime.environment_always:
            return None
        recipe = environment_recipe(self.cache, runtime, find_version(runtime).version or "", ())
        if recipe is None or about_of(recipe.place) is not None:
            return None
        return f"the host of {runtime.name} is not compiled yet; do it with: runner deps install {runtime.id}"

    def recipes_of(self, modules: list[Module]) -> list[Recipe]:
        """What a host of these modules needs, in order."""
        runtime = self.runtimes[modules[0].runtime]
        if not runtime.environment and not runtime.build:
            return []
        version, dependencies = find_version(runtime).version or "", modules[0].dependencies
        units = [unit_of(module) for module in modules]
        each = {tuple(sorted(set(module.dependencies))) for module in modules}  # one, but for pages
        recipes = [
            *(environment_recipe(self.cache, runtime, version, some) for some in sorted(each)),
            build_recipe(self.cache, runtime, version, dependencies, units),
        ]
        return [recipe for recipe in recipes if recipe is not None]

    def unit_id(self, module: Module) -> str | None:
        """What LOAD says of a module that is compiled; of one for pages, the environment that its packages are in."""
        runtime = self.runtimes[module.runtime]
        if module.runtime == graph.PAGES and module.dependencies:
            return environment_id(runtime, find_version(runtime).version or "", module.dependencies)
        return unit_of(module).id if runtime.build else None

    def units_of_pages(self, share: Share) -> dict[str, str]:
        """unit_id() of the modules for pages that have one."""
        pages = [module for module in share.modules.values() if module.runtime == graph.PAGES]
        return {module.id: unit for module in pages if (unit := self.unit_id(module)) is not None}

    def limits(self, module: Module) -> HostLimits:
        """Those of its host."""
        return limits_of(module.limits, self.runtimes[module.runtime].data_segment, self.hidden, self.shown)

    def why_not(self, modules: list[Module]) -> str | None:
        """Why nothing can be prepared for a host of these modules."""
        runtime = self.runtimes[modules[0].runtime]
        if runtime.environment or runtime.build:
            found = find_version(runtime)
            if found.version is None:
                return found.reason
        for path in modules[0].limits.get("writable", ()):
            if not Path(path).exists():
                return f"there is no folder {path} on this machine, which it is to write to (`limits.writable`)"
        return None

    def host_folder(self, flow_id: str, kind: str = "") -> Path:
        """The name of a folder that no host has had; it is not made yet."""
        return self.run_folder / f"{flow_id}-{next(self.numbers)}{kind}"


def unit_of(module: Module) -> Unit:
    """A module's text as it is compiled."""
    return Unit(name=module.name, code=module.code, files=module.files)


def _missing_runtime(runtime: Runtime) -> str | None:
    """Why a runtime is not available, as far as that can be said without starting anything."""
    command = runtime.version_command()[0]
    paths = [Path(folder) / command for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    if any(os.access(path, os.X_OK) for path in paths):  # an absolute command stands for itself
        return None
    return runtime.missing().reason
