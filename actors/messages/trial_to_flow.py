"""What a trial tells its flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

Context = dict[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfTrial:
    """Base of all; a job of the flow waits for them."""

    by: ClassVar[str] = "key"
    flow: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded(OfTrial):
    """`errors`: sentences for the user, none if all is well; `load_ms`: module -> how long its load blocks a host."""

    errors: tuple[str, ...]
    load_ms: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextsMigrated(OfTrial):
    """The migrated contexts, or `errors`."""

    errors: tuple[str, ...]
    contexts: dict[str, Context]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialClosed(OfTrial):
    """The trial's host has ended; the processor time it took."""

    cpu_ms: float
