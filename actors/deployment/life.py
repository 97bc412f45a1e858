"""A runner as its dispatcher has it, over all its starts; and how it is started again in order."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil
from thespian.actors import Actor, ActorAddress, ActorExitRequest

from actors.deployment.container.engine import end_by_force
from actors.deployment.container.stand_in import StandInActor
from actors.deployment.machines import OnMachine
from actors.deployment.outer_runner import OuterRunner
from actors.messages.dispatcher_to_runner import StopRunner
from actors.messages.runner_to_dispatcher import RunnerStopped
from actors.messages.up_to_dispatcher import RunnerOrder
from actors.system.job import Expect, Operation, Steps

STOP_TIMEOUT_S = 60.0
BACKOFF_S = (0.1, 5.0)


@dataclass(slots=True)
class RunnerLife:
    """`operation`: while it is being brought up, or started again; `is_ending`: it has been told to; `is_lost`: it
    may go on, on a machine that is out of reach.
    """

    order: RunnerOrder
    actor: ActorAddress | OnMachine | None = None
    pid: int = 0
    incarnation: int = 0
    is_hosted: bool = False
    is_ending: bool = False
    hangs: bool = False
    is_lost: bool = False
    deaths: deque[float] = field(default_factory=deque)
    operation: Operation | None = None

    def kill(self) -> None:
        """End its process by force; that it has ended comes as of any death."""
        if isinstance(self.actor, OnMachine):
            self.actor.kill()
        elif self.actor is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            if self.order.container is not None:
                end_by_force(self.order.kept)

    def died(self, within_s: float) -> tuple[str, float]:
        """What to say, and in how many seconds it is started again; `deaths` are those of `within_s` seconds now."""
        now, how = time.monotonic(), "has hung and was ended" if self.hangs else "has died"
        self.actor, self.hangs, self.operation = None, False, None
        self.deaths.append(now)
        while self.deaths[0] < now - within_s:
            self.deaths.popleft()
        delay = min(BACKOFF_S[1], BACKOFF_S[0] * 2 ** min(len(self.deaths) - 1, 6))
        return f"the runner {self.order.name} ({self.pid}) {how}, and with it what its flows held", delay


def made(create: Callable[[type[Actor]], ActorAddress], kind: type[Actor]) -> tuple[ActorAddress, int]:
    """An actor, and its process, which is a child of this one."""
    before = set(psutil.Process().children())
    actor = create(kind)
    [process] = set(psutil.Process().children()) - before
    return actor, process.pid


def begun(life: RunnerLife, create: Callable[[type[Actor]], ActorAddress]) -> ActorAddress:
    """Make the process of a runner of this machine."""
    life.actor, life.pid = made(create, OuterRunner if life.order.container is None else StandInActor)
    return life.actor


def ending(life: RunnerLife, send: Callable[[Any, Any], None]) -> Steps:
    """Its flows are kept, then its process ends, by force if it does not; returns what could not be kept."""
    name, life.is_ending = life.order.name, True
    send(life.actor, StopRunner())
    said = (yield Expect([("stopped", name)], STOP_TIMEOUT_S)).get(("stopped", name))
    if life.actor is not None:
        send(life.actor, ActorExitRequest())
        if said is None:
            life.kill()
        yield Expect([("exited", name)], STOP_TIMEOUT_S)
    life.is_ending = False
    return unkept(name, said)


def all_ending(lives: Mapping[str, RunnerLife], send: Callable[[Any, Any], None]) -> Steps:
    """All that are up, at the same time: each keeps what is on its way to another. Returns what could not be kept."""
    up = [name for name, life in lives.items() if life.actor is not None]
    for name in up:
        lives[name].is_ending = True
        send(lives[name].actor, StopRunner())
    stopped = yield Expect([("stopped", name) for name in up], STOP_TIMEOUT_S)
    left = [life for life in lives.values() if life.actor is not None]
    for life in left:
        send(life.actor, ActorExitRequest())
        if ("stopped", life.order.name) not in stopped:
            life.kill()
    yield Expect([("exited", life.order.name) for life in left], STOP_TIMEOUT_S)
    return tuple(error for name in up for error in unkept(name, stopped.get(("stopped", name))))


def unkept(name: str, said: object) -> tuple[str, ...]:
    """What a runner that was told to stop could not keep; `said`: RunnerStopped, its RunnerLife if it is lost with its
    machine, None, or it has died instead.
    """
    if isinstance(said, RunnerStopped):
        return said.errors
    if isinstance(said, RunnerLife):
        return ()
    why = f"has not stopped within {STOP_TIMEOUT_S:g} s" if said is None else "has died while it stopped"
    return (f"the runner {name} {why}: what was not durable of its flows is gone",)
