"""What a bridge tells its flow."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct


class OfHost(Struct, frozen=True, kw_only=True):
    """Base of what is said of one host, by its key. A job of the flow may wait for it, or for what comes `instead_of`
    it.
    """

    by: ClassVar[str] = "key"
    flow: str
    key: str


class HostLoaded(OfHost, frozen=True, kw_only=True):
    """Every module of the host is loaded."""


class LoadFailed(OfHost, frozen=True, kw_only=True):
    """Modules could not be loaded beside those that run: `errors` are sentences for the user."""

    instead_of: ClassVar = (HostLoaded,)
    errors: tuple[str, ...]


class ModulesRetired(OfHost, frozen=True, kw_only=True):
    """Every `stop` has returned; `errors`: module -> what it raised."""

    errors: dict[str, str]


class ModulesStarted(OfHost, frozen=True, kw_only=True):
    """Every module's `start` has returned."""


class StartFailed(OfHost, frozen=True, kw_only=True):
    """A `start` has raised."""

    instead_of: ClassVar = (ModulesStarted,)
    errors: tuple[str, ...]


class MembersRemoved(OfHost, frozen=True, kw_only=True):
    """The slots are free: nothing more will be said of their modules."""


class PagesDescribed(OfHost, frozen=True, kw_only=True):
    """The sessions of all pages, as facts (pages/session.py)."""

    sessions: tuple[Any, ...]


class FusingHeld(OfHost, frozen=True, kw_only=True):
    """Nothing is about to be fused."""


class FusingBarred(OfHost, frozen=True, kw_only=True):
    """No barred wire is fused."""


class HostFailed(OfHost, frozen=True, kw_only=True):
    """The host cannot be started, or not again: `errors` are sentences for the user."""

    instead_of: ClassVar = (HostLoaded, ModulesStarted)
    errors: tuple[str, ...]


class HostStopped(OfHost, frozen=True, kw_only=True):
    """The host has ended because it was asked to; `errors`: module -> what its `stop` raised."""

    errors: dict[str, str]


class HostDescribed(Struct, frozen=True, kw_only=True):
    """Figures of one host: pid, starts, deaths."""

    request_id: str
    key: str
    figures: dict[str, Any]
