"""An actor that is made on the machine `two` only: it says where it is."""

from __future__ import annotations

import os
from typing import Any

from thespian.actors import Actor, ActorAddress, requireCapability


@requireCapability("two")
class Far(Actor):
    """Answers a number with it and the namespace of its network."""

    def receiveMessage(self, msg: Any, sender: ActorAddress) -> None:
        """Whatever else comes is Thespian's."""
        if isinstance(msg, int):
            self.send(sender, [msg, os.readlink("/proc/self/ns/net")])  # noqa: PTH115 (of no path)
