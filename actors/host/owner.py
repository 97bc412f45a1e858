"""An actor that has a host: a bridge or a trial."""

from __future__ import annotations

from thespian.actors import ActorAddress, ActorExitRequest

from actors.host.host import Host
from actors.messages.actor_to_itself import Flush, TakeFrames
from actors.messages.system_to_actor import Ready
from actors.system.base import BaseActor


class HostOwner(BaseActor):
    """Lets its host's link do what the system says it can do now, and leaves no process behind."""

    serves_flow = True
    host: Host | None = None  # while its process is there
    flow: str
    key: str  # of the host, for people

    def __str__(self) -> str:
        return f"the actor of the host {self.key} of {self.flow}" if hasattr(self, "key") else super().__str__()

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        """The link, the log or the process has something."""
        if self.host is not None:
            self.host.link.ready(message[0])

    def receiveMsg_Flush(self, _message: Flush, _sender: ActorAddress) -> None:
        """Nobody else has anything to write now."""
        if self.host is not None:
            self.host.link.flush()

    def receiveMsg_TakeFrames(self, _message: TakeFrames, _sender: ActorAddress) -> None:
        """Go on with the frames of the last read that are not taken yet."""
        if self.host is not None:
            self.host.link.take_frames()

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """We are not wanted any more."""
        if self.host is not None:
            self.host.close()
            self.host = None
