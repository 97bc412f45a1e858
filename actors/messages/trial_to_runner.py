"""What a trial tells the runner."""

from __future__ import annotations

from dataclasses import dataclass

Context = dict[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """`errors`: sentences for the user, none if all is well; `load_ms`: module -> how long its load blocks a host."""

    flow: str
    key: str
    errors: tuple[str, ...]
    load_ms: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextsMigrated:
    """The migrated contexts, or `errors`."""

    flow: str
    key: str
    errors: tuple[str, ...]
    contexts: dict[str, Context]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialClosed:
    """The trial's host has ended; the processor time it took."""

    flow: str
    key: str
    cpu_ms: float
