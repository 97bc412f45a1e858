"""What the process of a runner tells the dispatcher."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerHosted:
    """The runner takes requests; or `error` says why not."""

    name: str
    pid: int
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerHalted:
    """No flow is running, and nothing is on its way to another runner."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerStopped:
    """No flow is running, no host is left; `errors`: what could not be kept."""

    name: str
    errors: tuple[str, ...] = ()
