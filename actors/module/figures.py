"""A module's figures, as flowState shows them."""

from __future__ import annotations

import math
import time
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.graph import module_version
from actors.messages import flow_to_module as from_flow
from actors.messages import module_to_flow as to_flow
from actors.messages.runner_to_client import Reply
from actors.module.port import ModulePort
from actors.module.record import ModuleRecord
from actors.module.source import Source
from actors.module.wires import Wires
from actors.state.latency import Latency
from actors.state.shown import View

MAX_ERROR_TEXT = 4096  # characters of a message or a stack


class Figures:
    """Of one module: counts and bytes, from the state as it is; durations in ms."""

    def __init__(self, record: ModuleRecord, port: ModulePort, source: Source, wires: Wires) -> None:
        self._record, self._port, self._source, self._wires = record, port, source, wires
        self._last_error: dict[str, Any] | None = None
        self.latency = Latency()  # from a message's arrival in the mailbox to its commit

    def note_error(self, error: dict[str, Any]) -> None:
        """A turn has failed, or its host has died of it."""
        cut = {name: text[:MAX_ERROR_TEXT] for name, text in error.items() if isinstance(text, str)}
        self._last_error = {**error, **cut, "time": time.time()}

    def receiveMsg_DescribeModule(self, message: from_flow.DescribeModule, sender: ActorAddress) -> None:
        """Answer with ModuleDescribed, at once."""
        described = to_flow.ModuleDescribed(
            request_id=message.request_id, module=self._record.module.id, figures=self._view(), wires=self._wires.view()
        )
        self._port.send(sender, described)

    def receiveMsg_ShowContext(self, message: from_flow.ShowContext, _sender: ActorAddress) -> None:
        """Keys and values; the beginning of what is too large for one answer."""
        value = View().context(self._record.state.context)
        self._port.send(message.client, Reply(request_id=message.request_id, ok=True, value=value))

    def receiveMsg_AskOldest(self, message: from_flow.AskOldest, sender: ActorAddress) -> None:
        """Of what waits, also at the host."""
        mailbox = self._record.state.mailbox
        came = [segment.arrived for queue in (mailbox.window, mailbox.ready, mailbox.held) for segment in queue]
        self._port.send(sender, to_flow.OldestTold(number=message.number, arrived=min(came, default=math.inf)))

    def _view(self) -> dict[str, Any]:
        module, state, latency = self._record.module, self._record.state, self.latency
        mailbox, recall, accounts = state.mailbox, state.recall, state.accounts()
        return {
            "runtime": module.runtime, "version": module_version(module),
            "link": recall.link.name.lower(), "stops": sorted(recall.stops), "heldBy": sorted(self._wires.blocked),
            "accepted": accounts["accepted"], "completed": accounts["completed"], "queued": mailbox.queued,
            "dropped": accounts["dropped"], "deadLettered": accounts["dead_lettered"],
            "mailbox": mailbox.queued - mailbox.window_messages, "inFlight": mailbox.window_messages,
            "mailboxBytes": mailbox.queued_bytes, "handled": state.handled, "sent": state.sent, "errors": state.errors,
            "unwired": state.unwired, "busyMs": state.busy_us / 1000,
            "latencyMs": {"p50": latency.percentile_ms(0.5), "p99": latency.percentile_ms(0.99)},
            "latencySumMs": latency.sum_s * 1000, "latencyCounts": latency.histogram(),
            "source": self._source.life.view(),
            "contextBytes": sum(len(key) + len(value) for key, value in state.context.items()),
            "lastError": self._last_error,
        }  # fmt: skip
