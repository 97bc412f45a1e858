"""What the runner tells the preparation actor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from thespian.actors import ActorAddress

from runtimes.environments import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCache:
    """First message: where environments and builds are kept."""

    cache: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Make these, one after the other, if they are not there; then Prepared. `flow` and `key` come back with it.

    `progress`: the client, and the id of its request, that is told what the commands print.
    """

    flow: str
    key: str
    recipes: tuple[Recipe, ...]
    progress: tuple[ActorAddress, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPreparation:
    """Fail what this flow (and key, if given) waits for; a command for which nobody else waits is killed."""

    flow: str
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeEnvironments:
    """Answer the client with what listDependencies says. `used_by`: environment id -> flows."""

    request_id: str
    client: ActorAddress
    runtime: str
    used_by: dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveEnvironment:
    """Remove it, unless another process uses it; answer the client."""

    request_id: str
    client: ActorAddress
    runtime: str
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectUnused:
    """Remove what these runtimes have that nobody uses and that is not `kept`; answer the client."""

    request_id: str
    client: ActorAddress
    runtimes: frozenset[str]
    kept: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePreparation:
    """Kill every command and fail those who wait."""
