"""What whoever has made a runner (the embedded session, a process under `runner up`) asks of it; no part of its API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from runtimes.environments import cache_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureRunner:
    """First message: where hosts may have their folders, the cache of environments and builds, which runtimes to
    offer (None: all), and where flows are kept when it ends (None: they are not).

    `journals`: where flows are written down while they run, None: they are not; `accept_loss`: those that are damaged
    go on with what is left, `fresh`: none goes on; `journal_lost` is called, with a sentence, when nothing
    can be written any more.
    """

    run_folder: Path
    name: str = ""
    cache: Path = field(default_factory=cache_folder)
    runtimes: tuple[str, ...] | None = None
    kept: Path | None = None
    journals: Path | None = None
    accept_loss: bool = False
    fresh: bool = False
    journal_lost: Callable[[str], None] = print


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutDown:
    """Stop every flow, end every host; answered with Reply, whose `data` says what could not be kept."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseJournals:
    """After ShutDown and all that has still been written: have that noted; answered with Reply."""

    request_id: str
