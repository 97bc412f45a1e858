"""The hosts of a flow: what they need before they can be started, their start and their end.

Environments and builds are asked of the preparation actor; what goes wrong with them becomes sentences with the user's
places.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from thespian.actors import ActorAddress

from actors.definition import graph
from actors.definition.hosting import HostPlan
from actors.definition.model import Flow, Module
from actors.definition.origin import placed
from actors.definition.places import listed
from actors.definition.references import replaced
from actors.definition.share import Share
from actors.flow.command import HostCommand, release
from actors.flow.record import FlowRecord
from actors.host.load import failure_sentence
from actors.host.secrets import secrets_of
from actors.messages import flow_to_bridge as to_bridge
from actors.messages.bridge_to_flow import HostStopped
from actors.messages.preparation_to_runner import Prepared
from actors.messages.runner_to_preparation import CancelPreparation, Prepare
from actors.preparation.premises import Premises, unit_of
from actors.system.job import Expect, Steps
from actors.system.port import Port
from runtimes.environments import Recipe

log = logging.getLogger("runner.flow")
END_TIMEOUT_S = 15.0  # longer than a bridge lets its host take to end


class Hosts:
    """Of one flow, as far as they are here."""

    def __init__(self, record: FlowRecord, port: Port, premises: Premises) -> None:
        self._record, self._port, self._premises = record, port, premises

    def prepare(self, share: Share, keys: Collection[str]) -> Steps:
        """Make what the hosts of these keys need, side by side. Returns (host key -> HostCommand, errors)."""
        flow, groups = share.flow, graph.host_groups(share)
        members = {key: [share.modules[module] for module in groups[key]] for key in keys}
        commands: dict[str, HostCommand] = {}
        secrets: dict[str, dict[str, str]] = {}
        recipes: dict[str, list[Recipe]] = {}
        errors: list[str] = []
        for key, modules in members.items():
            secrets[key], unknown = secrets_of(flow.id, modules)
            errors += unknown
            problem = self._premises.why_not(modules)
            if problem is not None:
                errors.append(f"{flow.id}/{modules[0].id}: {problem}")
            else:
                recipes[key] = self._premises.recipes_of(modules)
        waiting = [key for key, some in recipes.items() if some and not errors]
        for key in waiting:
            self._port.send(self._premises.preparation, Prepare(flow=flow.id, key=key, recipes=tuple(recipes[key])))
        came = yield Expect((Prepared, key) for key in waiting)
        for key, some in recipes.items():
            answer = came.get((Prepared, key)) or Prepared(flow=flow.id, key=key)
            if answer.failure is not None:
                errors += _sentences(flow, members[key], answer)
                continue
            places = {"build" if "units" in recipe.about else "environment": recipe.place for recipe in some}
            module = members[key][0]  # all of a host have the same environment variables and limits
            runtime, limits = self._premises.runtimes[module.runtime], self._premises.limits(module)
            words = tuple(runtime.host_command(**places, memory_mb=limits.memory_mb))
            env = runtime.host_variables(limits.memory_mb) | replaced(module.env, secrets[key])
            commands[key] = HostCommand(words, env, secrets[key], limits, answer.holds)
        if errors:
            release(commands)
            commands = {}
        return commands, tuple(errors)

    def units_of_pages(self, share: Share) -> dict[str, str]:
        """Module -> the environment of its packages, of modules for pages."""
        return self._premises.units_of_pages(share)

    def cancel_preparation(self) -> None:
        """No environment is needed any more."""
        self._port.send(self._premises.preparation, CancelPreparation(flow=self._record.flow.id))

    def start(
        self, flow: Flow, bridge: ActorAddress, plan: HostPlan, actors: dict[str, ActorAddress], command: HostCommand,
        hold_fusing: bool = False,
    ) -> None:  # fmt: skip
        """Start the host of a plan and load its modules."""
        members = {slot: actors[module] for slot, module in plan.modules.items()}
        self._port.send(
            bridge,
            to_bridge.StartHost(
                flow=flow.id, plan=plan, command=command.words, members=members,
                folder=self._premises.host_folder(flow.id), env=command.env, secrets=command.secrets,
                limits=command.limits, sweeper=self._premises.sweeper, mute_sources=self._record.mute_sources,
                placed=self._record.placed, barred=self._record.debug.barred, hold_fusing=hold_fusing,
                follower=self._follower(), tracing=self._record.tracing,
            ),
        )  # fmt: skip

    def _follower(self) -> ActorAddress | None:
        journals = self._premises.journals
        return journals.actor() if journals is not None and self._record.durable_journal is not None else None

    def stop(self) -> Steps:
        """End the hosts; a `stop` hook runs where a module still works. Returns what they say."""
        record = self._record
        for bridge in record.bridges.values():
            self._port.send(bridge, to_bridge.StopHost())
        answers = yield Expect(((HostStopped, key) for key in record.plans), END_TIMEOUT_S)
        if late := [key for key in record.plans if (HostStopped, key) not in answers]:
            log.error("%s: hosts that do not end: %s", record.flow.id, listed(late))
        release(record.commands)
        record.commands = {}
        return answers


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
        specs = answer.failed.about["dependencies"]
        wanted = ", ".join(specs) or "no dependencies"
        whose = listed(module.id for module in modules if sorted(set(module.dependencies)) == specs)
        what = f"the environment of {whose} ({wanted}) could not be prepared"
    else:
        what = f"the modules of {answer.key} could not be compiled"
    return [f"{flow.id}: {what}: {answer.failure.reason}"]
