"""What a bridge tells the runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLoaded:
    """Every module of the host is loaded."""

    flow: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailed:
    """Modules could not be loaded beside those that run: `errors` are sentences for the user."""

    flow: str
    key: str
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulesRetired:
    """Every `stop` has returned; `errors`: module -> what it raised."""

    flow: str
    key: str
    errors: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFailed:
    """A `start` has raised."""

    flow: str
    key: str
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersRemoved:
    """The slots are free: nothing more will be said of their modules."""

    flow: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FusingHeld:
    """Nothing is about to be fused."""

    flow: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FusingBarred:
    """No barred wire is fused."""

    flow: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulesStarted:
    """Every module's `start` has returned."""

    flow: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFailed:
    """The host cannot be started, or not again: `errors` are sentences for the user."""

    flow: str
    key: str
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStopped:
    """The host has ended because it was asked to; `errors`: module -> what its `stop` raised."""

    flow: str
    key: str
    errors: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDescribed:
    """Figures of one host: pid, starts, deaths."""

    request_id: str
    key: str
    figures: dict[str, Any]
