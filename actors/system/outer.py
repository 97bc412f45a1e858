"""The base of actors between processes (Thespian's multiprocTCPBase): as BaseActor, and it watches descriptors.

Thespian forgets an actor's descriptors after every handler that does not return them, runs a handler that raised
again, and drops messages that nobody knows: none of that can happen here.
"""

from __future__ import annotations

import logging
from typing import Any

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ChildActorExited, ThespianWatch

from actors.messages.client_to_runner import Request
from actors.messages.runner_to_client import Reply

log = logging.getLogger("runner.actor")


class OuterActor(Actor):
    """Dispatches to `receiveMsg_NAME(message, sender)`, its own or that of one of its `parts`; requests of the Runner
    API to `request`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watched: list[int] = []
        self.parts: list[Any] = []

    def receiveMessage(self, msg: Any, sender: ActorAddress) -> ThespianWatch:
        """Run the handler; answer failures; go on watching."""
        self.handle(msg, sender)
        return ThespianWatch(list(self.watched))

    def handle(self, msg: Any, sender: Any) -> None:
        """As if it had come as an actor message."""
        try:
            name = "request" if isinstance(msg, Request) else f"receiveMsg_{type(msg).__name__}"
            handler = next((getattr(one, name) for one in (self, *self.parts) if hasattr(one, name)), None)
            if handler is not None:
                handler(msg, sender)
            elif not isinstance(msg, (ActorExitRequest, ChildActorExited)):
                log.error("%s does not know %s", type(self).__name__, type(msg).__name__)
            self.handled()
        except Exception as error:
            log.exception("%s failed on %s", type(self).__name__, type(msg).__name__)
            if (request_id := getattr(msg, "request_id", None)) is not None:
                text = f"internal error: {type(error).__name__}: {error}"
                self.send(sender, Reply(request_id=request_id, ok=False, error=text))

    def handled(self) -> None:
        """Called after every handler that has not raised."""
