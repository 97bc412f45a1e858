"""What `runner up` tells the dispatcher."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from actors.messages.owner_to_gateway import GatewayOrder


class RunnerOrder(Struct, frozen=True, kw_only=True):
    """A runner. `kept`: the folder where flows wait while the deployment is down; `journals`: where they are written
    down while it is up. `machine`: the other machine that it is on, which has these folders itself; `port`: where it
    listens for other runners, 0: anywhere; `number`: of those on its machine. `container`: the image that it is
    in, with `memory_mb` at most.
    """

    name: str
    runtimes: tuple[str, ...] | None
    kept: str
    journals: str
    machine: str | None = None
    port: int = 0
    number: int = 0
    container: str | None = None
    memory_mb: int | None = None


class MachineOrder(Struct, frozen=True, kw_only=True):
    """Another machine: its agent is expected from this address."""

    name: str
    address: str


class Deploy(Struct, frozen=True, kw_only=True):
    """Start the runners and hand them these flows. Answered with DeploymentUp or DeploymentFailed.

    `accept_loss`: journals that are damaged go on with what is left. If there are several runners, each module of the
    flows has its `runner`, they listen at `bind`, `keys` is the folder of their certificates, and what they are to have
    stands in the file `desired`. `machines`: the others, `here`: what this one is called beside them; `data_port`:
    where its first runner listens, 0: anywhere.
    `traces`: the endpoint of the collector of spans.

    `life`: the same until it has ended in order; `same`: if it has not, the flows whose files are as they were;
    `dropped`: what its files have named in this life, and do not any more.
    """

    name: str
    up_pid: int
    runners: tuple[RunnerOrder, ...]
    state: str
    accept_loss: bool
    bind: str
    keys: str
    desired: str
    flows: tuple[dict[str, Any], ...]
    life: str
    same: frozenset[str] | None
    dropped: frozenset[str]
    restart_times: int
    restart_period_s: float
    gateway: GatewayOrder | None = None
    machines: tuple[MachineOrder, ...] = ()
    here: str | None = None
    data_port: int = 0
    traces: str | None = None


class StopDeployment(Struct, frozen=True, kw_only=True):
    """Stop every flow, end the runner; answered with DeploymentDown."""
