"""What the process of a runner tells the dispatcher."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from actors.messages.runner_to_client import Progress, Reply


class RunnerHosted(Struct, frozen=True, kw_only=True):
    """The runner takes requests; or `error` says why not. `incarnation`: how often it has been started; `flows`: of one
    that comes in place of one that has died, what that had (flow/journalled.py, `flows_in`).
    """

    name: str
    pid: int
    incarnation: int = 0
    error: str | None = None
    flows: dict[str, tuple[dict[str, Any], bool] | None] | None = None


class RunnerTurns(Struct, frozen=True, kw_only=True):
    """A sign of life, once a second from RunnerHosted to RunnerStopped."""

    name: str


class FlowPaused(Struct, frozen=True, kw_only=True):
    """What the runner has of a flow is paused as a whole, for this reason; None: it is not any more."""

    runner: str
    flow: str
    by: str | None


class RunnerSaid(Struct, frozen=True, kw_only=True):
    """Answers to what the front has asked: one message costs as much as many answers in it."""

    said: tuple[Reply | Progress, ...]


class RunnerStopped(Struct, frozen=True, kw_only=True):
    """No flow is running, no host is left; `errors`: what could not be kept."""

    name: str
    errors: tuple[str, ...] = ()
