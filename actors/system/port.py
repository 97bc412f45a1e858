"""What an actor's part may do of what the actor can: send, begin others, set timers. Not the actor itself."""

from __future__ import annotations

from typing import Any, Protocol

from thespian.actors import ActorAddress

from actors.system.in_process import InProcessBase


class Port(Protocol):
    """Every BaseActor is one."""

    address: ActorAddress

    @property
    def system(self) -> InProcessBase:
        """Descriptors, quiet points, and the count of failures."""

    def send(self, to: ActorAddress, message: Any, /) -> None:
        """Send as the actor."""

    def createActor(self, kind: Any, /) -> ActorAddress:
        """A child of the actor."""

    def wakeupAfter(self, seconds: Any, payload: Any) -> None:
        """A WakeupMessage for the actor."""
