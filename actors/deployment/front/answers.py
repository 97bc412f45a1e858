"""How the front answers: at once, by the runner that knows, or when several steps have been done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.definition.places import among
from actors.deployment.desired import DesiredFlow, DesiredState
from actors.deployment.front.runners import RunnerAway, Runners
from actors.messages import client_to_runner as api
from actors.messages.gateway_to_flow import SendBatch, TapLines
from actors.messages.naming import flow_of
from actors.messages.runner_to_client import Progress, Reply
from actors.system.answers import Answers
from actors.system.job import JobError, Operations, Steps
from actors.system.port import Port

OF_MODULES = (  # what is asked of modules, or of all
    api.SendMessage, SendBatch, api.GetContext, api.EditHeld, api.DropHeld, api.ReleaseHeld, api.TapPort, TapLines,
    api.ReplayDeadLetter, api.EditDeadLetter, api.DropDeadLetter, api.DeadLetters, api.FlowState, api.Explain,
    api.ListHeld, api.Audit, api.SetBreakPointAtModule, api.RemoveBreakPointAtModule,
)  # fmt: skip
log = logging.getLogger("runner.front")


class RefusedError(JobError):
    """A request is not done: a sentence, and what a Reply has as `data`."""

    def __init__(self, sentence: str, data: Any = None) -> None:
        super().__init__(sentence)
        self.data = data


class FrontAnswers(Answers):
    """Of the front; knows the flows that there are."""

    def __init__(
        self, port: Port, operations: Operations, runners: Runners, desired: DesiredState,
        again: Callable[[Any, ActorAddress], None],
    ) -> None:  # fmt: skip
        """`again`: takes a request as if it came now."""
        super().__init__(port)
        self._operations, self._runners, self._desired, self._again = operations, runners, desired, again
        self._held_back: dict[str, list[Callable[[], None]]] = {}  # by flow
        self.removed: list[Callable[[str], None]] = []  # who is told of a flow that is to be no more

    def hold_back(self, flow_id: str) -> None:
        """Nobody can say now where its modules are: what asks for one of them waits."""
        self._held_back[flow_id] = []

    def let_go(self, flow_id: str) -> None:
        """That is known again."""
        for go_on in self._held_back.pop(flow_id, ()):
            go_on()

    def when_known(self, flow_id: str, go_on: Callable[[], None]) -> None:
        """Now, or as soon as somebody can say where its modules are."""
        if flow_id in self._held_back:
            self._held_back[flow_id].append(go_on)
        else:
            go_on()

    def holds_back(self, request: api.Request, client: ActorAddress) -> bool:
        """Whether it waits; it comes again in its order."""
        if not self._held_back or not isinstance(request, OF_MODULES):
            return False
        named = _flow_named(request)
        for flow_id, waiting in self._held_back.items():
            if named in (None, flow_id):
                waiting.append(partial(self._again, request, client))
                return True
        return False

    def flow(self, flow_id: str) -> DesiredFlow:
        """Raises RefusedError, if there is none."""
        if flow_id not in self._desired.flows:
            raise RefusedError(f"there is no flow {among(flow_id, self._desired.flows, 'flows here:')}")
        return self._desired.flows[flow_id]

    def runner_of(self, flow: DesiredFlow, module: str) -> str:
        """The runner that has a module. Raises RefusedError."""
        places = flow.places
        if module not in places:
            raise RefusedError(f"the flow {flow.id!r} has no module {among(module, places, 'it has')}")
        return places[module]

    def decide(self, flow: DesiredFlow) -> None:
        """So it is to be, whatever becomes of a runner. Raises RefusedError: then nothing is decided."""
        try:
            self._desired.put(flow)
        except OSError as error:
            raise _unwritten(error) from None

    def decide_removal(self, flow_id: str) -> None:
        """It is to be no more. Raises RefusedError: then nothing is decided."""
        try:
            self._desired.remove(flow_id)
        except OSError as error:
            raise _unwritten(error) from None
        for tell in self.removed:
            tell(flow_id)

    def by_steps(self, request: Any, client: ActorAddress, steps: Steps) -> None:
        """The client gets what the steps return, a value or a Reply; or what they refuse with."""

        def done(result: Any) -> None:
            if isinstance(result, Reply):
                self._pass_back(request, client, result)
            else:
                self.reply(request, client, result)

        def failed(error: Exception) -> None:
            if isinstance(error, JobError):
                self.refuse(request, client, str(error), getattr(error, "data", None))
            else:
                log.error("%s failed", type(request).__name__, exc_info=error)
                self.refuse(request, client, f"internal error: {type(error).__name__}: {error}")

        self._operations.begin(steps, done, failed)

    def by_runner(self, request: Any, client: ActorAddress, runner: str, asked: Any = None) -> None:
        """The runner answers; `asked`: what it is asked, if not the same."""
        back = partial(self._pass_back, request, client)
        self._runners.put(runner, request if asked is None else asked, back, back)

    def _pass_back(self, request: Any, client: ActorAddress, said: Reply | Progress) -> None:
        if isinstance(said, RunnerAway):  # that is nothing that a client knows
            self.refuse(request, client, said.error or "the runner is away")
        else:
            self._port.send(client, replace(said, request_id=request.request_id))


def _flow_named(request: api.Request) -> str | None:
    try:
        return flow_of(request)
    except (ValueError, AttributeError):  # of all flows, or it is refused in a sentence
        return None


def _unwritten(error: OSError) -> RefusedError:
    return RefusedError(f"nothing is done: {error.filename} cannot be written: {error.strerror}")
