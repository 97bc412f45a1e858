"""How a flow answers its clients."""

from __future__ import annotations

from typing import Any

from thespian.actors import ActorAddress

from actors.definition import graph
from actors.definition.places import among
from actors.definition.ports import Side
from actors.flow.record import FlowRecord
from actors.messages.gateway_to_flow import SendBatch, TapLines
from actors.system.answers import Answers
from actors.system.port import Port


class FlowAnswers(Answers):
    """Knows which modules there are to ask for."""

    def __init__(self, port: Port, record: FlowRecord) -> None:
        super().__init__(port)
        self._record = record

    def reply(self, request: Any, client: ActorAddress, value: Any = True, **more: Any) -> None:
        """When all that has happened in the flow so far is durable."""
        if self._record.journal is None:
            super().reply(request, client, value, **more)
            return
        answer = super().reply
        self._record.journal.when_durable(lambda: answer(request, client, value, **more))

    def find_module(self, request: Any, client: ActorAddress) -> str | None:
        """The module of `flow_module_id`, or a refusal."""
        module: str = request.flow_module_id.partition("/")[2]
        return self.known_module(request, client, module)

    def is_for_visitors(self, request: SendBatch | TapLines, client: ActorAddress, side: Side) -> bool:
        """Whether the port is one of theirs, or a refusal."""
        flow, module = self._record.flow, request.flow_module_id.partition("/")[2]
        if module in flow.modules and graph.is_of_pages(flow, side, module, request.port):
            return True
        self.refuse(request, client, f"{request.flow_module_id}.{request.port} is no end of a wire of a browser module")
        return False

    def known_module(self, request: Any, client: ActorAddress, module: str) -> str | None:
        """The module, or a refusal."""
        if module in self._record.modules:
            return module
        if (runner := self._record.share.away(module) if module in self._record.flow.modules else None) is not None:
            self.refuse(request, client, f"{self._record.flow.id}/{module} is on the runner {runner}")
            return None
        found = among(module, self._record.modules, "it has")
        self.refuse(request, client, f"the flow {self._record.flow.id!r} has no module {found}")
        return None
