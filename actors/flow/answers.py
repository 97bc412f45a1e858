"""How a flow answers its clients."""

from __future__ import annotations

from typing import Any

from thespian.actors import ActorAddress

from actors.definition.places import among
from actors.flow.record import FlowRecord
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

    def known_module(self, request: Any, client: ActorAddress, module: str) -> str | None:
        """The module, or a refusal."""
        if module in self._record.modules:
            return module
        found = among(module, self._record.modules, "it has")
        self.refuse(request, client, f"the flow {self._record.flow.id!r} has no module {found}")
        return None
