"""What the links of a runner tell whoever has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct

if TYPE_CHECKING:
    from actors.links.crossed import Incoming, Outgoing


class Listening(Struct, frozen=True, kw_only=True):
    """It does, at this port; or `error` says why not."""

    port: int = 0
    error: str | None = None


class PeerFound(Struct, frozen=True, kw_only=True):
    """There is a connection to the other runner, which has been started so often."""

    peer: str
    incarnation: int


class PeerLost(Struct, frozen=True, kw_only=True):
    """It has gone; it is sought again."""

    peer: str
    reason: str


class LinkDescribed(Struct, frozen=True, kw_only=True):
    """The figures of a link, as listRunners shows them."""

    round: int
    row: dict[str, Any]


class LinksDescribed(Struct, frozen=True, kw_only=True):
    """Those of all links."""

    round: int
    rows: list[dict[str, Any]]


class WireEmptied(Struct, frozen=True, kw_only=True):
    """The other runner has everything of it."""

    by: ClassVar = "wire"
    wire: str


class WireHandedOver(Struct, frozen=True, kw_only=True):
    """What an end of a wire has known; None if that is nothing."""

    by: ClassVar = "wire"
    wire: str
    state: Outgoing | Incoming | None


class Fenced(Struct, frozen=True, kw_only=True):
    """A peer says that there is a newer incarnation of this runner: this one is to end."""

    peer: str
    reason: str


class FinishWanted(Struct, frozen=True, kw_only=True):
    """A receiving end has taken what its sender does not know to be finished."""


class FoundOlder(Struct, frozen=True, kw_only=True):
    """What a runner keeps is older than what the other end of a wire has seen of it. `words`: which, and what of it."""

    wire: str
    words: str


class TakenLost(Struct, frozen=True, kw_only=True):
    """The other runner has forgotten the wire: of what it had acknowledged, `count` messages at most are lost."""

    wire: str
    runner: str
    count: int
