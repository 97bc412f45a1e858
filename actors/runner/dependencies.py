"""The calls of the Runner API about dependencies; the preparation actor does the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.share import Share
from actors.messages import client_to_runner as api
from actors.messages import runner_to_preparation as to_preparation
from actors.messages.front_to_runner import CollectOthers, ListUsed
from actors.messages.preparation_to_runner import Prepared
from actors.preparation.premises import Premises, UnknownRuntimeError
from actors.system.answers import Answers
from actors.system.port import Port
from runtimes.environments import Recipe, environment_id, environment_recipe
from runtimes.manifest import Runtime, find_version

MAX_DEPENDENCIES = 1000


class Dependencies:
    """Lists, installs and removes environments; knows from the flows which are used."""

    def __init__(self, port: Port, answers: Answers, premises: Premises, shares: Callable[[], Iterable[Share]]) -> None:
        self._port, self._answers, self._premises, self._shares = port, answers, premises, shares
        self._installs: dict[str, list[tuple[Any, ActorAddress]]] = {}  # environment id -> requests that wait for it

    def receiveMsg_ListDependencies(self, message: api.ListDependencies, sender: ActorAddress) -> None:
        """The environments of a runtime."""
        runtime = self._find_runtime(message, sender, message.runtime_id)
        if runtime is not None:
            self._port.send(
                self._premises.preparation,
                to_preparation.DescribeEnvironments(
                    request_id=message.request_id, client=sender, runtime=runtime.id, used_by=self._used(runtime)
                ),
            )

    def receiveMsg_InstallDependencies(self, message: api.InstallDependencies, sender: ActorAddress) -> None:
        """Make an environment; see receiveMsg_Prepared."""
        recipe = self._wanted(message, sender)
        if recipe is not None:
            self._installs.setdefault(recipe.id, []).append((message, sender))
            progress = (sender, message.request_id)
            self._port.send(
                self._premises.preparation,
                to_preparation.Prepare(flow="", key=recipe.id, recipes=(recipe,), progress=progress),
            )

    def receiveMsg_Prepared(self, message: Prepared, _sender: ActorAddress) -> None:
        """An environment is made, or could not be: those that wait for it came in this order."""
        request, client = self._installs[message.key].pop(0)
        for fd in message.holds:
            os.close(fd)
        if message.failure is None:
            self._answers.reply(request, client, message.key)
        else:
            self._answers.refuse(request, client, f"{message.key} could not be prepared: {message.failure.reason}")

    def receiveMsg_CancelDependencies(self, message: api.CancelDependencies, sender: ActorAddress) -> None:
        """Whoever waits is refused."""
        recipe = self._wanted(message, sender)
        if recipe is None:
            return
        if not self._installs.get(recipe.id):
            self._answers.refuse(message, sender, f"{recipe.id} is not being installed")
        else:
            self._port.send(self._premises.preparation, to_preparation.CancelPreparation(flow="", key=recipe.id))
            self._answers.reply(message, sender)

    def receiveMsg_RemoveDependencies(self, message: api.RemoveDependencies, sender: ActorAddress) -> None:
        """Remove an environment that no flow uses."""
        runtime = self._find_runtime(message, sender, message.runtime_id)
        if runtime is None:
            return
        users = self._used(runtime).get(message.environment_id)
        if users:
            self._answers.refuse(message, sender, f"{message.environment_id} is in use by {', '.join(users)}")
            return
        self._port.send(
            self._premises.preparation,
            to_preparation.RemoveEnvironment(
                request_id=message.request_id, client=sender, runtime=runtime.id, environment=message.environment_id
            ),
        )

    def receiveMsg_ListUsed(self, message: ListUsed, sender: ActorAddress) -> None:
        """For a runner that shares what is made here."""
        runtimes = [it for id, it in self._premises.runtimes.items() if message.runtime_id in (None, id)]
        self._answers.reply(message, sender, [id for runtime in runtimes for id in self._used(runtime)])

    def receiveMsg_CollectDependencies(
        self, message: api.CollectDependencies | CollectOthers, sender: ActorAddress
    ) -> None:  # fmt: skip
        """Remove what nothing uses; what a runtime needs for modules without dependencies stays."""
        if message.runtime_id is not None and self._find_runtime(message, sender, message.runtime_id) is None:
            return
        chosen = [runtime for id, runtime in self._premises.runtimes.items() if message.runtime_id in (None, id)]
        kept = {id for runtime in chosen for id in self._used(runtime)}
        kept.update(message.used if isinstance(message, CollectOthers) else ())
        kept |= {
            environment_id(runtime, find_version(runtime).version or "", ()) for runtime in chosen
            if runtime.environment_always
        }  # fmt: skip
        self._port.send(
            self._premises.preparation,
            to_preparation.CollectUnused(
                request_id=message.request_id, client=sender, kept=frozenset(kept),
                runtimes=frozenset(runtime.id for runtime in chosen),
            ),
        )  # fmt: skip

    receiveMsg_CollectOthers = receiveMsg_CollectDependencies

    def _wanted(self, message: Any, sender: ActorAddress) -> Recipe | None:
        """The environment that a request is about, or a refusal."""
        runtime = self._find_runtime(message, sender, message.runtime_id)
        if runtime is None:
            return None
        specs, version = message.dependencies, find_version(runtime).version
        if not runtime.environment:
            problem = f"modules of {runtime.name} cannot have any dependencies"
        elif version is None:
            problem = find_version(runtime).reason
        elif not all(spec.strip() for spec in specs) or len(specs) > MAX_DEPENDENCIES:
            problem = f"dependencies: must be a list of at most {MAX_DEPENDENCIES} texts"
        elif (recipe := environment_recipe(self._premises.cache, runtime, version, specs)) is None:
            problem = "there is nothing to install: name at least one dependency"
        else:
            return recipe
        self._answers.refuse(message, sender, problem)
        return None

    def _used(self, runtime: Runtime) -> dict[str, list[str]]:
        """Environment id -> the flows of this runner that need it, also those that do not run."""
        used: dict[str, list[str]] = {}
        for share in self._shares():
            for module in share.modules.values():
                if module.runtime != runtime.id:
                    continue
                version = find_version(runtime).version or ""
                recipe = environment_recipe(self._premises.cache, runtime, version, module.dependencies)
                if recipe is not None and share.flow.id not in used.setdefault(recipe.id, []):
                    used[recipe.id].append(share.flow.id)
        return used

    def _find_runtime(self, request: Any, sender: ActorAddress, runtime_id: str) -> Runtime | None:
        """The runtime, or a refusal."""
        try:
            return self._premises.runtime(runtime_id)
        except UnknownRuntimeError as error:
            self._answers.refuse(request, sender, str(error))
            return None
