"""The Dispatcher actor: starts the runners of a deployment, hands them their flows, starts again one that dies.

It is a process of its own between `runner up`, which waits for it, and the runners, which are its children. If they are
several, it has the door that clients come in by.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, ChildActorExited, WakeupMessage, WatchMessage

from actors.counted import counted
from actors.deployment.changes import Changes
from actors.deployment.desired import DesiredState, LastTime
from actors.deployment.elsewhere import Elsewhere
from actors.deployment.front_door import FrontDoor
from actors.deployment.hanging import Hanging
from actors.deployment.life import RunnerLife, all_ending, begun, made
from actors.deployment.machines import OnMachine
from actors.deployment.registry import RegistryActor
from actors.deployment.starting import Starting
from actors.messages import client_to_runner as api
from actors.messages.dispatcher_to_front import RunnerCame, RunnerRestarted, RunnerSilent, RunnerWent
from actors.messages.dispatcher_to_runner import AskRunner, HostRunner, RegistryAt, RelayRequests
from actors.messages.dispatcher_to_up import DeploymentDown, DeploymentFailed, DeploymentUp
from actors.messages.runner_to_client import Progress, Reply
from actors.messages.runner_to_dispatcher import RunnerHosted, RunnerStopped, RunnerTurns
from actors.messages.up_to_dispatcher import Deploy, StopDeployment
from actors.preparation.state_folder import next_incarnation
from actors.system.job import Operation, Steps
from actors.system.outer import OuterActor

log = logging.getLogger("runner.dispatcher")


class DispatcherActor(OuterActor):
    """One per deployment, called `dispatcher`."""

    def __init__(self) -> None:
        super().__init__()
        self.lives: dict[str, RunnerLife] = {}
        self.registry: ActorAddress | None = None
        self.door: FrontDoor | None = None
        self.operation: Operation | None = None  # the end
        self.errors: list[str] = []  # of the start
        self.stopping = self.announced = False
        self.elsewhere: Elsewhere | None = None
        self.waits_for_machines = True

    def receiveMsg_Deploy(self, message: Deploy, sender: ActorAddress) -> None:
        """Begin; `runner up` is watched: without it the deployment ends."""
        self.job, self.up = message, sender
        self.up_fd = os.pidfd_open(message.up_pid)
        self.watched, self.up_lives = [self.up_fd], True
        self.lives = {order.name: RunnerLife(order) for order in message.runners}
        self.hanging = Hanging(self.lives, self._wake, self._silent, lambda ended: self.handle(ended, None))
        several = len(self.lives) > 1 or message.here or any(order.container for order in message.runners)
        if several and (error := self._be_several()) is not None:
            self._end(DeploymentFailed(errors=(error,)))
            return
        desired = None if self.door is None else self.desired
        self.starting = Starting(message, self._make, self.send, lambda: self.registry, desired, self._last())
        for life in self.lives.values():
            self._bring_up(life)

    def _last(self) -> LastTime | None:
        return None if self.job.same is None else LastTime(same=self.job.same, dropped=self.job.dropped)

    def _be_several(self) -> str | None:
        """Have what one runner does not need; returns why it cannot be."""
        self._make_registry()
        self.desired = DesiredState(Path(self.job.desired))
        try:
            offers = {order.name: order.runtimes for order in self.job.runners}
            self.desired.begin(self.job.flows, offers, self._last())
            incarnation = next_incarnation(Path(self.job.desired).with_name("dispatcher.incarnation"))
            changes = Changes(
                self.job, self.lives, self.send, registry=lambda: self.registry, can_make=self._can_make,
                operation=self._operation, operate=self._operate, starting=lambda: self.starting,
                hanging=self.hanging, restarted=self._restarted,
            )  # fmt: skip
            self.door = FrontDoor(self.job, self.desired, self._relay, changes)
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        self.watched += self.door.descriptors
        self.parts.append(self.door)
        if self.job.here is not None:
            self.elsewhere = Elsewhere(
                self, self.job, incarnation, self.lives, registry=lambda: self.registry, wake=self._wake,
                handle=self.handle, begin=self._begin, lost=self._lost, joined=self._machines_joined,
            )  # fmt: skip
            self.parts.append(self.elsewhere)
        return self.door.error

    def _make_registry(self) -> None:
        self.hanging.registry = made(self.createActor, RegistryActor)
        self.registry, _ = self.hanging.registry

    def _relay(self, runner: str, requests: list[Any]) -> None:
        life = self.lives.get(runner)
        if life is not None and (actor := life.actor) is not None:  # else the front is about to hear that
            self.send(actor, AskRunner(requests=tuple(requests)))

    def handled(self) -> None:
        """The door has its turn."""
        if self.door is not None:
            self.door.turn()

    # starting ------------------------------------------------------------------------------------------------------

    def _operation(self, steps: Steps, done: Callable[[Any], None]) -> Operation:
        """`done` gets the errors."""

        def failed(error: Exception) -> None:
            log.error("the dispatcher has failed", exc_info=error)
            done((f"internal error: {type(error).__name__}: {error}",))

        return Operation(steps, done, failed, self._wake)

    def _wake(self, seconds: float, payload: object) -> None:
        self.wakeupAfter(timedelta(seconds=seconds), payload)

    def _bring_up(self, life: RunnerLife) -> None:
        is_begun = self.stopping or life.actor is not None or life.operation is not None
        if not is_begun and self._can_make(life):
            self._operate(life, self.starting.starting(life, again=self.starting.last is not None))

    def _can_make(self, life: RunnerLife) -> bool:
        return self.elsewhere is None or self.elsewhere.can_make(life)

    def _operate(self, life: RunnerLife, steps: Steps, then: Callable[[tuple[str, ...]], None] | None = None) -> None:
        def done(errors: tuple[str, ...]) -> None:
            life.operation = None
            self._brought_up(life, errors)
            if then is not None:
                then(errors)

        life.operation = self._operation(steps, done)
        life.operation.begin()

    def _make(self, life: RunnerLife, order: HostRunner) -> None:
        if life.order.machine is None:
            self.send(begun(life, self.createActor), order)
        else:
            assert self.elsewhere is not None
            self.elsewhere.make(life, order)

    def _brought_up(self, life: RunnerLife, errors: tuple[str, ...]) -> None:
        if self.door is not None and life.is_hosted:
            self.door.tell(RunnerCame(name=life.order.name, pid=life.pid, incarnation=life.incarnation))
        if self.announced:  # a restart: the deployment stays up with what could be started
            for error in errors:
                log.error("%s", error)
            if life.is_hosted:
                what = "without what is named above" if errors else "with all its flows"
                log.info("the runner %s is up again (%d), %s", life.order.name, life.pid, what)
            elif life.actor is not None:
                self.send(life.actor, ActorExitRequest())  # then it is started again, if not too often
            return
        self.errors += errors
        self._announce()

    def _announce(self) -> None:
        """If everything is up that can be."""
        for life in self.lives.values():
            waits = life.order.machine is None or self.waits_for_machines
            if life.operation is not None or (life.actor is None and waits):
                return
        if self.errors:
            self._end(DeploymentFailed(errors=tuple(self.errors)))
        elif not self.announced:
            self.announced = True
            files = frozenset(document["id"] for document in self.job.flows)
            self.starting.last = LastTime(same=files, dropped=self.job.dropped)  # of a runner that dies
            pids = {name: one.pid if one.is_hosted else None for name, one in self.lives.items()}
            self.send(self.up, DeploymentUp(runner_pids=pids))

    # a runner dies -------------------------------------------------------------------------------------------------

    def receiveMsg_ChildActorExited(self, message: ChildActorExited, _sender: ActorAddress) -> None:
        """Start it again, unless it was meant to end or dies too often."""
        if message.childAddress == self.registry:
            if not self.stopping:
                log.error("the registry has died; it is started again")
                self._make_registry()
                for one in self.lives.values():
                    if one.actor is not None and one.order.machine is None:
                        self.send(one.actor, RegistryAt(registry=self.registry))
            return
        life = next((one for one in self.lives.values() if one.actor == message.childAddress), None)
        if life is None:
            return
        self.hanging.ended(life.order.name)
        if self.door is not None:
            self.door.tell(RunnerWent(name=life.order.name))
        if self.stopping or life.is_ending:
            life.actor = None
            self._resolve(("stopped", life.order.name), message)
            self._resolve(("exited", life.order.name), message)
            return
        job = self.job
        died, delay = life.died(job.restart_period_s)
        self._restarted(life.order.name, (died,))  # if that was under way
        if len(life.deaths) > job.restart_times:
            often = f"{counted(len(life.deaths), 'time')} in {job.restart_period_s:g} s"
            self._end(DeploymentFailed(errors=(f"{died}, {often}: it is not started again",)))
            return
        log.error("%s; it is started again in %.1f s", died, delay)
        self._wake(delay, life.order.name)

    def receiveMsg_RunnerTurns(self, message: RunnerTurns, sender: ActorAddress) -> None:
        """A sign of life."""
        if message.name in self.lives:
            self.hanging.turns(message.name, sender)

    def _silent(self, name: str, silent: bool) -> None:
        if self.door is not None:
            self.door.tell(RunnerSilent(name=name, silent=silent))

    def _restarted(self, name: str, errors: tuple[str, ...]) -> None:
        if self.door is not None:
            self.door.tell(RunnerRestarted(name=name, errors=errors))

    def _begin(self, life: RunnerLife, there: bool) -> None:
        if there:
            self._operate(life, self.starting.adopting(life))
        else:
            self._bring_up(life)

    # other machines ------------------------------------------------------------------------------------------------

    def send(self, target: ActorAddress | OnMachine, message: Any) -> None:
        """As of any actor; what is for a runner of another machine goes by its agent."""
        if isinstance(target, OnMachine):
            target.tell(message)
        else:
            super().send(target, message)

    def _lost(self, life: RunnerLife) -> None:
        """Its machine is out of reach, and it may go on there; what it had been asked may be done, or not."""
        name = life.order.name
        for key in ("stopped", "exited"):
            self._resolve((key, name), life)
        life.actor, life.operation, life.is_ending, life.is_lost = None, None, False, True
        if self.door is not None:
            self.door.tell(RunnerWent(name=name))
        self._restarted(name, (f"the machine {life.order.machine} is out of reach",))  # if that was under way

    def _machines_joined(self) -> None:
        """All have come, or it was waited for them long enough."""
        self.waits_for_machines = False
        if not self.announced and not self.stopping:
            self._announce()

    # the end -------------------------------------------------------------------------------------------------------

    def receiveMsg_StopDeployment(self, _message: StopDeployment, _sender: ActorAddress) -> None:
        """Stop the runners in order; the sender is told what could not be kept."""
        self._end(DeploymentDown())

    def _end(self, answer: DeploymentDown | DeploymentFailed) -> None:
        if not self.stopping:
            self.stopping = True
            for life in self.lives.values():
                life.operation = None
            self.operation = self._operation(
                self._stopping(), lambda errors: self._ended(DeploymentFailed(errors=errors) if errors else answer)
            )  # fmt: skip
            self.operation.begin()

    def _stopping(self) -> Steps:
        errors = yield from all_ending(self.lives, self.send)
        lost = [life.order for life in self.lives.values() if life.is_lost]
        return errors + tuple(
            f"the machine {one.machine} is out of reach: the runner {one.name} may go on there" for one in lost
        )

    def _ended(self, answer: DeploymentDown | DeploymentFailed) -> None:
        if self.door is not None:
            self.door.close()
            self.watched = [self.up_fd] if self.up_lives else []
        if self.up_lives:
            self.send(self.up, answer)
        else:
            self.actorSystemShutdown()

    # events --------------------------------------------------------------------------------------------------------

    def _resolve(self, key: Any, value: Any) -> None:
        for operation in (self.operation, *(life.operation for life in self.lives.values())):
            if operation is not None:
                operation.resolve(key, value)

    def request(self, request: api.Request, sender: ActorAddress) -> None:
        """From whoever has the deployment's key; the runner answers, or the front of several."""
        life = next(iter(self.lives.values()))
        if self.door is not None:
            self.door.ask(request, partial(self.send, sender))
        elif life.actor is None:
            self.send(sender, Reply(request_id=request.request_id, ok=False, error="the runner is not up"))
        else:
            self.send(life.actor, RelayRequests(requests=(request,), client=sender))

    def receiveMsg_RunnerHosted(self, message: RunnerHosted, _sender: ActorAddress) -> None:
        """A step of starting."""
        self._resolve(("hosted", message.name), message)

    def receiveMsg_Reply(self, message: Reply, _sender: ActorAddress) -> None:
        """A step of starting."""
        self._resolve(message.request_id, message)

    def receiveMsg_Progress(self, _message: Progress, _sender: ActorAddress) -> None:
        """While a runner starts, nobody waits for it."""

    def receiveMsg_RunnerStopped(self, message: RunnerStopped, _sender: ActorAddress) -> None:
        """A step of stopping."""
        self.hanging.ended(message.name)
        self._resolve(("stopped", message.name), message)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A step has waited long enough, or a runner is to be started again."""
        if callable(message.payload):
            message.payload()
        elif isinstance(message.payload, str):
            if message.payload in self.lives:
                self._bring_up(self.lives[message.payload])
        else:
            operation, step = message.payload
            assert isinstance(operation, Operation)
            if operation in (self.operation, *(life.operation for life in self.lives.values())):
                operation.time_up(step)

    def receiveMsg_WatchMessage(self, message: WatchMessage, _sender: ActorAddress) -> None:
        """The door has something to do; or `runner up` has been killed: nobody else would stop this."""
        if self.door is not None:
            self.door.woken(message.ready)
        if self.up_lives and self.up_fd in message.ready:
            log.error("`runner up` is gone: the deployment stops")
            self.up_lives = False
            self.watched.remove(self.up_fd)
            os.close(self.up_fd)
            self._end(DeploymentDown())
