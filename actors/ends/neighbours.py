"""The modules that a feed or a sink has at its other end: attached to when it begins, and whoever they are later on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from thespian.actors import ActorAddress

from actors.definition.ports import Side
from actors.messages.end_to_session import EndReady
from actors.messages.flow_to_session import Attached
from actors.messages.module_to_flow import FlowIdle
from actors.messages.module_to_module import HoldWire, ReleaseWire
from actors.messages.session_to_end import StartEnd
from actors.messages.session_to_flow import AttachEnd
from actors.state.activity import Activity
from actors.system.port import Port

if TYPE_CHECKING:
    from actors.journal.gathering import Gathering
    from actors.state.tracing import Tracing

log = logging.getLogger("runner")


class Neighbours:
    """`side`: of the modules, where they are attached to. `problem`: is asked when all are there; `ready`: is told,
    after the session, whether all are there and nothing is wrong.

    `activity`, `journal` and `tracing`, the flow's, are known from `problem` on.
    """

    activity: Activity
    journal: Gathering | None
    tracing: Tracing

    def __init__(
        self, port: Port, side: Side, start: StartEnd, owner: ActorAddress, ready: Callable[[bool], None],
        problem: Callable[[], str | None] = lambda: None,
    ) -> None:  # fmt: skip
        self._port, self._side, self._start, self._owner = port, side, start, owner
        self._problem, self._ready = problem, ready
        self.modules: dict[str, ActorAddress] = {}  # by wire
        self.holding = False
        self._waiting, self._errors = set(start.end.places), list[str]()
        for wire, (module, name) in start.end.places.items():
            port.send(start.runner, AttachEnd(flow=start.flow, side=side, module=module, port=name, wire=wire))

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        """A module is there (or its successor is), or has gone, or cannot be attached to."""
        if message.error is not None:
            self._errors.append(message.error)
        elif message.module is None:
            if self.modules.pop(message.wire, None) is not None:
                name = self._start.end.name
                log.warning("%s: its module has been removed: nothing more comes on %s", name, message.wire)
        else:
            assert message.activity is not None
            assert message.tracing is not None
            self.tracing = message.tracing
            self.modules[message.wire], self.activity, self.journal = message.module, message.activity, message.journal
            if self.holding:
                self._port.send(message.module, HoldWire(wire=message.wire))
        if message.wire in self._waiting:
            self._waiting.discard(message.wire)
            if not self._waiting:
                if not self._errors and (problem := self._problem()):
                    self._errors.append(problem)
                name, errors = self._start.end.name, tuple(self._errors)
                self._port.send(self._owner, EndReady(side=self._side, name=name, errors=errors))
                self._ready(not errors)

    def hold(self, wanted: bool) -> None:
        """Let all of them wait, and those that come; or let them go on."""
        if wanted != self.holding:
            self.holding = wanted
            for wire, module in self.modules.items():
                self._port.send(module, HoldWire(wire=wire) if wanted else ReleaseWire(wire=wire))

    def say_if_idle(self) -> None:
        """The flow may have nothing left to do now."""
        if self.activity.idle:
            self._port.send(self._start.runner, FlowIdle(flow=self._start.flow))
