"""Who is on a host: its modules, over all its starts. They come and leave when the flow is updated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.hosting import HostPlan
from actors.messages.bridge_to_module import HostUp
from actors.system.port import Port


class Members:
    """`plan`: how those that work are wired; `serving`: their slots, the other members are loaded only."""

    def __init__(self, port: Port, plan: HostPlan, actors: dict[int, ActorAddress], secrets: dict[str, str]) -> None:
        """`actors`: slot -> module actor; `secrets`: what references in their config stand for."""
        self._port = port
        self.plan = plan
        self.serving: frozenset[int] = frozenset()
        self.actors = dict(actors)
        self._secrets = secrets
        self.names = dict(plan.modules)  # slot -> module
        self.outputs = dict(plan.outputs)  # channel -> (slot, port)
        self.adding: frozenset[int] = frozenset()  # slots that are loaded beside the others, until the flow is told
        self._died_adding = False

    def tell(self, slot: int, message: Any) -> None:
        """Send a message to the module of a slot."""
        self._port.send(self.actors[slot], message)

    def tell_all(self, message: Any) -> None:
        """Send a message to every module, also those that are loaded only."""
        for actor in self.actors.values():
            self._port.send(actor, message)

    def host_up(self) -> HostUp:
        """What tells a module that its host is there."""
        return HostUp(secrets=self._secrets)

    def add(self, names: dict[int, str], actors: dict[int, ActorAddress], secrets: dict[str, str]) -> None:
        """These are to be loaded beside the others."""
        self._secrets = self._secrets | secrets
        self.actors |= actors
        self.names |= names
        self.adding, self._died_adding = frozenset(actors), False

    def added(self) -> None:
        """The flow has been told what has become of that."""
        self.adding = frozenset()

    def hopeless(self) -> frozenset[int]:
        """The host has died: slots that are not to be tried again, for it has done so twice while they were loaded."""
        hopeless = self.adding if self._died_adding else frozenset()
        self._died_adding = bool(self.adding - hopeless)
        return hopeless

    def remove(self, slot: int) -> None:
        """The module of a slot has gone, with its channels."""
        self.actors.pop(slot, None)
        self.names.pop(slot, None)
        for channel in [channel for channel, (owner, _) in self.outputs.items() if owner == slot]:
            del self.outputs[channel]

    def change(self, plan: HostPlan) -> None:
        """The same modules are wired in another way."""
        self.plan = plan
        self.outputs.update(plan.outputs)

    def serve(self, plan: HostPlan) -> None:
        """Exactly these are to work from now on."""
        self.change(plan)
        self.serving = frozenset(plan.modules)

    def retire(self, slots: Iterable[int]) -> None:
        """These work no more."""
        self.serving -= frozenset(slots)
