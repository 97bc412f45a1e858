"""What a flow tells the runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actors.definition.share import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFacts:
    """What the runner needs to know of a flow: what of it is here, its state, whether any of it is paused, and why
    all of it is, that of other runners included.
    """

    share: Share
    state: str = "stopped"
    paused: bool = False
    paused_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowChanged:
    """These are the facts now."""

    facts: FlowFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowGone:
    """It has been removed, or kept for another runner; what still comes for it goes back. Answered: FlowForgotten."""

    flow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowAudited:
    """The accounts of its modules, by flow/module."""

    flow: str
    round: int
    rows: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowClosed:
    """It has stopped; `errors` say what could not be kept, or went wrong."""

    flow: str
    round: int
    errors: tuple[str, ...]
