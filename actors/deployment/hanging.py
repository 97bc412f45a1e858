"""Runners that hang: shown as away as soon as nothing is heard of them, and ended by force before long. And those that
have ended while Thespian did not see it, or the registry: of two children that die at the same moment it may tell of
one only.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping

from thespian.actors import ActorAddress, ChildActorExited

from actors.deployment.life import RunnerLife
from actors.deployment.pulse import HANGS_S, LOOK_S, SILENT_S, Pulses

log = logging.getLogger("runner.dispatcher")


class Hanging:
    """Of a dispatcher or an agent. `tell`: a runner's name, and whether it is silent; `exited`: as Thespian says it."""

    def __init__(
        self, lives: Mapping[str, RunnerLife], wake: Callable[[float, object], None],
        tell: Callable[[str, bool], None], exited: Callable[[ChildActorExited], None],
    ) -> None:  # fmt: skip
        self._lives, self._wake, self._tell, self._exited = lives, wake, tell, exited
        self.registry: tuple[ActorAddress, int] | None = None  # and its process
        self._pulses = Pulses(time.monotonic())
        self._look()

    def turns(self, name: str, actor: ActorAddress) -> None:
        """A sign of life; of one that has ended, or is being ended, it counts no more."""
        life = self._lives[name]
        if life.actor == actor and not life.hangs and self._pulses.heard(name):
            log.warning("the runner %s (%d) turns again", name, life.pid)
            self._tell(name, False)

    def ended(self, name: str) -> None:
        """It has stopped, or its process has ended."""
        self._pulses.forget(name)

    def _look(self) -> None:
        self._wake(LOOK_S, self._look)
        for life in list(self._lives.values()):
            if isinstance(life.actor, ActorAddress) and _has_ended(life.pid):
                self._exited(ChildActorExited(life.actor))
        if self.registry is not None and _has_ended(self.registry[1]):
            (actor, _), self.registry = self.registry, None
            self._exited(ChildActorExited(actor))
        for name, verdict in self._pulses.look(time.monotonic()):
            life = self._lives[name]
            if verdict == "silent":
                what = f"has not turned for {SILENT_S:g} s; after {HANGS_S:g} s it is ended"
                log.warning("the runner %s (%d) %s", name, life.pid, what)
                self._tell(name, True)
            else:
                log.error("the runner %s (%d) hangs: it is ended (SIGKILL)", name, life.pid)
                life.hangs = True
                life.kill()


def _has_ended(pid: int) -> bool:
    """Of a child of this process; whoever waits for it still can."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # somebody has
        return True
