"""What the exporter of spans tells the runner."""

from __future__ import annotations

from msgspec import Struct


class ExporterClosed(Struct, frozen=True, kw_only=True):
    """Nothing more is sent."""
