"""What a shadow tells its rehearsals."""

from __future__ import annotations

from msgspec import Struct

from actors.messages.flow_to_trial import RunTrial
from runtimes.frames import Frame


class StartRehearsal(Struct, frozen=True, kw_only=True):
    """Load the only module of the trial, and wire it; then TrialEnded.

    `wires_in`: (port, wire) of each channel in, `ports`: out-port of each channel out; `patience_s`: the longest that
    loading, a hook or a message may take.
    """

    trial: RunTrial
    wires_in: tuple[tuple[str, str], ...]
    ports: tuple[str, ...]
    max_turn_bytes: int
    patience_s: float


class BeginRehearsal(Struct, frozen=True, kw_only=True):
    """Migrate the context, if it comes `from_version`, and call `start`; then RehearsalBegun."""

    context: dict[bytes, bytes]
    from_version: int | None


class PlayMessages(Struct, frozen=True, kw_only=True):
    """DATA, a frame a message; then as many MessagePlayed."""

    frames: list[Frame]
