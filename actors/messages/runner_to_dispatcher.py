"""What the process of a runner tells the dispatcher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actors.messages.runner_to_client import Progress, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerHosted:
    """The runner takes requests; or `error` says why not. `incarnation`: how often it has been started; `flows`: of one
    that comes in place of one that has died, what that had (flow/journalled.py, `flows_in`).
    """

    name: str
    pid: int
    incarnation: int = 0
    error: str | None = None
    flows: dict[str, tuple[dict[str, Any], bool] | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerTurns:
    """A sign of life, once a second from RunnerHosted to RunnerStopped."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPaused:
    """What the runner has of a flow is paused as a whole, for this reason; None: it is not any more."""

    runner: str
    flow: str
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSaid:
    """Answers to what the front has asked: one message costs as much as many answers in it."""

    said: tuple[Reply | Progress, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerStopped:
    """No flow is running, no host is left; `errors`: what could not be kept."""

    name: str
    errors: tuple[str, ...] = ()
