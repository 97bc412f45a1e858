"""The figures and accounts of flows, gathered from their modules and hosts. Mixed into the Runner actor."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thespian.actors import ActorAddress

from actors.flow.debug import FlowDebug
from actors.flow.record import FlowRecord
from actors.messages import bridge_to_runner as from_bridge
from actors.messages import client_to_runner as api
from actors.messages import module_to_runner as from_module
from actors.messages.runner_to_bridge import DescribeHost
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_module import DescribeModule


@dataclass(slots=True)
class Gathering:
    """Answers of several actors on their way to one reply."""

    left: int
    came: list[Any]
    done: Callable[[list[Any]], None]


class FlowFigures(FlowDebug):
    """The part of the Runner actor that asks everybody how they are."""

    def __init__(self) -> None:
        super().__init__()
        self.gatherings: dict[str, Gathering] = {}
        self.count_gatherings = 0
        self.samples: dict[str, tuple[float, dict[str, tuple[int, int]]]] = {}  # of each flow at the last FlowState

    def gather(self, record: FlowRecord, hosts: bool, done: Callable[[list[Any]], None]) -> None:
        """Ask every module (and host) to describe itself; `done` gets all answers at once."""
        self.count_gatherings += 1
        request_id = f"gather-{self.count_gatherings}"
        asked: list[tuple[Any, Any]] = [
            (module, DescribeModule(request_id=request_id)) for module in record.modules.values()
        ]
        if hosts:
            asked += [(bridge, DescribeHost(request_id=request_id)) for bridge in record.bridges.values()]
        self.gatherings[request_id] = Gathering(len(asked), [], done)
        for actor, question in asked:
            self.send(actor, question)
        if not asked:
            self.gatherings.pop(request_id).done([])

    def gathered(self, message: Any, _sender: ActorAddress) -> None:
        """One of the answers."""
        gathering = self.gatherings[message.request_id]
        if not isinstance(message, Reply):  # a Reply says that the actor could not describe itself (it has logged why)
            gathering.came.append(message)
        gathering.left -= 1
        if not gathering.left:
            del self.gatherings[message.request_id]
            gathering.done(gathering.came)

    receiveMsg_ModuleDescribed = receiveMsg_HostDescribed = gathered

    def receiveMsg_FlowState(self, message: api.FlowState, sender: ActorAddress) -> None:
        """The figures of a flow; rates are those since the last call."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is None:
            return

        def done(answers: list[Any]) -> None:
            modules = {a.module: a.figures for a in answers if isinstance(a, from_module.ModuleDescribed)}
            self._add_rates(record.flow.id, modules)
            hosts = {a.key: a.figures for a in answers if isinstance(a, from_bridge.HostDescribed)}
            for key, figures in hosts.items():
                for module in figures["modules"]:
                    modules[module]["host"] = key
            value = {
                "id": record.flow.id, "state": record.state, "debug": self.debug_view(record),
                "errors": list(record.failed_for), "modules": modules,
                "hosts": hosts, "leftOut": record.left_out, "deadLetters": len(record.dead_letters),
            }  # fmt: skip
            self.reply(message, sender, value)

        self.gather(record, bool(record.commands), done)  # a bridge that was never told to start one has no host

    def _add_rates(self, flow_id: str, modules: dict[str, dict[str, Any]]) -> None:
        now = time.monotonic()
        then, before = self.samples.get(flow_id, (now, {}))
        self.samples[flow_id] = (now, {name: (f["accepted"], f["sent"]) for name, f in modules.items()})
        for name, figures in modules.items():
            accepted, sent = before.get(name, (figures["accepted"], figures["sent"]))
            seconds = max(now - then, 1e-9)
            figures["inPerS"] = (figures["accepted"] - accepted) / seconds
            figures["outPerS"] = (figures["sent"] - sent) / seconds

    def receiveMsg_LastReceipt(self, message: api.LastReceipt, sender: ActorAddress) -> None:
        """What the last update did."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is not None:
            self.reply(message, sender, record.receipt)

    def receiveMsg_Audit(self, message: api.Audit, sender: ActorAddress) -> None:
        """The accounts of every module."""
        rows: dict[str, dict[str, Any]] = {}
        records = list(self.flows.values())
        left = len(records)

        def done(record: FlowRecord, answers: list[Any]) -> None:
            nonlocal left
            for answer in answers:
                names = ("accepted", "completed", "queued", "dropped", "deadLettered")
                row = {name: answer.figures[name] for name in names}
                row["balanced"] = row["accepted"] == sum(row[name] for name in names[1:])
                rows[f"{record.flow.id}/{answer.module}"] = row
            left -= 1
            if not left:
                self.reply(message, sender, rows)

        for record in records:
            self.gather(record, False, lambda answers, record=record: done(record, answers))  # type: ignore[misc]
        if not records:
            self.reply(message, sender, rows)
