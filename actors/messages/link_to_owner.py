"""What the links of a runner tell whoever has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


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
class WireEmptied:
    """The other runner has everything of it."""

    by: ClassVar = "wire"
    wire: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced:
    """A peer says that there is a newer incarnation of this runner: this one is to end."""

    peer: str
    reason: str
