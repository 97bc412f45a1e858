"""What a bridge tells its flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class OfHost:
    """Base of what is said of one host, by its key. A job of the flow may wait for it, or for what comes `instead_of`
    it.
    """

    by: ClassVar[str] = "key"
    flow: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLoaded(OfHost):
    """Every module of the host is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailed(OfHost):
    """Modules could not be loaded beside those that run: `errors` are sentences for the user."""

    instead_of: ClassVar = (HostLoaded,)
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulesRetired(OfHost):
    """Every `stop` has returned; `errors`: module -> what it raised."""

    errors: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulesStarted(OfHost):
    """Every module's `start` has returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFailed(OfHost):
    """A `start` has raised."""

    instead_of: ClassVar = (ModulesStarted,)
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersRemoved(OfHost):
    """The slots are free: nothing more will be said of their modules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesDescribed(OfHost):
    """The sessions of all pages, as facts (pages/session.py)."""

    sessions: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FusingHeld(OfHost):
    """Nothing is about to be fused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FusingBarred(OfHost):
    """No barred wire is fused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFailed(OfHost):
    """The host cannot be started, or not again: `errors` are sentences for the user."""

    instead_of: ClassVar = (HostLoaded, ModulesStarted)
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStopped(OfHost):
    """The host has ended because it was asked to; `errors`: module -> what its `stop` raised."""

    errors: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDescribed:
    """Figures of one host: pid, starts, deaths."""

    request_id: str
    key: str
    figures: dict[str, Any]
