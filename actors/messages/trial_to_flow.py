"""What a trial tells its flow."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

Context = dict[bytes, bytes]


class OfTrial(Struct, frozen=True, kw_only=True):
    """Base of all; a job of the flow waits for them."""

    by: ClassVar[str] = "key"
    flow: str
    key: str


class TrialEnded(OfTrial, frozen=True, kw_only=True):
    """`errors`: sentences for the user, none if all is well; `load_ms`: module -> how long its load blocks a host."""

    errors: tuple[str, ...]
    load_ms: dict[str, float]


class ContextsMigrated(OfTrial, frozen=True, kw_only=True):
    """The migrated contexts, or `errors`."""

    errors: tuple[str, ...]
    contexts: dict[str, Context]


class TrialClosed(OfTrial, frozen=True, kw_only=True):
    """The trial's host has ended; the processor time it took."""

    cpu_ms: float
