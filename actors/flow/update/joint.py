"""The part here of an update that other runners have parts of, too: it goes on when it is told to, or is given up."""

from __future__ import annotations

from typing import Any

from thespian.actors import ActorAddress

from actors.flow.jobs import FlowJobs
from actors.flow.record import FlowRecord
from actors.flow.update.plan import Plan
from actors.messages.arrival_to_flow import ModulesArrived
from actors.messages.front_to_flow import AdvanceUpdate, DecideUpdate, PrepareUpdate
from actors.system.answers import Answers
from actors.system.job import Expect, JobError, Steps

Order = AdvanceUpdate | DecideUpdate


class Joint:
    """Of one update, from the request on. `asked`: what is to be answered when it has got so far, or has ended."""

    def __init__(
        self, record: FlowRecord, jobs: FlowJobs, answers: Answers, request: PrepareUpdate, client: Any
    ) -> None:
        self._record, self._jobs, self._answers = record, jobs, answers
        self.name, self.number, self.before = request.update, request.number, request.before
        self.moves = request.moves
        self.arrived: dict[str, ModulesArrived] = {}  # what moves here, by the runner that had it
        self.in_doubt = False  # nobody is going to say here whether it stands
        self.asked: tuple[Any, ActorAddress] | None = (request, client)
        self.is_decided = False  # it stands
        self.given_up: str | None = None  # why
        self._waits = False

    # what it is told -----------------------------------------------------------------------------------------------

    def take(self, order: Order, client: ActorAddress) -> None:
        """The next step, or the decision."""
        if isinstance(order, DecideUpdate) and not order.commit:
            before, self.asked = self.asked, (order, client)  # first: it may end at once
            if before is not None:  # whoever has asked for the step before does not wait for it any more
                self._answers.refuse(*before, "it was given up")
            self.give_up("it was given up")
            return
        if not self._waits:
            self._answers.refuse(order, client, f"the update {self.name} is not so far")
            return
        self.asked = order, client
        self._jobs.resolve(("order", self.name), order)

    def give_up(self, why: str) -> None:
        """It is not to stand. Between the versions it cannot be left: the switch is ended first, then undone."""
        if self.is_decided or self.given_up is not None:
            return
        self.given_up = f"{self._record.flow.id}: {why}"
        if self._waits:
            self._jobs.resolve(("order", self.name), None)
        elif self._record.phase in ("trying", "loading", "draining", "giving"):
            self._jobs.fail(self.given_up)

    def arrives(self, message: ModulesArrived) -> None:
        """What a runner has given."""
        self.arrived[message.runner] = message
        self._jobs.resolve(("arrived", self.name, message.runner), message)

    # where it waits for that ---------------------------------------------------------------------------------------

    def next(self, value: Any = True) -> Steps:
        """It has got so far: returns the next order. Raises JobError when it was given up."""
        if self.given_up is None:
            if self.asked is not None:
                self._answers.reply(*self.asked, value)
                self.asked = None
            self._waits = True
            came = yield Expect([("order", self.name)])
            self._waits = False
            if self.given_up is None:
                return came["order", self.name]
        raise JobError(self.given_up)

    def tried(self, plan: Plan, paused: bool) -> Steps:
        """Everything new has been loaded in hosts of its own. Returns what has to be quiet on all runners."""
        value = {"unsettled": sorted(plan.unsettled), "paused": paused, "nothing": plan.difference.nothing}
        order: Order = yield from self.next(value)
        if isinstance(order, DecideUpdate):
            self.is_decided = True
            return AdvanceUpdate(flow_id=order.flow_id, update=self.name, step="load")
        return order

    def held(self, plan: Plan) -> Steps:
        """Nothing new comes to what has to be quiet. Returns the modules that are to run dry first."""
        return (yield from self.next(list(plan.cover.modules))).modules

    def decided(self) -> Steps:
        """Whatever is still to be done here is sure to work. Returns why it does not stand."""
        while not self.is_decided:
            order: Order = yield from self.next()
            self.is_decided = isinstance(order, DecideUpdate)
        return ()
