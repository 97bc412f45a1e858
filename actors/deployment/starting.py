"""How a runner is started and gets its flows, on this machine or another; and how one is taken over that goes on there
since another dispatcher had it, or since its machine was out of reach.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.deployment.desired import DesiredFlow, DesiredState, LastTime, as_they_were
from actors.deployment.life import RunnerLife, ending
from actors.deployment.wanted import move_places
from actors.messages import client_to_runner as api
from actors.messages.dispatcher_to_runner import HostRunner, LinksOrder
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_dispatcher import RunnerHosted
from actors.messages.up_to_dispatcher import Deploy, RunnerOrder
from actors.system.job import Expect, Steps

HOST_TIMEOUT_S = 30.0
CONTAINER_TIMEOUT_S = 180.0  # the first start of an image fills the caches of compilers
ADOPT_TIMEOUT_S = 10.0  # for an answer of a runner that is taken over
log = logging.getLogger("runner.dispatcher")


class Starting:
    """`make` makes the process of a runner, and tells it its order; `registry` is where runners say that they are
    there, None if there is only one. `desired` is None then, too. `last`: what a runner had before counts.
    """

    def __init__(
        self, job: Deploy, make: Callable[[RunnerLife, HostRunner], None], send: Callable[[Any, Any], None],
        registry: Callable[[], ActorAddress | None], desired: DesiredState | None, last: LastTime | None,
    ) -> None:  # fmt: skip
        self.last = last
        self._job, self._make, self._send = job, make, send
        self._registry, self._desired = registry, desired
        self._calls = 0

    def starting(self, life: RunnerLife, again: bool) -> Steps:
        """A runner and what it has of the flows; returns the errors. `again`: in place of one that was there."""
        job, order, registry = self._job, life.order, self._registry()
        links = None
        if registry is not None:
            links = LinksOrder(deployment=job.name, place=(job.bind, order.port), registry=registry)
        life.is_hosted = False
        host = HostRunner(
            name=order.name, state=job.state, kept=order.kept, journals=order.journals, accept_loss=job.accept_loss,
            again=again, life=job.life, runtimes=order.runtimes, keys=job.keys, links=links, traces=job.traces,
            container=order.container, memory_mb=order.memory_mb,
            gateway=job.gateway if links is None else None,  # of several runners the front has it
        )  # fmt: skip
        self._make(life, host)
        timeout_s = HOST_TIMEOUT_S if order.container is None else CONTAINER_TIMEOUT_S
        came = yield Expect([("hosted", order.name)], timeout_s)
        if not came:
            life.kill()
            return (f"the runner {order.name} has not started within {timeout_s:g} s",)
        hosted: RunnerHosted = came["hosted", order.name]
        life.pid, life.incarnation, life.is_hosted = hosted.pid, hosted.incarnation, hosted.error is None
        errors = [hosted.error] if hosted.error else []
        for flow in () if errors else self._flows_of(hosted):
            reply = yield from self._call(life, api.AddOrUpdateFlow(flow=flow.document))
            if reply.ok:
                for module, reason in (reply.data or {}).get("leftOut", {}).items():
                    log.warning("%s: left out %s: %s", flow.id, module, reason)
                if flow.running:
                    reply = yield from self._call(life, api.StartFlow(flow_id=flow.id))
            if not reply.ok:
                errors += [f"{flow.id}: {problem}" for problem in reply.data or [reply.error]]
        return tuple(errors)

    def _flows_of(self, hosted: RunnerHosted) -> list[DesiredFlow]:
        """Those that have a module there; with one runner that is every flow."""
        if self._desired is None:
            return as_they_were(self._job.flows, hosted.flows, self.last)
        return self._desired.of(hosted.name)

    def starting_again(self, life: RunnerLife, order: RunnerOrder | None = None) -> Steps:
        """In order, with another order if there is one. Returns the errors."""
        errors = yield from ending(life, self._send)
        if order is not None:
            unmoved = move_places(life.order, order)
            errors += unmoved
            life.order = life.order if unmoved else order
        return errors + (yield from self.starting(life, again=True))

    # one that is there ---------------------------------------------------------------------------------------------

    def adopting(self, life: RunnerLife) -> Steps:
        """It goes on, if it has what it is to have; else it is started again, in order. Returns the errors."""
        if (yield from self._is_as_desired(life)):
            life.is_hosted = True
            log.info("the runner %s (%d) has gone on, and is taken over", life.order.name, life.pid)
            return ()
        log.warning("the runner %s (%d) has not what it is to have: it is started again", life.order.name, life.pid)
        return (yield from self.starting_again(life))

    def _is_as_desired(self, life: RunnerLife) -> Steps:
        """Each flow is the one of its last version, runs or does not, and nothing is half done."""
        assert self._desired is not None
        said = yield from self._call(life, api.ListFlows(), ADOPT_TIMEOUT_S)
        if said is None or not said.ok:
            return False
        there = {flow["id"]: flow for flow in said.value}
        wanted = {flow.id: flow for flow in self._desired.of(life.order.name)}
        if there.keys() != wanted.keys():
            return False
        for id, flow in wanted.items():
            if not _same(there[id], flow.document):
                return False
            as_decided = api.StartFlow(flow_id=id) if flow.running else api.StopFlow(flow_id=id)
            for request in (as_decided, api.ResumeFlow(flow_id=id)):  # the first waits for an update that is under way
                reply = yield from self._call(life, request, ADOPT_TIMEOUT_S)
                if reply is None or not reply.ok:
                    return False
        return True

    def _call(self, life: RunnerLife, request: api.Request, timeout_s: float | None = None) -> Steps:
        """Returns the Reply; None if there is none in time."""
        self._calls += 1
        request_id = f"dispatcher-{self._calls}"
        self._send(life.actor, replace(request, request_id=request_id))
        reply: Reply | None = (yield Expect([request_id], timeout_s)).get(request_id)
        return reply


def _same(known: dict[str, Any], document: dict[str, Any]) -> bool:
    return {**known, "state": None} == {**document, "state": None}
