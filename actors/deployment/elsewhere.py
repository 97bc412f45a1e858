"""The runners of a deployment that are on other machines: started by agents, lost with machines, found again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace
from thespian.actors import Actor, ActorAddress, ActorExitRequest, ActorSystemConventionUpdate, ChildActorExited

from actors.deployment.life import RunnerLife
from actors.deployment.machines import Machines
from actors.messages.agent_to_dispatcher import MachineLeaves, MachineReport, RunnerEnded, RunnerThere
from actors.messages.dispatcher_to_agent import StartRunner
from actors.messages.dispatcher_to_runner import HostRunner, StopRunner
from actors.messages.line_to_line import Parcel
from actors.messages.registry_to_runner import RunnerFenced, RunnersRegistered
from actors.messages.up_to_dispatcher import Deploy

JOIN_S = 10.0  # so long a start waits for machines
log = logging.getLogger("runner.dispatcher")


class Elsewhere:
    """Of a dispatcher, `actor`. `handle` gets what a runner says, `begin` starts one or takes over one that is `there`,
    `lost` is told of one that may go on without us, `joined` when there is no more to wait for at the start.
    """

    def __init__(
        self, actor: Actor, job: Deploy, incarnation: int, lives: Mapping[str, RunnerLife], *,
        registry: Callable[[], ActorAddress | None], wake: Callable[[float, object], None],
        handle: Callable[[Any, Any], None],
        begin: Callable[[RunnerLife, bool], None], lost: Callable[[RunnerLife], None], joined: Callable[[], None],
    ) -> None:  # fmt: skip
        self._lives, self._handle, self._begin, self._lost, self._joined = lives, handle, begin, lost, joined
        self._send, self._registry = actor.send, registry
        self._waits = True
        self.machines = Machines(actor, job.machines, job.name, incarnation, wake, self._said, self._went)
        wake(JOIN_S, self._go_without)

    def can_make(self, life: RunnerLife) -> bool:
        """Whether its machine can be told to start it; one of this machine needs nobody."""
        return life.order.machine is None or self.machines.is_there(life.order.machine)

    def make(self, life: RunnerLife, order: HostRunner) -> None:
        """Have a runner started; what is to be said of folders, keys and addresses its agent knows."""
        machine = str(life.order.machine)
        life.actor = self.machines.runner(machine, order.name)
        links = None if order.links is None else replace(order.links, registry=None)
        self.machines.tell(machine, StartRunner(order=replace(order, links=links), number=life.order.number))

    def receiveMsg_ActorSystemConventionUpdate(self, message: ActorSystemConventionUpdate, _sender: Any) -> None:
        """An actor system is there, or is not any more."""
        self.machines.joined(message)

    def receiveMsg_Parcel(self, message: Parcel, _sender: ActorAddress) -> None:
        """Of an agent; its runners are registered here in its place."""
        for registration in self.machines.take(message) or ():
            self._send(self._registry(), registration)

    def receiveMsg_RunnersRegistered(self, message: RunnersRegistered, _sender: ActorAddress) -> None:
        """Where all runners listen: for those of the other machines."""
        self.machines.tell_places(message.places)

    def receiveMsg_RunnerFenced(self, message: RunnerFenced, _sender: ActorAddress) -> None:
        """The registry does not want that runner of another machine."""
        if (actor := self._lives[message.name].actor) is not None:
            self._send(actor, message)

    def _said(self, machine: str, message: Any) -> None:
        """An agent, or one of its runners."""
        if isinstance(message, MachineReport):
            self.machines.reported(machine)
            self._came(machine, {there.name: there for there in message.runners})
        elif isinstance(message, MachineLeaves):
            self.machines.left(machine)
            for life in self._lives.values():
                if life.order.machine == machine:
                    life.is_lost = False
        elif isinstance(message, RunnerEnded):
            self._handle(ChildActorExited(self.machines.runner(machine, message.name)), None)
        else:
            self._handle(message, None)

    def _came(self, machine: str, there: Mapping[str, RunnerThere]) -> None:
        """Its runners are started, or taken over; those that are not ours any more end."""
        ours = {name: life for name, life in self._lives.items() if life.order.machine == machine}
        for name in there.keys() - ours.keys():
            for message in (StopRunner(), ActorExitRequest()):
                self.machines.runner(machine, name).tell(message)
        for name, life in ours.items():
            life.is_lost = False
            if name in there:
                life.actor = self.machines.runner(machine, name)
                life.pid, life.incarnation = there[name].pid, there[name].incarnation
            self._begin(life, name in there)
        if self._waits and not self.machines.away():
            self._waits = False
            self._joined()

    def _went(self, machine: str) -> None:
        for life in self._lives.values():
            if life.order.machine == machine and life.actor is not None:
                self._lost(life)

    def _go_without(self) -> None:
        """Machines that are not there yet have their runners started when they come."""
        if self._waits:
            self._waits = False
            away = ", ".join(self.machines.away())
            log.warning("not there yet: %s; what is placed there starts when it comes", away)
            self._joined()
