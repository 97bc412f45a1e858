"""What the dispatcher tells the process of a runner; requests of the Runner API come besides."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from thespian.actors import ActorAddress

from actors.messages.client_to_runner import Request
from actors.messages.owner_to_gateway import GatewayOrder


class LinksOrder(Struct, frozen=True, kw_only=True):
    """Have links to the other runners of the deployment: listen at `place`, port 0 for any; where the others are, the
    registry says.
    """

    deployment: str
    place: tuple[str, int]
    registry: ActorAddress | None


class HostRunner(Struct, frozen=True, kw_only=True):
    """Be the runner called `name`, with its run folder in `state`; answered with RunnerHosted.

    Flows wait in the folder `kept` while the runner is down, and are written down in `journals` while it is up;
    `accept_loss`: those that are damaged go on with what is left; `again`: in place of one that has died. `life`: of
    the deployment, from one orderly end to the next.
    `keys`: the folder with its certificate, which no host is to see; `traces`: the endpoint of the collector of spans.
    `container`: the image to be it in, with so much memory at most.
    """

    name: str
    state: str
    kept: str
    journals: str
    accept_loss: bool
    again: bool
    life: str
    runtimes: tuple[str, ...] | None
    keys: str
    links: LinksOrder | None = None
    gateway: GatewayOrder | None = None
    traces: str | None = None
    container: str | None = None
    memory_mb: int | None = None


class RegistryAt(Struct, frozen=True, kw_only=True):
    """There is a new registry: register with that."""

    registry: ActorAddress


class RelayRequests(Struct, frozen=True, kw_only=True):
    """A client's requests, in order; each Reply goes straight to the client."""

    requests: tuple[Request, ...]
    client: ActorAddress


class AskRunner(Struct, frozen=True, kw_only=True):
    """Of the front: requests in order. What there is to say to them comes back in pieces, as RunnerSaid."""

    requests: tuple[Any, ...]


class StopRunner(Struct, frozen=True, kw_only=True):
    """Stop every flow and close the door; answered with RunnerStopped."""
