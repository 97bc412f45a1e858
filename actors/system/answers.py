"""How a client is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress

from actors.messages.runner_to_client import Reply
from actors.system.port import Port


class Answers:
    """Of one actor, to whoever has asked it."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def reply(self, request: Any, client: ActorAddress, value: Any = True, **more: Any) -> None:
        """The request is done; `more`: the Reply's receipt and data."""
        self._port.send(client, Reply(request_id=request.request_id, ok=True, value=value, **more))

    def refuse(self, request: Any, client: ActorAddress, error: str, data: Any = None) -> None:
        """The request is not done; `error` is a sentence, or several in lines."""
        self._port.send(client, Reply(request_id=request.request_id, ok=False, value=False, error=error, data=data))

    def reply_or_regret(self, request: Any, client: ActorAddress, done: str, errors: tuple[str, ...]) -> None:
        """It is done; but if anything went wrong with it, that is no success."""
        if errors:
            regrets = [f"{done}, but {error}" for error in errors]
            self.refuse(request, client, "\n".join(regrets), regrets)
        else:
            self.reply(request, client)

    def refusing(self, request: Any, client: ActorAddress) -> Callable[[str], None]:
        """What refuses a request with a sentence: for the end of a job that has failed."""
        return lambda error: self.refuse(request, client, error)
