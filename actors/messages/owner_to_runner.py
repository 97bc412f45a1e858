"""What whoever has made a runner (the embedded session, a process under `runner up`) asks of it; no part of its API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct, field

from runtimes.environments import cache_folder


class ConfigureRunner(Struct, frozen=True, kw_only=True):
    """First message: where hosts may have their folders, the cache of environments and builds, which runtimes to
    offer (None: all), and where flows are kept when it ends (None: they are not). `incarnation`: how often the runner
    of this name has been started.

    `journals`: where flows are written down while they run, None: they are not; `accept_loss`: those that are damaged
    go on with what is left, `fresh`: none goes on; `journal_lost` is called, with a sentence, when nothing
    can be written any more. `keys`: a folder that no host is to see. `traces`: the endpoint of the collector of spans,
    None: as the environment says. `life`: what is noted in each journal. `files`: flow -> the file it is read from.
    """

    run_folder: Path
    name: str = ""
    incarnation: int = 1
    cache: Path = field(default_factory=cache_folder)
    runtimes: tuple[str, ...] | None = None
    kept: Path | None = None
    journals: Path | None = None
    keys: Path | None = None
    traces: str | None = None
    life: str = ""
    accept_loss: bool = False
    fresh: bool = False
    files: Mapping[str, Path] = field(default_factory=dict)
    journal_lost: Callable[[str], None] = print


Place = tuple[str, int]  # address, port


class OpenLinks(Struct, frozen=True, kw_only=True):
    """Have links to other runners: of a flow, what its document places on this runner is here from now on.

    Before the first flow. `place`: where to listen, port 0 for any; `keys`: the folder with the authority's certificate
    and this runner's; `paused` is told why what is here of a flow is paused with the whole, None: it is not any more.
    Answered with Reply, whose value is the port.
    """

    request_id: str
    place: Place
    keys: Path
    paused: Callable[[str, str | None], None] = lambda _flow, _by: None


class RunnersKnown(Struct, frozen=True, kw_only=True):
    """Where the other runners listen; whole: one that is not named is not reachable."""

    places: dict[str, Place]


class ShutDown(Struct, frozen=True, kw_only=True):
    """Stop every flow, end every host; answered with Reply, whose `data` says what could not be kept."""

    request_id: str


class CloseJournals(Struct, frozen=True, kw_only=True):
    """After ShutDown and all that has still been written: have that noted; answered with Reply."""

    request_id: str
