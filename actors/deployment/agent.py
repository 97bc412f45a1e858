"""The Agent actor: has the runners of a machine, and does with them what the dispatcher on another machine says.

It starts them, ends them, and hands on what they and the dispatcher tell each other. It decides nothing: while the
dispatcher is away its runners go on, and what has ended stays so until one comes.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress, ActorExitRequest, ChildActorExited, WakeupMessage, WatchMessage

from actors.deployment.hanging import Hanging
from actors.deployment.key_folder import KeysError, provide
from actors.deployment.life import RunnerLife, all_ending, begun
from actors.deployment.machines import AGENT
from actors.messages.agent_to_dispatcher import MachineLeaves, MachineReport, RunnerEnded, RunnerThere
from actors.messages.dispatcher_to_agent import KillRunner, MachineRefused, StartRunner, TellRunner
from actors.messages.dispatcher_to_front import RunnerSilent
from actors.messages.dispatcher_to_runner import HostRunner, LinksOrder, StopRunner
from actors.messages.dispatcher_to_up import DeploymentDown, DeploymentFailed, DeploymentUp
from actors.messages.line_to_line import Parcel
from actors.messages.owner_to_agent import BeAgent
from actors.messages.registry_to_runner import RunnersRegistered
from actors.messages.runner_to_client import Progress, Reply
from actors.messages.runner_to_dispatcher import FlowPaused, RunnerHosted, RunnerSaid, RunnerStopped, RunnerTurns
from actors.messages.runner_to_registry import RegisterRunner
from actors.messages.up_to_dispatcher import RunnerOrder, StopDeployment
from actors.system.convention import place_of
from actors.system.job import Operation, Steps
from actors.system.line import BEAT_S, LEASE_S, Line, Traffic
from actors.system.outer import OuterActor

ABSENT_S = 3.0  # then it says that it waits for its leader
KNOCK_S = 1.0
log = logging.getLogger("runner.agent")


class AgentActor(OuterActor):
    """One per machine that is not the leader's, called `agent`."""

    def __init__(self) -> None:
        super().__init__()
        self.lives: dict[str, RunnerLife] = {}
        self.registrations: dict[str, RegisterRunner] = {}  # of those that take requests
        self.deployment: str | None = None  # whose runners they are
        self.line: Line | None = None
        self.newest = (0, 0)  # of the lines of that deployment
        self.traffic = Traffic()
        self.places: dict[str, Any] = {}
        self.operation: Operation | None = None
        self.stopping = self.said_absent = False
        self.absent_s = 0.0

    def receiveMsg_BeAgent(self, message: BeAgent, sender: ActorAddress) -> None:
        """Say where we are, and wait for a dispatcher; `runner agent` is watched: without it this ends."""
        self.job, self.main = message, sender
        self.main_fd = os.pidfd_open(message.pid)
        self.watched, self.main_lives = [self.main_fd], True
        place = place_of(self.myAddress)
        said = {"name": message.name, "address": message.address, "version": message.version, "place": place}
        self.updateCapability(AGENT, said)
        self.hanging = Hanging(self.lives, self._wake, self._silent, lambda ended: self.handle(ended, None))
        self.send(sender, DeploymentUp(runner_pids={}))
        self._beat()

    def _wake(self, seconds: float, payload: object) -> None:
        self.wakeupAfter(timedelta(seconds=seconds), payload)

    # the dispatcher ------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        """Once a second."""
        self._wake(BEAT_S, self._beat)
        if self.line is not None and self.line.silence_s > LEASE_S:
            self.line = None
        if self.line is not None:
            self._tell_state()
            self.line.post()
            self.absent_s = 0.0
            return
        self.absent_s += BEAT_S
        if self.absent_s >= ABSENT_S and not self.said_absent:
            self.said_absent = True
            log.warning("%s; %s waits for it%s", self._why_absent(), self.job.name, self._what_goes_on())

    def _what_goes_on(self) -> str:
        return f", its runners go on: {', '.join(self.lives)}" if self.lives else ""

    def _why_absent(self) -> str:
        host, port = self.job.leader
        try:
            socket.create_connection((host, port), timeout=KNOCK_S).close()
        except OSError as error:
            why = "it does not answer" if isinstance(error, TimeoutError) else error.strerror or error
            return f"the leader {host}:{port} is not there ({why})"
        why = "another control key, clocks that differ by more than 30 s, or no deployment with `machines`"
        return f"somebody is at {host}:{port} who does not know this machine as his: {why}? His log may say so"

    def receiveMsg_MachineRefused(self, message: MachineRefused, _sender: ActorAddress) -> None:
        """A dispatcher that does not want us."""
        self._end(DeploymentFailed(errors=(f"the leader {self.job.leader[0]} has refused us: {message.reason}",)))

    def receiveMsg_Parcel(self, message: Parcel, sender: ActorAddress) -> None:
        """Of a dispatcher. The newest line counts."""
        deployment, *number = message.line
        if self.line is None or self.line.id != message.line:
            if self.stopping or (deployment == self.deployment and tuple(number) <= self.newest):
                return
            if deployment != self.deployment and self.line is not None:
                reason = f"the machine {self.job.name} serves the deployment {self.deployment}"
                log.error("%s; that of %s is not let in", reason, deployment)
                return
            self.newest = (number[0], number[1])
            self._begin(message, sender)
            return
        self.line.take(message)
        self._know(message.state)

    def _begin(self, message: Parcel, dispatcher: ActorAddress) -> None:
        """A dispatcher is there. Runners of another deployment, or told to end already, end before it hears of any."""
        deployment = message.line[0]
        self.line = Line(
            message.line, deployment, self.traffic, lambda parcel: self.send(dispatcher, parcel), self._told
        )  # fmt: skip
        self.line.take(message)
        leaving = {name: life for name, life in self.lives.items() if life.is_ending or self.deployment != deployment}
        self.deployment = deployment
        if leaving:
            log.warning("the runners of a dispatcher before end first: %s", ", ".join(leaving))
            self._operate(all_ending(leaving, self.send), lambda _: self._report())
        else:
            self._report()

    def _report(self) -> None:
        if self.line is not None:
            runners = tuple(
                RunnerThere(name=name, pid=life.pid, incarnation=life.incarnation)
                for name, life in self.lives.items() if life.is_hosted and not life.is_ending
            )  # fmt: skip
            self.line.say(MachineReport(machine=self.job.name, runners=runners))
            self.said_absent = False
            log.info("%s serves the deployment %s of %s", self.job.name, self.deployment, self.job.leader[0])

    def _know(self, places: dict[str, Any]) -> None:
        """Where all runners of the deployment listen."""
        if places != self.places:
            self.places = places
            for life in self.lives.values():
                self.send(life.actor, RunnersRegistered(places=places))

    def _tell_state(self) -> None:
        if self.line is not None:
            self.line.state = tuple(self.registrations.values())

    def _told(self, message: Any) -> None:
        """What the dispatcher has said on the line."""
        self.receiveMessage(message, self.myAddress)

    def _say(self, message: Any) -> None:
        """To the dispatcher, if there is one."""
        if self.line is not None:
            self.line.say(message)

    # its runners ---------------------------------------------------------------------------------------------------

    def receiveMsg_StartRunner(self, message: StartRunner, _sender: ActorAddress) -> None:
        """A process of its own, with its things where this machine has them."""
        order, job = message.order, self.job
        if order.name in self.lives:  # it ends
            self._say(RunnerHosted(name=order.name, pid=0, error=f"the runner {order.name} is still there"))
            return
        try:
            provide(Path(job.keys), [order.name])
        except KeysError as error:
            self._say(RunnerHosted(name=order.name, pid=0, error=f"{job.name}: {error}"))
            return
        order = self._at_home(order, message.number)
        known = RunnerOrder(name=order.name, runtimes=order.runtimes, kept=order.kept, journals=order.journals)
        life = self.lives[order.name] = RunnerLife(known)
        self.send(begun(life, self.createActor), order)

    def _at_home(self, order: HostRunner, number: int) -> HostRunner:
        job, deployment = self.job, str(self.deployment)
        port = job.data_port + number if job.data_port else 0
        links = LinksOrder(deployment=deployment, place=(job.address, port), registry=self.myAddress)
        return replace(
            order, state=job.state, keys=job.keys, links=links,
            kept=str(Path(job.state, "kept", deployment, order.name)),
            journals=str(Path(job.state, "journal", deployment, order.name)),
        )  # fmt: skip

    def receiveMsg_TellRunner(self, message: TellRunner, _sender: ActorAddress) -> None:
        """Hand it on; for one that has ended, or never was, its end is said."""
        life, is_stop = self.lives.get(message.runner), isinstance(message.message, StopRunner)
        if life is not None:
            life.is_ending |= is_stop
            self.send(life.actor, message.message)
        elif is_stop or isinstance(message.message, ActorExitRequest):
            self._say(RunnerStopped(name=message.runner) if is_stop else RunnerEnded(name=message.runner))

    def receiveMsg_KillRunner(self, message: KillRunner, _sender: ActorAddress) -> None:
        """It does not end by itself."""
        if message.runner in self.lives:
            self.lives[message.runner].kill()

    def receiveMsg_RunnerHosted(self, message: RunnerHosted, _sender: ActorAddress) -> None:
        """It takes requests, or does not."""
        life = self.lives[message.name]
        life.incarnation, life.is_hosted = message.incarnation, message.error is None
        if self.places:
            self.send(life.actor, RunnersRegistered(places=self.places))
        self._say(message)

    def receiveMsg_RegisterRunner(self, message: RegisterRunner, _sender: ActorAddress) -> None:
        """Once a second: the dispatcher's registry is told with the next sign of life, or at once if that is new."""
        if message.name in self.lives and self.registrations.get(message.name) != message:
            self.registrations[message.name] = message
            self._tell_state()
            if self.line is not None:
                self.line.post()

    def receiveMsg_RunnerTurns(self, message: RunnerTurns, sender: ActorAddress) -> None:
        """A sign of life."""
        if message.name in self.lives:
            self.hanging.turns(message.name, sender)

    def _silent(self, name: str, silent: bool) -> None:
        self._say(RunnerSilent(name=name, silent=silent))

    def receiveMsg_Reply(self, message: Reply | Progress | RunnerSaid | FlowPaused, _sender: ActorAddress) -> None:
        """Of a runner, for the dispatcher."""
        self._say(message)

    receiveMsg_Progress = receiveMsg_RunnerSaid = receiveMsg_FlowPaused = receiveMsg_Reply

    def receiveMsg_RunnerStopped(self, message: RunnerStopped, _sender: ActorAddress) -> None:
        """Its flows are kept; its process is still there."""
        self._forget(message.name)
        self._resolve(("stopped", message.name), message)
        self._say(message)

    def receiveMsg_ChildActorExited(self, message: ChildActorExited, _sender: ActorAddress) -> None:
        """A runner has ended. What follows from that, the dispatcher knows."""
        for name, life in list(self.lives.items()):
            if life.actor == message.childAddress:
                del self.lives[name]
                life.actor = None
                self._forget(name)
                if not life.is_ending:
                    log.error("the runner %s (%d) has ended", name, life.pid)
                self._say(RunnerEnded(name=name))  # before what follows from it here
                self._resolve(("stopped", name), message)
                self._resolve(("exited", name), message)

    def _forget(self, name: str) -> None:
        self.hanging.ended(name)
        self.registrations.pop(name, None)
        self._tell_state()

    # the end -------------------------------------------------------------------------------------------------------

    def _operate(self, steps: Steps, done: Callable[[Any], None]) -> None:
        def failed(error: Exception) -> None:
            log.error("the agent has failed", exc_info=error)
            done((f"internal error: {type(error).__name__}: {error}",))

        self.operation = Operation(steps, done, failed, self._wake)
        self.operation.begin()

    def _resolve(self, key: Any, value: Any) -> None:
        if self.operation is not None:
            self.operation.resolve(key, value)

    def receiveMsg_StopDeployment(self, _message: StopDeployment, _sender: ActorAddress) -> None:
        """Of `runner agent`: the runners end in order, and then this."""
        self._end(DeploymentDown())

    def _end(self, answer: DeploymentDown | DeploymentFailed) -> None:
        if not self.stopping:
            self.stopping = True
            self._say(MachineLeaves())
            self._operate(
                all_ending(self.lives, self.send),
                lambda errors: self._ended(DeploymentFailed(errors=errors) if errors else answer),
            )

    def _ended(self, answer: DeploymentDown | DeploymentFailed) -> None:
        if self.main_lives:
            self.send(self.main, answer)
        else:
            self.actorSystemShutdown()

    # events --------------------------------------------------------------------------------------------------------

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """It is time for something, or a step has waited long enough."""
        if callable(message.payload):
            message.payload()
        else:
            operation, step = message.payload
            operation.time_up(step)

    def receiveMsg_WatchMessage(self, message: WatchMessage, _sender: ActorAddress) -> None:
        """`runner agent` has died."""
        if self.main_lives and self.main_fd in message.ready:
            self.main_lives, self.watched = False, []
            self._end(DeploymentDown())
