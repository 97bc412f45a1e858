"""The calls of the Runner API about dependencies. Mixed into the Runner actor; the preparation actor does the work."""

from __future__ import annotations

import os
from typing import Any

from thespian.actors import ActorAddress

from actors.flow.requests import FlowRequests
from actors.messages import client_to_runner as api
from actors.messages import runner_to_preparation as to_preparation
from actors.messages.preparation_to_runner import Prepared
from runtimes.environments import Recipe, environment_id, environment_recipe
from runtimes.manifest import Runtime, find_version

MAX_DEPENDENCIES = 1000


class Dependencies(FlowRequests):
    """The part of the Runner actor that lists, installs and removes environments."""

    def __init__(self) -> None:
        super().__init__()
        self.installs: dict[str, list[tuple[Any, ActorAddress]]] = {}  # environment id -> requests that wait for it

    def receiveMsg_ListDependencies(self, message: api.ListDependencies, sender: ActorAddress) -> None:
        """The environments of a runtime."""
        runtime = self.find_runtime(message, sender, message.runtime_id)
        if runtime is not None:
            self.send(
                self.preparation,
                to_preparation.DescribeEnvironments(
                    request_id=message.request_id, client=sender, runtime=runtime.id, used_by=self._used(runtime)
                ),
            )

    def receiveMsg_InstallDependencies(self, message: api.InstallDependencies, sender: ActorAddress) -> None:
        """Make an environment; see `installed`."""
        recipe = self._wanted(message, sender)
        if recipe is not None:
            self.installs.setdefault(recipe.id, []).append((message, sender))
            progress = (sender, message.request_id)
            self.send(
                self.preparation,
                to_preparation.Prepare(flow="", key=recipe.id, recipes=(recipe,), progress=progress),
            )

    def receiveMsg_Prepared(self, message: Prepared, _sender: ActorAddress) -> None:
        """For a job of a flow, or for a client."""
        if message.flow:
            self.resolve(message.flow, "prepared", message.key, message)
        else:
            self.installed(message)

    def installed(self, message: Prepared) -> None:
        """An environment is made, or could not be: those that wait for it came in this order."""
        request, client = self.installs[message.key].pop(0)
        for fd in message.holds:
            os.close(fd)
        if message.failure is None:
            self.reply(request, client, message.key)
        else:
            self.refuse(request, client, f"{message.key} could not be prepared: {message.failure.reason}")

    def receiveMsg_CancelDependencies(self, message: api.CancelDependencies, sender: ActorAddress) -> None:
        """Whoever waits is refused."""
        recipe = self._wanted(message, sender)
        if recipe is not None:
            self.send(self.preparation, to_preparation.CancelPreparation(flow="", key=recipe.id))
            self.reply(message, sender)

    def receiveMsg_RemoveDependencies(self, message: api.RemoveDependencies, sender: ActorAddress) -> None:
        """Remove an environment that no flow uses."""
        runtime = self.find_runtime(message, sender, message.runtime_id)
        if runtime is None:
            return
        users = self._used(runtime).get(message.environment_id)
        if users:
            self.refuse(message, sender, f"{message.environment_id} is in use by {', '.join(users)}")
            return
        self.send(
            self.preparation,
            to_preparation.RemoveEnvironment(
                request_id=message.request_id, client=sender, runtime=runtime.id, environment=message.environment_id
            ),
        )

    def receiveMsg_CollectDependencies(self, message: api.CollectDependencies, sender: ActorAddress) -> None:
        """Remove what nothing uses; what a runtime needs for modules without dependencies stays."""
        if message.runtime_id is not None and self.find_runtime(message, sender, message.runtime_id) is None:
            return
        chosen = [runtime for id, runtime in self.runtimes.items() if message.runtime_id in (None, id)]
        kept = {id for runtime in chosen for id in self._used(runtime)}
        kept |= {
            environment_id(runtime, find_version(runtime).version or "", ()) for runtime in chosen
            if runtime.environment_always
        }  # fmt: skip
        self.send(
            self.preparation,
            to_preparation.CollectUnused(
                request_id=message.request_id, client=sender, kept=frozenset(kept),
                runtimes=frozenset(runtime.id for runtime in chosen),
            ),
        )  # fmt: skip

    def _wanted(self, message: Any, sender: ActorAddress) -> Recipe | None:
        """The environment that a request is about, or a refusal."""
        runtime = self.find_runtime(message, sender, message.runtime_id)
        if runtime is None:
            return None
        specs, version = message.dependencies, find_version(runtime).version
        if not runtime.environment:
            problem = f"modules of {runtime.name} cannot have any dependencies"
        elif version is None:
            problem = find_version(runtime).reason
        elif not all(spec.strip() for spec in specs) or len(specs) > MAX_DEPENDENCIES:
            problem = f"dependencies: must be a list of at most {MAX_DEPENDENCIES} texts"
        elif (recipe := environment_recipe(self.cache, runtime, version, specs)) is None:
            problem = "there is nothing to install: name at least one dependency"
        else:
            return recipe
        self.refuse(message, sender, problem)
        return None

    def _used(self, runtime: Runtime) -> dict[str, list[str]]:
        """Environment id -> the flows of this runner that need it, also those that do not run."""
        used: dict[str, list[str]] = {}
        for record in self.flows.values():
            for module in record.flow.modules.values():
                if module.runtime != runtime.id:
                    continue
                version = find_version(runtime).version or ""
                recipe = environment_recipe(self.cache, runtime, version, module.dependencies)
                if recipe is not None and record.flow.id not in used.setdefault(recipe.id, []):
                    used[recipe.id].append(record.flow.id)
        return used
