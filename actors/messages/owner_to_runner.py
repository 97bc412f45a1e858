"""What whoever has made a runner (the embedded session, a process under `runner up`) asks of it; no part of its API."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from runtimes.environments import cache_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureRunner:
    """First message: where hosts may have their folders, the cache of environments and builds, which runtimes to
    offer (None: all), and where flows are kept when it ends (None: they are not).
    """

    run_folder: Path
    name: str = ""
    cache: Path = field(default_factory=cache_folder)
    runtimes: tuple[str, ...] | None = None
    kept: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutDown:
    """Stop every flow, end every host; answered with Reply, whose `data` says what could not be kept."""

    request_id: str
