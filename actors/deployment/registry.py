"""The Registry actor: says where runners are. Soft: it knows what they have told it in the last seconds, nothing else.

If it dies, links that are there go on; the next one learns everything within a second.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from thespian.actors import ActorAddress, WakeupMessage

from actors.messages.dispatcher_to_registry import RunnerLeft
from actors.messages.owner_to_runner import Place
from actors.messages.registry_to_runner import RunnerFenced, RunnersRegistered
from actors.messages.runner_to_registry import RegisterRunner
from actors.system.outer import OuterActor

LEASE_S = 5.0
LOOK = timedelta(seconds=1)
log = logging.getLogger("runner.registry")


@dataclass(slots=True)
class _Entry:
    """A runner: who it is, where, and when it was heard of last."""

    actor: ActorAddress
    incarnation: int
    place: Place
    heard: float
    is_late: bool = False


class RegistryActor(OuterActor):
    """One per deployment that has several runners; a child of the dispatcher."""

    def __init__(self) -> None:
        super().__init__()
        self.runners: dict[str, _Entry] = {}
        self.looks = False

    def receiveMsg_RegisterRunner(self, message: RegisterRunner, sender: ActorAddress) -> None:
        """It is there, or still there."""
        known, now = self.runners.get(message.name), time.monotonic()
        if known is not None and message.incarnation < known.incarnation:
            self.send(sender, RunnerFenced(name=message.name, incarnation=known.incarnation))
            return
        self.runners[message.name] = _Entry(sender, message.incarnation, message.place, now)
        if known is None or known.is_late or (known.incarnation, known.place) != (message.incarnation, message.place):
            log.debug("%s is at %s:%d (%d)", message.name, *message.place, message.incarnation)
            self._tell_all()
        if not self.looks:
            self.looks = True
            self.wakeupAfter(LOOK)

    def receiveMsg_RunnerLeft(self, message: RunnerLeft, _sender: ActorAddress) -> None:
        """Its incarnation is remembered: another one of the name may come."""
        if (entry := self.runners.get(message.name)) is not None:
            entry.is_late = True
            self._tell_all()

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """Once a second: who has not been heard of?"""
        self.wakeupAfter(LOOK)
        now = time.monotonic()
        late = [name for name, entry in self.runners.items() if not entry.is_late and now - entry.heard > LEASE_S]
        for name in late:
            log.warning("nothing was heard of the runner %s for %g s", name, LEASE_S)
            self.runners[name].is_late = True  # its incarnation is remembered: an older one is not to come back
        if late:
            self._tell_all()

    def _tell_all(self) -> None:
        there = {name: entry for name, entry in self.runners.items() if not entry.is_late}
        places = {name: entry.place for name, entry in there.items()}
        for entry in there.values():
            self.send(entry.actor, RunnersRegistered(places=places))
