"""What an actor tells whoever has sent it a message that it could not handle."""

from __future__ import annotations

from msgspec import Struct


class ActorFailed(Struct, frozen=True, kw_only=True):
    """A handler has raised; nobody need wait for its answer. `error` is a whole sentence.

    What serves a flow tells the flow, whoever the sender was; `asked` says whether that was the flow itself.
    """

    error: str
    flow: str = ""
    asked: bool = True
