"""The Dispatcher actor: starts the runner of a deployment, hands it its flows, starts it again if it dies.

It is a process of its own between `runner up`, which waits for it, and the runner, which is its child.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, ChildActorExited, WakeupMessage, WatchMessage

from actors.counted import counted
from actors.deployment.outer_runner import OuterRunner
from actors.messages import client_to_runner as api
from actors.messages.dispatcher_to_runner import HostRunner, RelayRequest, StopRunner
from actors.messages.dispatcher_to_up import DeploymentDown, DeploymentFailed, DeploymentUp
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_dispatcher import RunnerHosted, RunnerStopped
from actors.messages.up_to_dispatcher import Deploy, StopDeployment
from actors.system.job import Expect, Operation, Steps
from actors.system.outer import OuterActor

HOST_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 60.0
BACKOFF_S = (0.1, 5.0)
log = logging.getLogger("runner.dispatcher")


class DispatcherActor(OuterActor):
    """One per deployment, called `dispatcher`."""

    def __init__(self) -> None:
        super().__init__()
        self.runner: ActorAddress | None = None
        self.runner_pid = 0
        self.deaths: deque[float] = deque()
        self.operation: Operation | None = None
        self.stopping = self.announced = False
        self.calls = 0

    def receiveMsg_Deploy(self, message: Deploy, sender: ActorAddress) -> None:
        """Begin; `runner up` is watched: without it the deployment ends."""
        self.job, self.up = message, sender
        self.up_fd = os.pidfd_open(message.up_pid)
        self.watched = [self.up_fd]
        self._begin(self._bringing_up(), self._brought_up)

    # starting ------------------------------------------------------------------------------------------------------

    def _begin(self, steps: Steps, done: Callable[[Any], None]) -> None:
        """Whatever was going on is given up. `done` gets the errors."""

        def failed(error: Exception) -> None:
            log.error("the dispatcher has failed", exc_info=error)
            done((f"internal error: {type(error).__name__}: {error}",))

        self.operation = Operation(steps, done, failed, self._wake)
        self.operation.begin()

    def _wake(self, seconds: float, payload: object) -> None:
        self.wakeupAfter(timedelta(seconds=seconds), payload)

    def _bringing_up(self) -> Steps:
        """A runner and its flows; returns the errors."""
        job = self.job
        self.runner = self.createActor(OuterRunner)
        host = HostRunner(
            name=job.runner, state=job.state, kept=job.kept, journals=job.journals, accept_loss=job.accept_loss,
            runtimes=job.runtimes,
        )  # fmt: skip
        self.send(self.runner, host)
        came = yield Expect(["hosted"], HOST_TIMEOUT_S)
        if "hosted" not in came:
            return (f"the runner {job.runner} has not started within {HOST_TIMEOUT_S:g} s",)
        hosted: RunnerHosted = came["hosted"]
        self.runner_pid = hosted.pid
        errors = [hosted.error] if hosted.error else []
        for flow in () if errors else job.flows:
            reply = yield from self._call(api.AddOrUpdateFlow(flow=flow))
            if reply.ok:
                for module, reason in (reply.data or {}).get("leftOut", {}).items():
                    log.warning("%s: left out %s: %s", flow["id"], module, reason)
                reply = yield from self._call(api.StartFlow(flow_id=flow["id"]))
            if not reply.ok:
                errors += [f"{flow['id']}: {problem}" for problem in reply.data or [reply.error]]
        return tuple(errors)

    def _call(self, request: api.Request) -> Steps:
        self.calls += 1
        request_id = f"dispatcher-{self.calls}"
        self.send(self.runner, replace(request, request_id=request_id))
        return (yield Expect([request_id]))[request_id]

    def _brought_up(self, errors: tuple[str, ...]) -> None:
        if self.announced:  # a restart: the deployment stays up with what could be started
            for error in errors:
                log.error("%s", error)
            log.info("the runner %s is up again (%d)", self.job.runner, self.runner_pid)
        elif errors:
            self._end(DeploymentFailed(errors=errors))
        else:
            self.announced = True
            self.send(self.up, DeploymentUp(runner_pid=self.runner_pid))

    # the runner dies -----------------------------------------------------------------------------------------------

    def receiveMsg_ChildActorExited(self, message: ChildActorExited, _sender: ActorAddress) -> None:
        """Start it again, unless it was meant to end or dies too often."""
        if message.childAddress != self.runner:
            return
        self.runner = None
        if self.stopping:
            self._resolve("stopped", message)
            self._resolve("exited", message)
            return
        self.operation = None
        now, job = time.monotonic(), self.job
        self.deaths.append(now)
        while self.deaths[0] < now - job.restart_period_s:
            self.deaths.popleft()
        died = f"the runner {job.runner} ({self.runner_pid}) has died, and with it what its flows held"
        if len(self.deaths) > job.restart_times:
            often = f"{counted(len(self.deaths), 'time')} in {job.restart_period_s:g} s"
            self._end(DeploymentFailed(errors=(f"{died}, {often}: it is not started again",)))
            return
        delay = min(BACKOFF_S[1], BACKOFF_S[0] * 2 ** min(len(self.deaths) - 1, 6))
        log.error("%s; it is started again in %.1f s", died, delay)
        self._wake(delay, "restart")

    # the end -------------------------------------------------------------------------------------------------------

    def receiveMsg_StopDeployment(self, _message: StopDeployment, _sender: ActorAddress) -> None:
        """Stop the runner in order; the sender is told what could not be kept."""
        self._end(DeploymentDown())

    def _end(self, answer: DeploymentDown | DeploymentFailed) -> None:
        if not self.stopping:
            self.stopping = True
            self._begin(
                self._stopping(), lambda errors: self._ended(DeploymentFailed(errors=errors) if errors else answer)
            )  # fmt: skip

    def _stopping(self) -> Steps:
        """Returns what could not be kept."""
        if self.runner is None:
            return ()
        self.send(self.runner, StopRunner())
        stopped = (yield Expect(["stopped"], STOP_TIMEOUT_S)).get("stopped")
        if self.runner is not None:
            self.send(self.runner, ActorExitRequest())
            yield Expect(["exited"], STOP_TIMEOUT_S)
        return stopped.errors if isinstance(stopped, RunnerStopped) else ()

    def _ended(self, answer: DeploymentDown | DeploymentFailed) -> None:
        if self.watched:
            self.send(self.up, answer)
        else:
            self.actorSystemShutdown()

    # events --------------------------------------------------------------------------------------------------------

    def _resolve(self, key: str, value: Any) -> None:
        if self.operation is not None:
            self.operation.resolve(key, value)

    def request(self, request: api.Request, sender: ActorAddress) -> None:
        """From whoever has the deployment's key; the runner answers."""
        if self.runner is None:
            self.send(sender, Reply(request_id=request.request_id, ok=False, error="the runner is not up"))
        else:
            self.send(self.runner, RelayRequest(request=request, client=sender))

    def receiveMsg_RunnerHosted(self, message: RunnerHosted, _sender: ActorAddress) -> None:
        """A step of starting."""
        self._resolve("hosted", message)

    def receiveMsg_Reply(self, message: Reply, _sender: ActorAddress) -> None:
        """A step of starting."""
        self._resolve(message.request_id, message)

    def receiveMsg_RunnerStopped(self, message: RunnerStopped, _sender: ActorAddress) -> None:
        """A step of stopping."""
        self._resolve("stopped", message)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A step has waited long enough, or the runner is to be started again."""
        if message.payload == "restart":
            if not self.stopping:
                self._begin(self._bringing_up(), self._brought_up)
        else:
            operation, step = message.payload
            assert isinstance(operation, Operation)
            if operation is self.operation:
                operation.time_up(step)

    def receiveMsg_WatchMessage(self, _message: WatchMessage, _sender: ActorAddress) -> None:
        """`runner up` has been killed: nobody else would stop this."""
        if self.watched:
            log.error("`runner up` is gone: the deployment stops")
            self.watched = []
            os.close(self.up_fd)
            self._end(DeploymentDown())
