"""A gateway for a runner: opened, and the way in written where `runner open` looks for it."""

from __future__ import annotations

import os
from pathlib import Path

from thespian.actors import ActorAddress

from actors.gateway import log
from actors.gateway.gateway import GatewayActor
from actors.messages.gateway_to_owner import GatewayOpened
from actors.messages.owner_to_gateway import GatewayOrder, OpenGateway
from actors.system.in_process import ActorSystem

WAY_IN_FILE = "gateway"
OPEN_TIMEOUT_S = 10.0


def open_gateway(
    system: ActorSystem, runner: ActorAddress, state: Path, folder: Path, order: GatewayOrder
) -> str | None:  # fmt: skip
    """For a `runner` whose folder is `folder`; `state` has the tokens. Says why not, if it cannot be."""
    gateway = system.createActor(GatewayActor)
    opened = system.ask(gateway, OpenGateway(runner=runner, state=state, order=order), OPEN_TIMEOUT_S)
    if not isinstance(opened, GatewayOpened):
        return "the gateway does not answer"
    if opened.error is None:
        written = os.open(folder / WAY_IN_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(written, "w") as file:
            file.write(f"{opened.address}/#token={opened.token}\n{opened.address}/app/#token={opened.client_token}\n")
        log.info("the gateway is at %s; `runner open` prints the way in", opened.address)
    return opened.error
