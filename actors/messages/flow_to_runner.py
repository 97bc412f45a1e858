"""What a flow tells the runner."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from actors.definition.share import Share


class FlowFacts(Struct, frozen=True, kw_only=True):
    """What the runner needs to know of a flow: what of it is here, its state, whether any of it is paused, and why
    all of it is, that of other runners included.
    """

    share: Share
    state: str = "stopped"
    paused: bool = False
    paused_by: str | None = None


class FlowChanged(Struct, frozen=True, kw_only=True):
    """These are the facts now."""

    facts: FlowFacts


class FlowGone(Struct, frozen=True, kw_only=True):
    """It has been removed, or kept for another runner; what still comes for it goes back. Answered: FlowForgotten."""

    flow: str


class FlowAudited(Struct, frozen=True, kw_only=True):
    """The accounts of its modules, by flow/module."""

    flow: str
    round: int
    rows: dict[str, dict[str, Any]]


class FlowClosed(Struct, frozen=True, kw_only=True):
    """It has stopped; `errors` say what could not be kept, or went wrong."""

    flow: str
    round: int
    errors: tuple[str, ...]
