"""What an actor tells whoever has sent it a message that it could not handle."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorFailed:
    """A handler has raised; nobody need wait for its answer. `error` is a whole sentence.

    What serves a flow tells the flow, whoever the sender was; `asked` says whether that was the flow itself.
    """

    error: str
    flow: str = ""
    asked: bool = True
