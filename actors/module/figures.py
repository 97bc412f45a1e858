"""A module's figures, as flowState shows them."""

from __future__ import annotations

from typing import Any

from thespian.actors import ActorAddress

from actors.definition.graph import module_version
from actors.messages import flow_to_module as from_flow
from actors.messages import module_to_flow as to_flow
from actors.module.port import ModulePort
from actors.module.record import ModuleRecord
from actors.module.source import Source
from actors.state.latency import Latency


class Figures:
    """Of one module: counts and bytes, from the state as it is; durations in ms."""

    def __init__(self, record: ModuleRecord, port: ModulePort, source: Source) -> None:
        self._record, self._port, self._source = record, port, source
        self.latency = Latency()  # from a message's arrival in the mailbox to its commit

    def receiveMsg_DescribeModule(self, message: from_flow.DescribeModule, sender: ActorAddress) -> None:
        """Answer with ModuleDescribed, at once."""
        described = to_flow.ModuleDescribed(
            request_id=message.request_id, module=self._record.module.id, figures=self._view()
        )
        self._port.send(sender, described)

    def _view(self) -> dict[str, Any]:
        module, state, latency = self._record.module, self._record.state, self.latency
        mailbox, recall, accounts = state.mailbox, state.recall, state.accounts()
        return {
            "runtime": module.runtime, "version": module_version(module),
            "link": recall.link.name.lower(), "stops": sorted(recall.stops),
            "accepted": accounts["accepted"], "completed": accounts["completed"], "queued": mailbox.queued,
            "dropped": accounts["dropped"], "deadLettered": accounts["dead_lettered"],
            "mailbox": mailbox.queued - mailbox.window_messages, "inFlight": mailbox.window_messages,
            "mailboxBytes": mailbox.queued_bytes, "handled": state.handled, "sent": state.sent, "errors": state.errors,
            "unwired": state.unwired, "busyMs": state.busy_us / 1000,
            "latencyMs": {"p50": latency.percentile_ms(0.5), "p99": latency.percentile_ms(0.99)},
            "source": self._source.life.view(),
            "contextBytes": sum(len(key) + len(value) for key, value in state.context.items()),
        }  # fmt: skip
