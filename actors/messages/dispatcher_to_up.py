"""What the dispatcher tells `runner up`."""

from __future__ import annotations

from msgspec import Struct


class DeploymentUp(Struct, frozen=True, kw_only=True):
    """Every flow is started; but for what is on machines that are not there yet: their runners have no process."""

    runner_pids: dict[str, int | None]


class DeploymentFailed(Struct, frozen=True, kw_only=True):
    """It could not be started, or its runner dies too often; everything is stopped."""

    errors: tuple[str, ...]


class DeploymentDown(Struct, frozen=True, kw_only=True):
    """Every flow is stopped and the runner has ended."""
