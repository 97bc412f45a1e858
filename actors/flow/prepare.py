"""What the hosts of a flow need before they can be started: environments and builds. Mixed into the Runner actor.

It asks the preparation actor for them and turns what goes wrong into sentences with the user's places.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from thespian.actors import ActorAddress

from actors.definition import graph
from actors.definition.limits import HostLimits, limits_of
from actors.definition.model import Flow, FlowError, Module
from actors.definition.origin import placed
from actors.host.load import failure_sentence
from actors.messages.preparation_to_runner import Prepared
from actors.messages.runner_to_preparation import OpenCache, Prepare
from actors.preparation.actor import PreparationActor
from actors.preparation.state_folder import shown_places
from actors.preparation.sweeper import SweeperActor
from actors.system.base import BaseActor
from actors.system.job import Expect, Steps
from runtimes.environments import Recipe, Unit, about_of, build_recipe, environment_recipe
from runtimes.manifest import Runtime, find_version

Errors = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostCommand:
    """What starts a host, what it may use, and the descriptors that keep what it needs from being removed."""

    words: tuple[str, ...]
    env: dict[str, str]
    limits: HostLimits
    holds: tuple[int, ...] = ()

    def release(self) -> None:
        """No host is started with it any more."""
        for fd in self.holds:
            os.close(fd)


class FlowPrepare(BaseActor):
    """The part of the Runner actor that has environments and builds made."""

    def __init__(self) -> None:
        super().__init__()
        self.runtimes: dict[str, Runtime] = {}
        self.cache = Path()
        self.hidden: tuple[str, ...] = ()  # from every host
        self.shown: tuple[str, ...] = ()
        self.preparation: ActorAddress | None = None
        self.sweeper: ActorAddress | None = None

    def open_preparation(self, cache: Path, hidden: tuple[str, ...]) -> None:
        """Where environments and builds are kept, and what hosts are not to see."""
        self.cache, self.hidden, self.shown = cache, hidden, shown_places(cache, hidden)
        self.sweeper = self.createActor(SweeperActor)
        self.preparation = self.createActor(PreparationActor)
        self.send(self.preparation, OpenCache(cache=cache))

    def preparing(self, flow: Flow, keys: Collection[str]) -> Steps:
        """Make what the hosts of these keys need, side by side. Returns (host key -> HostCommand, errors)."""
        groups = graph.host_groups(flow)
        members = {key: [flow.modules[module] for module in groups[key]] for key in keys}
        commands: dict[str, HostCommand] = {}
        recipes: dict[str, list[Recipe]] = {}
        errors: list[str] = []
        for key, modules in members.items():
            runtime = self.runtimes[modules[0].runtime]
            problem = self._cannot(flow, runtime, modules)
            if problem is not None:
                errors.append(problem)
            else:
                recipes[key] = self.recipes_of(runtime, modules)
        waiting = [key for key, some in recipes.items() if some and not errors]
        for key in waiting:
            self.send(self.preparation, Prepare(flow=flow.id, key=key, recipes=tuple(recipes[key])))
        came = yield Expect(("prepared", key) for key in waiting)
        for key, some in recipes.items():
            answer = came.get(("prepared", key)) or Prepared(flow=flow.id, key=key)
            if answer.failure is not None:
                errors += _sentences(flow, members[key], answer)
                continue
            places = {"build" if "units" in recipe.about else "environment": recipe.place for recipe in some}
            module = members[key][0]  # all of a host have the same environment variables and limits
            runtime = self.runtimes[module.runtime]
            limits = limits_of(module.limits, runtime.data_segment, self.hidden, self.shown)
            words = tuple(runtime.host_command(**places, memory_mb=limits.memory_mb))
            env = runtime.host_variables(limits.memory_mb) | module.env
            commands[key] = HostCommand(words, env, limits, answer.holds)
        if errors:
            release(commands)
            commands = {}
        return commands, tuple(errors)

    def recipes_of(self, runtime: Runtime, modules: list[Module]) -> list[Recipe]:
        """What a host of these modules needs, in order."""
        if not runtime.environment and not runtime.build:
            return []
        version, dependencies = find_version(runtime).version or "", modules[0].dependencies
        units = [unit_of(module) for module in modules]
        recipes = [
            environment_recipe(self.cache, runtime, version, dependencies),
            build_recipe(self.cache, runtime, version, dependencies, units),
        ]
        return [recipe for recipe in recipes if recipe is not None]

    def unit_id(self, module: Module) -> str | None:
        """What LOAD says of a module that is compiled."""
        return unit_of(module).id if self.runtimes[module.runtime].build else None

    def leave_out(self, flow: Flow) -> tuple[Flow, dict[str, str]]:
        """The flow without optional modules that this machine cannot run, and why each; FlowError for others."""
        reasons: dict[tuple[str, bool], str | None] = {}
        missing: dict[str, str] = {}
        for name, module in flow.modules.items():
            kind = module.runtime, module.optional
            if kind not in reasons:
                reasons[kind] = self._missing(*kind)
            if (reason := reasons[kind]) is not None:
                missing[name] = reason
        needed = [f"modules.{name}: {reason}" for name, reason in missing.items() if not flow.modules[name].optional]
        needed += [
            f"modules.{name}.dependencies: modules of {self.runtimes[module.runtime].name} cannot have any"
            for name, module in flow.modules.items()
            if module.dependencies and not self.runtimes[module.runtime].environment
        ]
        if needed:
            raise FlowError(needed)
        return (graph.without_modules(flow, missing.keys()) if missing else flow), missing

    def _missing(self, runtime_id: str, optional: bool) -> str | None:
        runtime = self.runtimes[runtime_id]
        return missing_runtime(runtime) or (self.not_compiled(runtime) if optional else None)

    def not_compiled(self, runtime: Runtime) -> str | None:
        """Why a compiled runtime cannot be used at once: the first time, its library takes long to compile."""
        if not runtime.build or not runtime.environment_always:
            return None
        recipe = environment_recipe(self.cache, runtime, find_version(runtime).version or "", ())
        if recipe is None or about_of(recipe.place) is not None:
            return None
        return f"the host of {runtime.name} is not compiled yet; do it with: runner deps install {runtime.id}"

    def _cannot(self, flow: Flow, runtime: Runtime, modules: list[Module]) -> str | None:
        """Why nothing can be prepared for these modules."""
        if runtime.environment or runtime.build:
            found = find_version(runtime)
            if found.version is None:
                return f"{flow.id}/{modules[0].id}: {found.reason}"
        for path in modules[0].limits.get("writable", ()):
            if not Path(path).exists():
                return f"{flow.id}/{modules[0].id}: limits.writable: {path} does not exist"
        return None


def unit_of(module: Module) -> Unit:
    """A module's text as it is compiled."""
    return Unit(name=module.name, code=module.code, files=module.files)


def release(commands: dict[str, HostCommand]) -> None:
    """Give everything free."""
    for command in commands.values():
        command.release()


def _sentences(flow: Flow, modules: Iterable[Module], answer: Prepared) -> list[str]:
    """Why it could not be made: a sentence per module that cannot be compiled, or one."""
    assert answer.failure is not None
    assert answer.failed is not None
    by_unit: dict[str, list[str]] = {}
    for module in modules:
        by_unit.setdefault(unit_of(module).id, []).append(module.id)
    sentences = [
        failure_sentence(f"{flow.id}/{module}", "load", placed(flow, module, problem["error"]))
        for problem in answer.failure.units
        for module in by_unit.get(problem["unit"], ())
    ]
    if sentences:
        return sentences
    if answer.failed.has_lock:
        wanted = ", ".join(answer.failed.about["dependencies"]) or "no dependencies"
        what = f"the environment of {answer.key} ({wanted}) could not be prepared"
    else:
        what = f"the modules of {answer.key} could not be compiled"
    return [f"{flow.id}: {what}: {answer.failure.reason}"]


def missing_runtime(runtime: Runtime) -> str | None:
    """Why a runtime is not available, as far as that can be said without starting anything."""
    command = runtime.version_command()[0]
    paths = [Path(folder) / command for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    if any(os.access(path, os.X_OK) for path in paths):  # an absolute command stands for itself
        return None
    return runtime.missing().reason
