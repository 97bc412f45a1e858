"""What the links of a runner tell whoever has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from actors.links.crossed import Incoming, Outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """It does, at this port; or `error` says why not."""

    port: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFound:
    """There is a connection to the other runner, which has been started so often."""

    peer: str
    incarnation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLost:
    """It has gone; it is sought again."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDescribed:
    """The figures of a link, as listRunners shows them."""

    round: int
    row: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksDescribed:
    """Those of all links."""

    round: int
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WireEmptied:
    """The other runner has everything of it."""

    by: ClassVar = "wire"
    wire: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WireHandedOver:
    """What an end of a wire has known; None if that is nothing."""

    by: ClassVar = "wire"
    wire: str
    state: Outgoing | Incoming | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced:
    """A peer says that there is a newer incarnation of this runner: this one is to end."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishWanted:
    """A receiving end has taken what its sender does not know to be finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundOlder:
    """What a runner keeps is older than what the other end of a wire has seen of it. `words`: which, and what of it."""

    wire: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenLost:
    """The other runner has forgotten the wire: of what it had acknowledged, `count` messages at most are lost."""

    wire: str
    runner: str
    count: int
