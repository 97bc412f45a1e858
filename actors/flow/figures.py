"""The figures and accounts of a flow, gathered from its modules and hosts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thespian.actors import ActorAddress

from actors.flow.answers import FlowAnswers
from actors.flow.record import FlowRecord
from actors.messages import bridge_to_flow as from_bridge
from actors.messages import client_to_runner as api
from actors.messages import module_to_flow as from_module
from actors.messages.flow_to_bridge import DescribeHost
from actors.messages.flow_to_module import DescribeModule
from actors.messages.flow_to_runner import FlowAudited
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_flow import AuditFlow
from actors.system.port import Port

ACCOUNTS = ("accepted", "completed", "queued", "dropped", "deadLettered")


@dataclass(slots=True)
class Gathering:
    """Answers of several actors on their way to one reply."""

    left: int
    came: list[Any]
    done: Callable[[list[Any]], None]


class Figures:
    """Asks everybody in one flow how they are. `debug_view`, `storage_view`: what the debugger and the journal say."""

    def __init__(
        self, record: FlowRecord, port: Port, answers: FlowAnswers, debug_view: Callable[[], dict[str, Any]],
        storage_view: Callable[[], dict[str, Any] | None],
    ) -> None:  # fmt: skip
        self._record, self._port, self._answers = record, port, answers
        self._debug_view, self._storage_view = debug_view, storage_view
        self._gatherings: dict[str, Gathering] = {}
        self._count_gatherings = 0
        self._sample: tuple[float, dict[str, tuple[int, int]]] | None = None  # at the last FlowState

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
        """The figures of a flow; rates are those since the last call."""
        record = self._record

        def done(answers: list[Any]) -> None:
            modules = {a.module: a.figures for a in answers if isinstance(a, from_module.ModuleDescribed)}
            self._add_rates(modules)
            hosts = {a.key: a.figures for a in answers if isinstance(a, from_bridge.HostDescribed)}
            for key, figures in hosts.items():
                for module in figures["modules"]:
                    modules[module]["host"] = key
            value = {
                "id": record.flow.id, "state": record.state, "debug": self._debug_view(),
                "errors": list(record.failed_for), "modules": modules,
                "hosts": hosts, "leftOut": record.left_out, "deadLetters": len(record.dead_letters),
                "lost": record.lost, "storage": self._storage_view(),
            }  # fmt: skip
            self._answers.reply(message, sender, value)

        self.gather(bool(record.commands), done)  # a bridge that was never told to start one has no host

    def _add_rates(self, modules: dict[str, dict[str, Any]]) -> None:
        now = time.monotonic()
        then, before = self._sample or (now, {})
        self._sample = now, {name: (f["accepted"], f["sent"]) for name, f in modules.items()}
        for name, figures in modules.items():
            accepted, sent = before.get(name, (figures["accepted"], figures["sent"]))
            seconds = max(now - then, 1e-9)
            figures["inPerS"] = (figures["accepted"] - accepted) / seconds
            figures["outPerS"] = (figures["sent"] - sent) / seconds

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
                if self._record.lost is not None:
                    row["lost"] = self._record.lost
                rows[f"{self._record.flow.id}/{answer.module}"] = row
            self._port.send(sender, FlowAudited(flow=self._record.flow.id, round=message.round, rows=rows))

        self.gather(False, done)
