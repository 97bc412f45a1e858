"""What the runner tells the preparation actor."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from thespian.actors import ActorAddress

from runtimes.environments import Recipe


class OpenCache(Struct, frozen=True, kw_only=True):
    """First message: where environments and builds are kept."""

    cache: Path


class Prepare(Struct, frozen=True, kw_only=True):
    """Make these, one after the other, if they are not there; then Prepared. `flow` and `key` come back with it.

    `progress`: the client, and the id of its request, that is told what the commands print.
    """

    flow: str
    key: str
    recipes: tuple[Recipe, ...]
    progress: tuple[ActorAddress, str] | None = None


class CancelPreparation(Struct, frozen=True, kw_only=True):
    """Fail what this flow (and key, if given) waits for; a command for which nobody else waits is killed."""

    flow: str
    key: str | None = None


class DescribeEnvironments(Struct, frozen=True, kw_only=True):
    """Answer the client with what listDependencies says. `used_by`: environment id -> flows."""

    request_id: str
    client: ActorAddress
    runtime: str
    used_by: dict[str, list[str]]


class RemoveEnvironment(Struct, frozen=True, kw_only=True):
    """Remove it, unless another process uses it; answer the client."""

    request_id: str
    client: ActorAddress
    runtime: str
    environment: str


class CollectUnused(Struct, frozen=True, kw_only=True):
    """Remove what these runtimes have that nobody uses and that is not `kept`; answer the client."""

    request_id: str
    client: ActorAddress
    runtimes: frozenset[str]
    kept: frozenset[str]


class ClosePreparation(Struct, frozen=True, kw_only=True):
    """Kill every command and fail those who wait."""
