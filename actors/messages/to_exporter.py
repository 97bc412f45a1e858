"""What the exporter of spans is told: by the runner, and by whoever follows messages."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from actors.state.tracing import Span, TraceCounts


class StartExporter(Struct, frozen=True, kw_only=True):
    """First message. `runner`: the name of this one."""

    runner: str
    endpoint: str | None


class SpansEnded(Struct, frozen=True, kw_only=True):
    """These are to be sent; `counts`: of their flow."""

    spans: Sequence[Span]
    counts: TraceCounts


class CloseExporter(Struct, frozen=True, kw_only=True):
    """The runner ends: send what is left, for a moment; then ExporterClosed."""
