"""What a flow tells a trial."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from thespian.actors import ActorAddress

from actors.definition.limits import HostLimits
from actors.definition.origin import Placed

Context = dict[bytes, bytes]


class TrialModule(Struct, frozen=True, kw_only=True):
    """A module to try: the LOAD bodies of the running version (None: there is none in this host) and of the new one.

    `migrate`: the `state_version` its context comes from, if that differs, and a copy of the context.
    """

    module: str
    running: bytes | None
    new: bytes
    timeout_s: float | None
    migrate: tuple[int, Context] | None


class RunTrial(Struct, frozen=True, kw_only=True):
    """Load everything in a host of its own, rehearse what has to migrate; then TrialEnded. The host stays.

    `pages`: who has the pages that may try browser modules, if there are any; `windows`: those for a page's window.
    """

    flow: str
    key: str
    command: tuple[str, ...]
    folder: Path
    sweeper: ActorAddress
    env: dict[str, str]
    limits: HostLimits
    modules: tuple[TrialModule, ...]
    placed: Placed
    pages: ActorAddress | None = None
    windows: frozenset[str] = frozenset()


class MigrateContexts(Struct, frozen=True, kw_only=True):
    """Migrate these contexts (module -> from version, context) with the new versions; then ContextsMigrated."""

    contexts: dict[str, tuple[int, Context]]


class EndTrial(Struct, frozen=True, kw_only=True):
    """End the host; then TrialClosed, and the trial is gone."""
