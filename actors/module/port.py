"""What a part of the Module actor may do of what the actor can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from thespian.actors import ActorAddress

from actors.system.port import Port


class ModulePort(Port, Protocol):
    """The Module actor is one."""

    def act(self) -> None:
        """Do what the last event of the state asks for: frames to the host, effects."""

    def perform(self) -> None:
        """Do what it asks for but for frames."""

    def divert(self, methods: Mapping[type, Callable[[Any, ActorAddress], None]]) -> None:
        """Messages of these classes go there."""

    def restore(self) -> None:
        """They go to their handlers again."""

    def handle(self, message: Any, sender: ActorAddress) -> None:
        """Run the handler of a message that was diverted."""

    def receiveMessage(self, msg: Any, sender: ActorAddress) -> None:
        """As if it came now."""
