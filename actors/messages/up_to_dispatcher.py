"""What `runner up` tells the dispatcher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerOrder:
    """A runner. `kept`: the folder where flows wait while the deployment is down; `journals`: where they are written
    down while it is up.
    """

    name: str
    runtimes: tuple[str, ...] | None
    kept: str
    journals: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """Start the runners and hand them these flows. Answered with DeploymentUp or DeploymentFailed.

    `accept_loss`: journals that are damaged go on with what is left. If there are several runners, each module of the
    flows has its `runner`, they listen at `bind`, and `keys` is the folder of their certificates.
    """

    up_pid: int
    runners: tuple[RunnerOrder, ...]
    state: str
    accept_loss: bool
    bind: str
    keys: str
    flows: tuple[dict[str, Any], ...]
    restart_times: int
    restart_period_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StopDeployment:
    """Stop every flow, end the runner; answered with DeploymentDown."""
