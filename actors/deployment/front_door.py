"""The door of a deployment with several runners: an in-process system in the dispatcher's process, with the front and
the door that clients come in by.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress

from actors.deployment.changes import Changes
from actors.deployment.desired import DesiredState
from actors.deployment.doors import open_doors
from actors.deployment.front.actor import FrontActor
from actors.deployment.inner_system import InnerSystem
from actors.messages.client_to_runner import Request
from actors.messages.dispatcher_to_front import RunnerCame, RunnerRestarted, RunnerSilent, RunnerWent, StartFront
from actors.messages.runner_to_client import Progress, Reply
from actors.messages.runner_to_dispatcher import FlowPaused, RunnerSaid
from actors.messages.up_to_dispatcher import Deploy
from actors.preparation.state_folder import RunFolder


class FrontDoor:
    """`relay` gives a runner requests, in order. Raises OSError."""

    def __init__(
        self, job: Deploy, desired: DesiredState, relay: Callable[[str, list[Any]], None], changes: Changes
    ) -> None:  # fmt: skip
        inner = InnerSystem(RunFolder(Path(job.state)))
        self.inner: InnerSystem | None = inner
        self._front: ActorAddress = inner.system.createActor(FrontActor)
        runners = {order.name: order.runtimes for order in job.runners}
        machines = {order.name: order.machine or job.here for order in job.runners if job.here is not None}
        start = StartFront(runners=runners, machines=machines, relay=relay, changes=changes, desired=desired)
        self.tell(start)
        self.error = open_doors(inner, self._front, job.name, Path(job.state), job.gateway)

    def tell(
        self,
        message: StartFront | FlowPaused | RunnerCame | RunnerWent | RunnerSilent | RunnerRestarted | Reply | Progress,
    ) -> None:
        """Something has happened to a runner, or it has answered."""
        if self.inner is not None:
            self.inner.system.tell(self._front, message)

    def receiveMsg_RunnerSaid(self, message: RunnerSaid, _sender: ActorAddress) -> None:
        """To the front, which has asked."""
        for said in message.said:
            self.tell(said)

    def receiveMsg_FlowPaused(self, message: FlowPaused | RunnerSilent, _sender: ActorAddress) -> None:
        """For the front: the others pause, too; or a runner hangs, as an agent has seen."""
        self.tell(message)

    receiveMsg_RunnerSilent = receiveMsg_FlowPaused

    def ask(self, request: Request, out: Callable[[Reply | Progress], None]) -> None:
        """On behalf of whoever has asked the dispatcher."""
        if self.inner is not None:
            self.inner.carry(self._front, request, out, out)

    # its system ----------------------------------------------------------------------------------------------------

    @property
    def descriptors(self) -> list[int]:
        """Those that the outer actor is to watch."""
        return [] if self.inner is None else self.inner.descriptors

    def woken(self, ready: Collection[int]) -> None:
        """These descriptors are ready."""
        if self.inner is not None:
            self.inner.woken(ready)

    def turn(self) -> None:
        """For a while; what is left wakes the outer actor again."""
        if self.inner is not None:
            self.inner.turn()

    def close(self) -> None:
        """In order; what is still said to it is said to nobody."""
        inner, self.inner = self.inner, None
        if inner is not None:
            inner.close()
