"""What `runner up` tells the dispatcher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """Start the runner and hand it these flows. Answered with DeploymentUp or DeploymentFailed.

    `kept`: the folder where flows wait while the deployment is down; `journals`: where they are written down while it
    is up, `accept_loss`: those that are damaged go on with what is left.
    """

    up_pid: int
    runner: str
    runtimes: tuple[str, ...] | None
    state: str
    kept: str
    journals: str
    accept_loss: bool
    flows: tuple[dict[str, Any], ...]
    restart_times: int
    restart_period_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StopDeployment:
    """Stop every flow, end the runner; answered with DeploymentDown."""
