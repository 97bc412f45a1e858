"""The figures and accounts of a flow, gathered from its modules and hosts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.definition.graph import PAGES
from actors.flow.answers import FlowAnswers
from actors.flow.rates import LEAST_S, Rates
from actors.flow.record import FlowRecord
from actors.messages import bridge_to_flow as from_bridge
from actors.messages import client_to_runner as api
from actors.messages import module_to_flow as from_module
from actors.messages.flow_to_bridge import DescribeHost, ShowPageContexts
from actors.messages.flow_to_module import DescribeModule, ShowContext
from actors.messages.flow_to_runner import FlowAudited
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_flow import AuditFlow
from actors.state.explain import explain
from actors.system.port import Port

Answer = Callable[[dict[str, Any]], None]  # to a question that the state of the flow answers
ACCOUNTS = ("accepted", "completed", "queued", "dropped", "deadLettered")


def longest_pause_ms(receipt: dict[str, Any] | None) -> float | None:
    """For how long an update has paused a module at most; None of what is no update."""
    pauses = [row["pauseMs"] for row in (receipt or {"modules": {}})["modules"].values() if "pauseMs" in row]
    return max(pauses, default=None)


@dataclass(slots=True)
class Gathering:
    """Answers of several actors on their way to one reply."""

    left: int
    came: list[Any]
    done: Callable[[list[Any]], None]


class Figures:
    """Asks everybody in one flow how they are. The views: what the debugger, the journal and
    the tracing say."""

    def __init__(
        self, record: FlowRecord, port: Port, answers: FlowAnswers, debug_view: Callable[[], dict[str, Any]],
        storage_view: Callable[[], dict[str, Any] | None], tracing_view: Callable[[], dict[str, Any]],
    ) -> None:  # fmt: skip
        self._record, self._port, self._answers = record, port, answers
        self._debug_view, self._storage_view, self._tracing_view = debug_view, storage_view, tracing_view
        self._gatherings: dict[str, Gathering] = {}
        self._count_gatherings = 0
        self._rates, self._host_rates, self._wire_rates = Rates(), Rates(), Rates()
        self._asked: list[Answer] = []

    def gather(self, hosts: bool, done: Callable[[list[Any]], None]) -> None:
        """Ask every module (and host) to describe itself; `done` gets all answers at once."""
        record = self._record
        self._count_gatherings += 1
        request_id = f"gather-{self._count_gatherings}"
        asked: list[tuple[Any, Any]] = [
            (module, DescribeModule(request_id=request_id)) for module in record.modules.values()
        ]
        if hosts:
            asked += [(bridge, DescribeHost(request_id=request_id)) for bridge in record.bridges.values()]
        self._gatherings[request_id] = Gathering(len(asked), [], done)
        for actor, question in asked:
            self._port.send(actor, question)
        if not asked:
            self._gatherings.pop(request_id).done([])

    def gathered(self, message: Any, _sender: ActorAddress) -> None:
        """One of the answers."""
        gathering = self._gatherings[message.request_id]
        if not isinstance(message, Reply):  # a Reply says that the actor could not describe itself (it has logged why)
            gathering.came.append(message)
        gathering.left -= 1
        if not gathering.left:
            del self._gatherings[message.request_id]
            gathering.done(gathering.came)

    receiveMsg_ModuleDescribed = receiveMsg_HostDescribed = gathered

    def receiveMsg_FlowState(self, message: api.FlowState, sender: ActorAddress) -> None:
        """The figures of a flow; if nobody has looked for a while, it takes LEAST_S to know the rates."""
        self._ask(lambda state: self._answers.reply(message, sender, state), message.rates)

    def _ask(self, answer: Answer, rates: bool) -> None:
        self._asked.append(answer)
        if rates:
            self._show_warm()
        else:
            self.show()

    def _show_warm(self, _: None = None) -> None:
        if self._rates.is_cold(time.monotonic()):
            self.picture(lambda _: None)
            self._port.wakeupAfter(LEAST_S, (self._show_warm, None))
        else:
            self.show()

    def show(self) -> None:
        """Answer who has asked, with what is known by now."""
        asked, self._asked = self._asked, []

        def done(state: dict[str, Any]) -> None:
            for answer in asked:
                answer(state)

        if asked:
            self.picture(done)

    def receiveMsg_Explain(self, message: api.Explain, sender: ActorAddress) -> None:
        """From the same figures."""
        self._ask(lambda state: self._answers.reply(message, sender, explain(state)), rates=True)

    def receiveMsg_GetContext(self, message: api.GetContext, sender: ActorAddress) -> None:
        """The module answers the client itself; of a browser module the pages' contexts are told, or that of one."""
        named, _, page = message.flow_module_id.partition("@")
        module = self._answers.find_module(replace(message, flow_module_id=named), sender)
        if module is None:
            return
        if self._record.flow.modules[module].runtime == PAGES:
            of_pages = ShowPageContexts(request_id=message.request_id, client=sender, module=module, page=page)
            self._port.send(self._record.bridges[PAGES], of_pages)
        else:
            show = ShowContext(request_id=message.request_id, client=sender)
            self._port.send(self._record.modules[module], show)

    def picture(self, done: Callable[[dict[str, Any]], None]) -> None:
        """`done` gets the state of the flow."""
        record = self._record

        def show(answers: list[Any]) -> None:
            described = [answer for answer in answers if isinstance(answer, from_module.ModuleDescribed)]
            modules = {answer.module: answer.figures for answer in described}
            came = {wire: figures for answer in described for wire, figures in answer.wires.items()}
            wires = {
                wire.id: {"delivery": wire.delivery.name, **came[wire.id]}
                for wire in record.share.wires if wire.id in came
            }  # fmt: skip
            hosts = {a.key: a.figures for a in answers if isinstance(a, from_bridge.HostDescribed)}
            now = time.monotonic()
            self._rates.rate(now, modules)
            self._host_rates.rate(now, hosts)
            self._wire_rates.rate(now, wires)
            for key, figures in hosts.items():
                for module in figures["modules"]:
                    modules[module]["host"] = key
            value = {
                "id": record.flow.id, "version": record.version, "state": record.state, "debug": self._debug_view(),
                "errors": list(record.failed_for), "modules": modules,
                "wires": wires, "hosts": hosts, "leftOut": record.left_out, "deadLetters": len(record.dead_letters),
                "lastPauseMs": longest_pause_ms(record.receipt),
                "lost": record.losses, "storage": self._storage_view(), "tracing": self._tracing_view(),
            }  # fmt: skip
            done(value)

        self.gather(bool(record.commands), show)  # a bridge that was never told to start one has no host

    def receiveMsg_LastReceipt(self, message: api.LastReceipt, sender: ActorAddress) -> None:
        """What the last update did."""
        self._answers.reply(message, sender, self._record.receipt)

    def receiveMsg_AuditFlow(self, message: AuditFlow, sender: ActorAddress) -> None:
        """The accounts of every module."""

        def done(answers: list[Any]) -> None:
            rows: dict[str, dict[str, Any]] = {}
            for answer in answers:
                row = {name: answer.figures[name] for name in ACCOUNTS}
                row["balanced"] = row["accepted"] == sum(row[name] for name in ACCOUNTS[1:])
                if (lost := self._record.losses) is not None:
                    row["lost"] = lost
                rows[f"{self._record.flow.id}/{answer.module}"] = row
            self._port.send(sender, FlowAudited(flow=self._record.flow.id, round=message.round, rows=rows))

        self.gather(False, done)
