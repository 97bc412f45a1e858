"""What the dispatcher tells `runner up`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentUp:
    """Every flow is started; but for what is on machines that are not there yet: their runners have no process."""

    runner_pids: dict[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFailed:
    """It could not be started, or its runner dies too often; everything is stopped."""

    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentDown:
    """Every flow is stopped and the runner has ended."""
