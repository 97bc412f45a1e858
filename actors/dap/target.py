"""What is debugged, as a session of the protocol needs it; who opens it knows runners."""

from __future__ import annotations

from typing import Any, Protocol

from actors.dap.places import Places


class DapError(Exception):
    """A request that is refused: a sentence for whoever sits before the editor."""


class GoneError(DapError):
    """The runner, or its flow, is there no more."""


class Target(Protocol):
    """A flow of a live runner. `places`: where its modules stand in its file."""

    flow_id: str
    places: Places

    def call(self, method: str, **params: Any) -> Any:
        """A call of the Runner API. Raises DapError, GoneError."""

    def begin(self) -> None:
        """Every breakpoint is set: of what was launched, messages may come now. Raises DapError."""

    def close(self) -> None:
        """Let go of it; what was launched ends."""
