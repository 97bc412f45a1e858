"""What the dispatcher tells the process of a runner; requests of the Runner API come besides."""

from __future__ import annotations

from dataclasses import dataclass

from thespian.actors import ActorAddress

from actors.messages.client_to_runner import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksOrder:
    """Have links to the other runners: listen at the address `bind`, with the certificates of the folder `keys`; where
    the others are, the registry says.
    """

    bind: str
    keys: str
    registry: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRunner:
    """Be the runner called `name`, with its run folder in `state`; answered with RunnerHosted.

    Flows wait in the folder `kept` while the runner is down, and are written down in `journals` while it is up;
    `accept_loss`: those that are damaged go on with what is left.
    """

    name: str
    state: str
    kept: str
    journals: str
    accept_loss: bool
    runtimes: tuple[str, ...] | None
    links: LinksOrder | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAt:
    """There is a new registry: register with that."""

    registry: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayRequest:
    """A client's request; the Reply goes straight to the client."""

    request: Request
    client: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltRunner:
    """All runners end: first each stops its flows and lets the others have what is on its way to them; answered with
    RunnerHalted.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRunner:
    """Stop every flow and close the door; answered with RunnerStopped."""
