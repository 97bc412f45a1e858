"""What the exporter of spans tells the runner."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterClosed:
    """Nothing more is sent."""
