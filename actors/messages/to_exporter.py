"""What the exporter of spans is told: by the runner, and by whoever follows messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actors.state.tracing import Span, TraceCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class StartExporter:
    """First message. `runner`: the name of this one."""

    runner: str
    endpoint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpansEnded:
    """These are to be sent; `counts`: of their flow."""

    spans: Sequence[Span]
    counts: TraceCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseExporter:
    """The runner ends: send what is left, for a moment; then ExporterClosed."""
