"""The base actor: a handler per message class; a handler that raises answers with an error and is not run again.

An actor may have parts: plain objects with handlers of their own, which a message class finds as it finds the actor's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, ClassVar

from msgspec.structs import replace
from thespian.actors import ActorAddress, ActorExitRequest, ActorTypeDispatcher, ChildActorExited

from actors.messages.actor_to_sender import ActorFailed
from actors.messages.runner_to_client import Reply
from actors.system.in_process import InProcessBase, ShortWay

log = logging.getLogger("runner.actor")


class BaseActor(ShortWay, ActorTypeDispatcher):
    """Dispatches by class to `receiveMsg_NAME(message, sender)`, as Thespian's own dispatcher does, but found once:
    that of the actor, else of one of its `parts`, which are the names of attributes.
    """

    parts: ClassVar[tuple[str, ...]] = ()
    serves_flow = False  # a module or a host, which tells its flow when it has handled a message half

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.handlers = {}

    def receiveMessage(self, msg: Any, sender: ActorAddress) -> None:
        """Run the handler of the message's class. Unknown messages and failures are answered, never silent."""
        try:
            diverted = self.handlers.get(type(msg))
            if diverted is not None:
                diverted(self, msg, sender)
            else:
                self.handle(msg, sender)
        except Exception as error:
            self.failed(error, msg, sender)

    def failed(self, error: Exception, msg: Any, sender: ActorAddress) -> None:
        """A handler has raised: it is not run again, the sender gets an answer."""
        self.system.failures += 1
        log.error("%s failed on %s", self, type(msg).__name__, exc_info=error)
        what = f"{self}, {type(msg).__name__}: {type(error).__name__}: {error}"
        self._answer_failure(msg, sender, f"internal error: {what}")

    def __str__(self) -> str:
        """Who it is, for the log."""
        return type(self).__name__

    def pass_on(self, message: Any, sender: ActorAddress, to: ActorAddress) -> None:
        """Let another actor have a message; it answers the sender, not us."""
        self.queue.append((to, message, sender))

    def _find_handler(self, kind: type) -> Callable[..., None]:
        name = f"receiveMsg_{kind.__name__}"
        own, inherited = getattr(type(self), name, None), getattr(BaseActor, name, None)
        found: list[Callable[..., None]] = [own] if own not in (None, inherited) else []
        found += [_of_part(part, name) for part in self.parts if hasattr(getattr(self, part, None), name)]
        if len(found) > 1:
            raise TypeError(f"{type(self).__name__} has more than one handler of {kind.__name__}")
        handler: Callable[..., None] | None = found[0] if found else inherited
        if handler is None:
            return type(self)._unknown  # not for good: this actor may have no parts yet
        type(self).handlers[kind] = handler
        return handler

    # some messages may be seen to by others for a while -------------------------------------------------------------

    def divert(self, methods: Mapping[type, Callable[[Any, ActorAddress], None]]) -> None:
        """Messages of these classes go to these methods, and of no others."""
        self.handlers = {kind: _of_nobody(method) for kind, method in methods.items()}

    def restore(self) -> None:
        """They go to their handlers again."""
        if "handlers" in vars(self):
            del self.handlers

    def handle(self, message: Any, sender: ActorAddress) -> None:
        """Run the handler of a message, diverted or not."""
        kind = type(message)
        handler = type(self).handlers.get(kind) or self._find_handler(kind)
        handler(self, message, sender)

    # answers -------------------------------------------------------------------------------------------------------

    def _unknown(self, msg: Any, sender: ActorAddress) -> None:
        if isinstance(msg, (ActorExitRequest, ChildActorExited)):
            return
        self.system.failures += 1
        log.error("%s does not know %s", self, type(msg).__name__)
        self._answer_failure(msg, sender, f"internal error: {self} does not know {type(msg).__name__}")

    def _answer_failure(self, msg: Any, sender: ActorAddress, error: str) -> None:
        request_id = getattr(msg, "request_id", None)
        if isinstance(msg, (Reply, ActorFailed)):
            return  # two that answer answers would never end
        if request_id is not None:
            self.send(getattr(msg, "client", sender), Reply(request_id=request_id, ok=False, error=error))
            return
        told = getattr(self, "owner", sender) if self.serves_flow else sender
        if told != self.myAddress:
            flow = getattr(self, "flow", "") or getattr(msg, "flow", "")
            self.send(told, ActorFailed(error=error, flow=flow, asked=sender == told))

    def receiveMsg_ActorFailed(self, message: ActorFailed, _sender: ActorAddress) -> None:
        """It is in the log already; whoever has begun us may wait for what cannot come now."""
        owner = getattr(self, "owner", None)
        if owner is not None:
            self.send(owner, replace(message, flow=message.flow or getattr(self, "flow", "")))

    @property
    def system(self) -> InProcessBase:
        """The in-process system: watch, unwatch, ask_quiet_point."""
        base: InProcessBase = self._myRef._system._systemBase
        return base


def _of_part(part: str, name: str) -> Callable[..., None]:
    find = attrgetter(f"{part}.{name}")
    return lambda actor, message, sender: find(actor)(message, sender)


def _of_nobody(method: Callable[[Any, ActorAddress], None]) -> Callable[..., None]:
    return lambda _actor, message, sender: method(message, sender)
