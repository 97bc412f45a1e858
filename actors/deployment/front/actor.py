"""The Front actor: the Runner API of a deployment with several runners. It knows which runner has what, asks those that
know, and puts their answers together.
"""

from __future__ import annotations

from collections.abc import Callable

from thespian.actors import ActorAddress, WakeupMessage

from actors.deployment.front.answers import FrontAnswers, RefusedError
from actors.deployment.front.by_module import ByModule
from actors.deployment.front.debugging import Debugging
from actors.deployment.front.dependencies import FrontDependencies
from actors.deployment.front.lists import Lists
from actors.deployment.front.lives import Lives
from actors.deployment.front.looking_on import LookingOn
from actors.deployment.front.moving import Moving
from actors.deployment.front.placing import Placing
from actors.deployment.front.restarts import Restarts
from actors.deployment.front.runners import Runners
from actors.deployment.front.turns import Turns
from actors.deployment.front.updates import Updates
from actors.deployment.front.whole import Whole
from actors.messages import client_to_runner as api
from actors.messages.dispatcher_to_front import StartFront
from actors.messages.parameters import method_of, request_problem
from actors.system.base import BaseActor
from actors.system.job import Operation, Operations
from runtimes.manifest import load_runtimes, runtime_folders


class FrontActor(BaseActor):
    """One per deployment; beside its dispatcher. Its parts answer, each a kind of requests."""

    parts = (
        "runners", "lists", "by_module", "lives", "restarts", "dependencies", "updates", "debugging", "moving",
        "looking_on",
    )  # fmt: skip
    runners: Runners
    lives: Lives
    updates: Updates
    moving: Moving
    debugging: Debugging
    lists: Lists
    by_module: ByModule
    restarts: Restarts
    dependencies: FrontDependencies
    looking_on: LookingOn

    def receiveMsg_StartFront(self, message: StartFront, _sender: ActorAddress) -> None:
        """What is asked from now on is answered."""
        self.operations = Operations(self.wakeupAfter)
        self.runners = Runners(self, message.runners, message.relay, self.operations.resolve)
        self.answers = FrontAnswers(self, self.operations, self.runners, message.desired, self.receiveMessage)
        self.lists = Lists(self.answers, self.runners, message.desired, message.machines)
        self.by_module = ByModule(self.answers, self.runners)
        self.dependencies = FrontDependencies(self.answers, self.runners, self.send)
        whole, turns = Whole(self.runners), Turns(self.operations.resolve)
        placing = Placing(message.runners, load_runtimes(runtime_folders()), self.runners.drained)
        self.lives = Lives(self.answers, whole, turns, message.desired)
        self.debugging = Debugging(self, self.answers, self.operations, whole, turns, message.desired)
        self.updates = Updates(self.answers, whole, turns, message.desired, placing, self.debugging.paused_by)
        self.moving = Moving(self.answers, turns, message.desired, self.updates, placing)
        self.restarts = Restarts(
            self.answers, self.runners, turns, message.desired, placing, self.updates, self.moving, message.changes,
            message.machines, self.debugging.left, self.operations.resolve,
        )  # fmt: skip
        self.looking_on = LookingOn(self, self.answers, self.operations, self.lists, self.updates.last_receipt)

    def _find_handler(self, kind: type) -> Callable[..., None]:
        """That of a request is run with checked parameters only: it may have come as an actor message."""
        handler = super()._find_handler(kind)
        if not issubclass(kind, api.Request):
            return handler
        answer = FrontActor._refuse if handler is FrontActor._unknown else handler

        def checked(self: FrontActor, request: api.Request, sender: ActorAddress) -> None:
            if (problem := request_problem(request)) is not None:
                self.answers.refuse(request, sender, problem)
                return
            if self.answers.holds_back(request, sender):
                return
            try:
                self.debugging.touch(request)
                answer(self, request, sender)
            except RefusedError as error:
                self.answers.refuse(request, sender, str(error), error.data)

        self.handlers[kind] = checked
        return checked

    def _refuse(self, request: api.Request, _sender: ActorAddress) -> None:
        runners = ", ".join(self.runners.names)
        what = method_of(type(request))
        raise RefusedError(f"{what} of several runners comes in a later version: ask one of {runners} (--runner)")

    def receiveMsg_Ping(self, message: api.Ping, sender: ActorAddress) -> None:
        """Answer: the front turns."""
        self.answers.reply(message, sender)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """It is time for something; or a step has waited long enough."""
        if callable(message.payload):
            message.payload()
            return
        what, which = message.payload
        if isinstance(what, Operation):
            self.operations.time_up(what, which)
        else:
            what(which)
