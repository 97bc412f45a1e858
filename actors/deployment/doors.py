"""How clients come into a process of a deployment: by its socket, and by the gateway if it has one."""

from __future__ import annotations

from pathlib import Path

from thespian.actors import ActorAddress

from actors.deployment.inner_system import InnerSystem
from actors.doors.door import open_door
from actors.messages.owner_to_gateway import GatewayOrder


def open_doors(
    inner: InnerSystem, to: ActorAddress, name: str, state: Path, gateway: GatewayOrder | None
) -> str | None:  # fmt: skip
    """Let clients ask the actor `to`, under a name; says why not, if it cannot be."""
    error = open_door(inner.system, to, inner.folder.path, name)
    if error is None and gateway is not None:
        from actors.gateway.open import open_gateway  # HTTP and WebSocket: only where they are wanted

        error = open_gateway(inner.system, to, state, inner.folder.path, gateway)
    return error
