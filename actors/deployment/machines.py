"""The other machines of a deployment, as its dispatcher has them: whose agent has come, and the line to it.

Thespian's convention says which systems there are, and each says of itself where its agent is. A machine of which
nothing is heard for some seconds is away; when it is heard of again there is a new line, and what was on the old one is
forgotten on both sides: what is so then, its agent reports.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from thespian.actors import Actor, ActorAddress, ActorSystemConventionUpdate

from actors import __version__
from actors.definition.places import nearest
from actors.messages.dispatcher_to_agent import KillRunner, MachineRefused, TellRunner
from actors.messages.line_to_line import LineId, Parcel
from actors.messages.up_to_dispatcher import MachineOrder
from actors.system.convention import actor_at
from actors.system.line import BEAT_S, LEASE_S, Line, Traffic

AGENT = "runner.agent"  # the capability in which a system says where its agent is
ASK_S = 2.0
log = logging.getLogger("runner.dispatcher")


@dataclass(frozen=True, slots=True)
class OnMachine:
    """A runner of another machine, in place of an actor's address: what it is told goes to that machine's agent."""

    machine: str
    runner: str
    agent: Callable[[Any], None] = field(compare=False)

    def tell(self, message: Any) -> None:
        """Hand this to the runner."""
        self.agent(TellRunner(runner=self.runner, message=message))

    def kill(self) -> None:
        """End its process by force."""
        self.agent(KillRunner(runner=self.runner))


class Machine:
    """`line`: while it is there, or about to be; `agent`: where its agent is, as far as it is known."""

    def __init__(self, order: MachineOrder) -> None:
        self.name, self.address = order.name, order.address
        self.agent: ActorAddress | None = None
        self.line: Line | None = None
        self.is_there = False
        self.said = ""  # of it, in the log, last


class Machines:
    """Of a dispatcher, `actor`. `deliver` gets what an agent says, with the name of its machine; `went` is told of one
    that is away, or leaves.
    """

    def __init__(
        self, actor: Actor, orders: tuple[MachineOrder, ...], deployment: str, incarnation: int,
        wake: Callable[[float, object], None], deliver: Callable[[str, Any], None], went: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._actor, self._wake, self._deliver, self._went = actor, wake, deliver, went
        self._deployment, self._incarnation, self._lines = deployment, incarnation, 0
        self._traffic = Traffic()
        self._all = {order.name: Machine(order) for order in orders}
        self._places: Mapping[str, Any] = {}
        self._asked = 0.0
        self._refused: set[str] = set()  # said in the log
        self._beat()

    # who is there --------------------------------------------------------------------------------------------------

    def is_there(self, name: str) -> bool:
        """Whether its agent has come, and has reported."""
        return self._all[name].is_there

    def away(self) -> list[str]:
        """Those whose agents have not."""
        return [name for name, machine in self._all.items() if not machine.is_there]

    def reported(self, name: str) -> None:
        """Its agent has said what is there."""
        machine = self._all[name]
        machine.is_there = True
        self._say(machine, logging.INFO, f"the machine {name} ({machine.address}) is there")

    def left(self, name: str) -> None:
        """Its agent ends in order."""
        self._say(self._all[name], logging.WARNING, f"the agent of the machine {name} ends, and its runners with it")
        self._forget(self._all[name])

    def _beat(self) -> None:
        """Once a second."""
        self._wake(BEAT_S, self._beat)
        for machine in self._all.values():
            if machine.line is not None:
                if machine.line.silence_s > LEASE_S:
                    text = f"nothing was heard of the machine {machine.name} ({machine.address}) for {LEASE_S:g} s"
                    if machine.is_there:
                        self._say(machine, logging.ERROR, f"{text}: its runners go on without us")
                    self._forget(machine)
                else:
                    machine.line.post()
            elif machine.agent is not None:
                self._greet(machine, machine.agent)
        self._asked += BEAT_S
        if self._asked >= ASK_S:  # of those that are known already Thespian tells only who asks anew
            self._asked = 0.0
            for handling in (False, True):
                self._actor.notifyOnSystemRegistrationChanges(handling)

    def joined(self, message: ActorSystemConventionUpdate) -> None:
        """A system is there, or still there; or it is not."""
        said = (message.remoteCapabilities or {}).get(AGENT)
        if not message.remoteAdded or said is None:
            return
        agent = actor_at(*said["place"])
        if (reason := self._objection(said)) is not None:
            self._refuse(agent, said, reason)
            return
        machine = self._all[said["name"]]
        if machine.agent != agent:
            if machine.line is not None:
                self._forget(machine)
            machine.agent = agent
            self._greet(machine, agent)

    def _objection(self, said: Mapping[str, Any]) -> str | None:
        name, address = said["name"], said["address"]
        machine = self._all.get(name)
        if said["version"] != __version__:
            return f"it is version {said['version']}, the deployment's is {__version__}: they have to be the same"
        if machine is None:
            return f"the deployment {self._deployment} has no other machine {name!r}; {nearest(name, self._all)}"
        if machine.address != address:
            return f"the deployment {self._deployment} has the machine {name} at {machine.address}, not at {address}"
        return None

    def _refuse(self, agent: ActorAddress, said: Mapping[str, Any], reason: str) -> None:
        text = f"the agent of {said['name']} at {said['address']} was refused: {reason}"
        if text not in self._refused:
            self._refused.add(text)
            log.error("%s", text)
        self._actor.send(agent, MachineRefused(reason=reason))

    def _greet(self, machine: Machine, agent: ActorAddress) -> None:
        self._lines += 1
        id: LineId = (self._deployment, self._incarnation, self._lines)
        name = machine.name
        machine.line = Line(
            id, name, self._traffic, lambda parcel: self._actor.send(agent, parcel),
            lambda message: self._deliver(name, message),
        )  # fmt: skip
        machine.line.state = self._places
        machine.line.post()

    def _forget(self, machine: Machine) -> None:
        there, machine.is_there = machine.is_there, False
        machine.line = None
        if there:
            self._went(machine.name)

    def _say(self, machine: Machine, level: int, text: str) -> None:
        if machine.said != text:
            machine.said = text
            log.log(level, "%s", text)

    # what is said --------------------------------------------------------------------------------------------------

    def runner(self, machine: str, runner: str) -> OnMachine:
        """What stands for a runner there."""
        return OnMachine(machine, runner, partial(self.tell, machine))

    def tell(self, name: str, message: Any) -> None:
        """To its agent, if it is there."""
        machine = self._all[name]
        if machine.line is not None and machine.is_there:
            machine.line.say(message)

    def tell_places(self, places: Mapping[str, Any]) -> None:
        """Where all runners listen: for the runners of all machines."""
        if places != self._places:
            self._places = dict(places)
            for machine in self._all.values():
                if machine.line is not None:
                    machine.line.state = self._places
                    machine.line.post()

    def take(self, parcel: Parcel) -> Any:
        """Of an agent. Returns its `state`; None if this is no line of ours any more."""
        machine = next((one for one in self._all.values() if one.line is not None and one.line.id == parcel.line), None)
        if machine is None or machine.line is None:
            return None
        machine.line.take(parcel)
        return parcel.state
