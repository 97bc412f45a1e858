"""Runners that are started again in order, come, change and leave, when nothing else is done to their flows: what is
asked of them meanwhile waits.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from thespian.actors import ActorAddress

from actors.definition.places import MAX_NAME, cut, nearest
from actors.deployment.changes import Changes
from actors.deployment.desired import DesiredState
from actors.deployment.front.answers import FrontAnswers, RefusedError
from actors.deployment.front.moving import Moving
from actors.deployment.front.placing import Placing
from actors.deployment.front.runners import Runners
from actors.deployment.front.turns import Turns
from actors.deployment.front.updates import Updates
from actors.deployment.wanted import UnwantedError
from actors.messages import client_to_runner as api
from actors.messages.dispatcher_to_front import RunnerRestarted
from actors.messages.runner_to_client import Reply
from actors.messages.up_to_dispatcher import RunnerOrder
from actors.system.job import Expect, Steps


class Restarts:
    """`changes` tells the dispatcher; RunnerRestarted is its answer. `machines`: where runners are, if there are some.
    `left` is told of a runner that is no more.
    """

    def __init__(
        self, answers: FrontAnswers, runners: Runners, turns: Turns, desired: DesiredState, placing: Placing,
        updates: Updates, moving: Moving, changes: Changes, machines: dict[str, str], left: Callable[[str], None],
        resolve: Callable[[Hashable, object], None],
    ) -> None:  # fmt: skip
        self._answers, self._runners, self._turns, self._desired = answers, runners, turns, desired
        self._placing, self._updates, self._moving = placing, updates, moving
        self._changes, self._machines, self._left, self._resolve = changes, machines, left, resolve

    def receiveMsg_RestartRunner(self, message: api.RestartRunner, sender: ActorAddress) -> None:
        """Answered when it is up again with its flows; `changed`: as what the deployment's file says."""
        name = message.name
        order = self._wanted(name) if message.changed else None
        if name in self._runners.all:
            steps = self._restarting if order is None else self._changing
            self._answers.by_steps(message, sender, self._alone(name, lambda: steps(name, order)))
        elif order is None:
            raise self._unknown(name)
        else:
            self._answers.by_steps(message, sender, self._joining(name, order))

    def receiveMsg_DrainRunner(self, message: api.DrainRunner, sender: ActorAddress) -> None:
        """Answered when nothing is on it, or it has ended; or when something may be, again."""
        name = message.name
        if name not in self._runners.all:
            raise self._unknown(name)
        if message.end:
            self._placing.drained.discard(name)
            self._answers.reply(message, sender)
        elif message.remove:
            if self._wanted(name) is not None:
                raise RefusedError(f"the deployment's file names the runner {name}; without it `runner up` ends it")
            if len(self._runners.all) == 1:
                raise RefusedError(f"{name} is the only runner")
            offers = self._placing.withdraw(name)  # now: what comes from now on finds no such runner
            self._answers.by_steps(message, sender, self._alone(name, lambda: self._leaving(name, offers)))
        else:
            self._answers.by_steps(message, sender, self._alone(name, lambda: self._moving.draining(name)))

    def receiveMsg_RunnerRestarted(self, message: RunnerRestarted, _sender: ActorAddress) -> None:
        """The dispatcher has done it, or says what went wrong."""
        self._resolve(("restarted", message.name), message)

    def _alone(self, name: str, steps: Callable[[], Steps]) -> Steps:
        """In the turn of all flows that it has, and of those that may be about to come to it."""
        return self._turns.of_all({*(flow.id for flow in self._desired.of(name)), *self._turns.flows}, steps)

    def _wanted(self, name: str) -> RunnerOrder | None:
        try:
            return self._changes.wanted(name)
        except UnwantedError as error:
            raise RefusedError(str(error)) from None

    def _unknown(self, name: str) -> RefusedError:
        return RefusedError(f"there is no runner {cut(name)!r}; {nearest(name[:MAX_NAME], self._runners.names)}")

    # how -----------------------------------------------------------------------------------------------------------

    def _restarting(self, name: str, order: RunnerOrder | None) -> Steps:
        if not self._runners.is_up(name):
            raise RefusedError(f"the runner {name} is being started already")
        self._runners.hold(name)
        self._changes.restart(name, order)
        return (yield from self._done(name))

    def _done(self, name: str) -> Steps:
        key = ("restarted", name)
        errors = (yield Expect([key]))[key].errors
        return Reply(request_id="", ok=not errors, value=not errors, error="\n".join(errors), data=list(errors))

    def _changing(self, name: str, order: RunnerOrder | None) -> Steps:
        """What it is not going to offer any more leaves it first."""
        assert order is not None
        offers = self._placing.withdraw(name)
        self._placing.offer(name, self._placing.common(offers, order.runtimes))
        try:
            for flow in self._desired.of(name):
                fitting = self._placing.fitting(flow, name)
                if fitting.document != flow.document:
                    yield from self._updates.becoming(flow, fitting)
            reply: Reply = yield from self._restarting(name, order)
        except RefusedError:
            self._placing.offer(name, offers)
            raise
        self._placing.offer(name, order.runtimes)
        self._runners.add(name, order.runtimes)
        return reply

    def _joining(self, name: str, order: RunnerOrder) -> Steps:
        self._runners.add(name, order.runtimes)
        if (machine := self._changes.machine(order)) is not None:
            self._machines[name] = machine
        self._changes.restart(name, order)
        reply: Reply = yield from self._done(name)
        if reply.ok:
            self._placing.offer(name, order.runtimes)
        else:
            yield from self._ending(name)
        return reply

    def _leaving(self, name: str, offers: tuple[str, ...]) -> Steps:
        if self._desired.of(name):
            try:
                yield from self._moving.draining(name)
            except RefusedError:
                self._placing.offer(name, offers)
                raise
        return (yield from self._ending(name))

    def _ending(self, name: str) -> Steps:
        self._changes.remove(name)
        reply: Reply = yield from self._done(name)
        self._runners.remove(name)
        self._left(name)
        return reply
