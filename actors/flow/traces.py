"""Which messages of a flow are followed: as the flow file says now."""

from __future__ import annotations

from actors.flow.record import FlowRecord
from actors.preparation.premises import Premises


class Traces:
    """Of one flow; its actors share the record's `tracing`."""

    def __init__(self, record: FlowRecord, premises: Premises) -> None:
        self._record, self._premises = record, premises
        self.after_update()

    def after_update(self) -> None:
        """What is said of it may have changed."""
        tracing, share = self._record.tracing, self._record.flow.tracing
        if tracing.share != share:
            tracing.follow(share, None if share is None else self._premises.exporter())

    def view(self) -> dict[str, float | int | None]:
        """Which share is followed, and what has become of the spans."""
        tracing = self._record.tracing
        return {"share": tracing.share, "spansSent": tracing.counts.sent, "spansDropped": tracing.counts.dropped}
