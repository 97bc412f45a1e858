"""The Dispatcher actor: starts the runners of a deployment, hands them their flows, starts again one that dies.

It is a process of its own between `runner up`, which waits for it, and the runners, which are its children.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, ChildActorExited, WakeupMessage, WatchMessage

from actors.counted import counted
from actors.deployment.outer_runner import OuterRunner
from actors.deployment.registry import RegistryActor
from actors.messages import client_to_runner as api
from actors.messages.dispatcher_to_runner import (
    HaltRunner,
    HostRunner,
    LinksOrder,
    RegistryAt,
    RelayRequest,
    StopRunner,
)
from actors.messages.dispatcher_to_up import DeploymentDown, DeploymentFailed, DeploymentUp
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_dispatcher import RunnerHalted, RunnerHosted, RunnerStopped
from actors.messages.up_to_dispatcher import Deploy, RunnerOrder, StopDeployment
from actors.system.job import Expect, Operation, Steps
from actors.system.outer import OuterActor

HOST_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 60.0
BACKOFF_S = (0.1, 5.0)
log = logging.getLogger("runner.dispatcher")


@dataclass(slots=True)
class RunnerLife:
    """A runner over all its starts; `operation`: while it is being brought up."""

    order: RunnerOrder
    actor: ActorAddress | None = None
    pid: int = 0
    is_hosted: bool = False
    deaths: deque[float] = field(default_factory=deque)
    operation: Operation | None = None


class DispatcherActor(OuterActor):
    """One per deployment, called `dispatcher`."""

    def __init__(self) -> None:
        super().__init__()
        self.lives: dict[str, RunnerLife] = {}
        self.registry: ActorAddress | None = None
        self.operation: Operation | None = None  # the end
        self.errors: list[str] = []  # of the start
        self.stopping = self.announced = False
        self.calls = 0

    def receiveMsg_Deploy(self, message: Deploy, sender: ActorAddress) -> None:
        """Begin; `runner up` is watched: without it the deployment ends."""
        self.job, self.up = message, sender
        self.up_fd = os.pidfd_open(message.up_pid)
        self.watched = [self.up_fd]
        self.lives = {order.name: RunnerLife(order) for order in message.runners}
        if len(self.lives) > 1:
            self.registry = self.createActor(RegistryActor)
        for life in self.lives.values():
            self._bring_up(life)

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
        def done(errors: tuple[str, ...]) -> None:
            life.operation = None
            self._brought_up(life, errors)

        life.operation = self._operation(self._bringing_up(life), done)
        life.operation.begin()

    def _bringing_up(self, life: RunnerLife) -> Steps:
        """A runner and what it has of the flows; returns the errors."""
        job, order = self.job, life.order
        life.actor, life.is_hosted = self.createActor(OuterRunner), False
        links = None if self.registry is None else LinksOrder(bind=job.bind, keys=job.keys, registry=self.registry)
        host = HostRunner(
            name=order.name, state=job.state, kept=order.kept, journals=order.journals, accept_loss=job.accept_loss,
            runtimes=order.runtimes, links=links,
        )  # fmt: skip
        self.send(life.actor, host)
        came = yield Expect([("hosted", order.name)], HOST_TIMEOUT_S)
        if not came:
            return (f"the runner {order.name} has not started within {HOST_TIMEOUT_S:g} s",)
        hosted: RunnerHosted = came["hosted", order.name]
        life.pid, life.is_hosted = hosted.pid, hosted.error is None
        errors = [hosted.error] if hosted.error else []
        for flow in () if errors else self._flows_of(order.name):
            reply = yield from self._call(life, api.AddOrUpdateFlow(flow=flow))
            if reply.ok:
                for module, reason in (reply.data or {}).get("leftOut", {}).items():
                    log.warning("%s: left out %s: %s", flow["id"], module, reason)
                reply = yield from self._call(life, api.StartFlow(flow_id=flow["id"]))
            if not reply.ok:
                errors += [f"{flow['id']}: {problem}" for problem in reply.data or [reply.error]]
        return tuple(errors)

    def _flows_of(self, runner: str) -> list[dict[str, Any]]:
        """Those that have a module there; with one runner that is every flow."""
        if len(self.lives) == 1:
            return list(self.job.flows)
        places = {flow["id"]: {module["runner"] for module in flow["modules"].values()} for flow in self.job.flows}
        return [flow for flow in self.job.flows if runner in places[flow["id"]]]

    def _call(self, life: RunnerLife, request: api.Request) -> Steps:
        self.calls += 1
        request_id = f"dispatcher-{self.calls}"
        self.send(life.actor, replace(request, request_id=request_id))
        return (yield Expect([request_id]))[request_id]

    def _brought_up(self, life: RunnerLife, errors: tuple[str, ...]) -> None:
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
        if any(one.operation is not None or one.actor is None for one in self.lives.values()):
            return
        if self.errors:
            self._end(DeploymentFailed(errors=tuple(self.errors)))
        else:
            self.announced = True
            self.send(self.up, DeploymentUp(runner_pids={name: one.pid for name, one in self.lives.items()}))

    # a runner dies -------------------------------------------------------------------------------------------------

    def receiveMsg_ChildActorExited(self, message: ChildActorExited, _sender: ActorAddress) -> None:
        """Start it again, unless it was meant to end or dies too often."""
        if message.childAddress == self.registry:
            if not self.stopping:
                log.error("the registry has died; it is started again")
                self.registry = self.createActor(RegistryActor)
                for one in self.lives.values():
                    if one.actor is not None:
                        self.send(one.actor, RegistryAt(registry=self.registry))
            return
        life = next((one for one in self.lives.values() if one.actor == message.childAddress), None)
        if life is None:
            return
        life.actor = life.operation = None
        if self.stopping:
            self._resolve(("halted", life.order.name), message)
            self._resolve(("stopped", life.order.name), message)
            self._resolve(("exited", life.order.name), message)
            return
        now, job = time.monotonic(), self.job
        life.deaths.append(now)
        while life.deaths[0] < now - job.restart_period_s:
            life.deaths.popleft()
        died = f"the runner {life.order.name} ({life.pid}) has died, and with it what its flows held"
        if len(life.deaths) > job.restart_times:
            often = f"{counted(len(life.deaths), 'time')} in {job.restart_period_s:g} s"
            self._end(DeploymentFailed(errors=(f"{died}, {often}: it is not started again",)))
            return
        delay = min(BACKOFF_S[1], BACKOFF_S[0] * 2 ** min(len(life.deaths) - 1, 6))
        log.error("%s; it is started again in %.1f s", died, delay)
        self._wake(delay, life.order.name)

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
        """All at the same time, once nothing is on its way between them; returns what could not be kept."""
        up = self._up()
        if len(up) > 1:
            for life in up.values():
                self.send(life.actor, HaltRunner())
            yield Expect([("halted", name) for name in up], STOP_TIMEOUT_S)
            up = self._up()
        for life in up.values():
            self.send(life.actor, StopRunner())
        stopped = yield Expect([("stopped", name) for name in up], STOP_TIMEOUT_S)
        for life in self._up().values():
            self.send(life.actor, ActorExitRequest())
        yield Expect([("exited", name) for name in self._up()], STOP_TIMEOUT_S)
        said = [one for one in stopped.values() if isinstance(one, RunnerStopped)]
        return tuple(error for one in said for error in one.errors)

    def _up(self) -> dict[str, RunnerLife]:
        return {name: life for name, life in self.lives.items() if life.actor is not None}

    def _ended(self, answer: DeploymentDown | DeploymentFailed) -> None:
        if self.watched:
            self.send(self.up, answer)
        else:
            self.actorSystemShutdown()

    # events --------------------------------------------------------------------------------------------------------

    def _resolve(self, key: Any, value: Any) -> None:
        for operation in (self.operation, *(life.operation for life in self.lives.values())):
            if operation is not None:
                operation.resolve(key, value)

    def request(self, request: api.Request, sender: ActorAddress) -> None:
        """From whoever has the deployment's key; the runner answers."""
        actors = [life.actor for life in self.lives.values()]
        if len(actors) > 1:
            error = f"this deployment has {len(actors)} runners: ask one of {', '.join(self.lives)} at its socket"
            self.send(sender, Reply(request_id=request.request_id, ok=False, error=error))
        elif actors[0] is None:
            self.send(sender, Reply(request_id=request.request_id, ok=False, error="the runner is not up"))
        else:
            self.send(actors[0], RelayRequest(request=request, client=sender))

    def receiveMsg_RunnerHosted(self, message: RunnerHosted, _sender: ActorAddress) -> None:
        """A step of starting."""
        self._resolve(("hosted", message.name), message)

    def receiveMsg_Reply(self, message: Reply, _sender: ActorAddress) -> None:
        """A step of starting."""
        self._resolve(message.request_id, message)

    def receiveMsg_RunnerHalted(self, message: RunnerHalted, _sender: ActorAddress) -> None:
        """A step of stopping."""
        self._resolve(("halted", message.name), message)

    def receiveMsg_RunnerStopped(self, message: RunnerStopped, _sender: ActorAddress) -> None:
        """A step of stopping."""
        self._resolve(("stopped", message.name), message)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A step has waited long enough, or a runner is to be started again."""
        if isinstance(message.payload, str):
            if not self.stopping:
                self._bring_up(self.lives[message.payload])
        else:
            operation, step = message.payload
            assert isinstance(operation, Operation)
            if operation in (self.operation, *(life.operation for life in self.lives.values())):
                operation.time_up(step)

    def receiveMsg_WatchMessage(self, _message: WatchMessage, _sender: ActorAddress) -> None:
        """`runner up` has been killed: nobody else would stop this."""
        if self.watched:
            log.error("`runner up` is gone: the deployment stops")
            self.watched = []
            os.close(self.up_fd)
            self._end(DeploymentDown())
