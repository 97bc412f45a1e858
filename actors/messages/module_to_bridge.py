"""What a module asks of the bridge of its host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from runtimes.frames import Frame


class SendFrames(NamedTuple):  # a tuple, not a dataclass: made once per frame on the hot path
    """Write these frames of a slot (DATA, PULL, PAUSE) to the host, in order."""

    slot: int
    frames: list[Frame]


class LoadModule(Struct, frozen=True, kw_only=True):
    """The module's answer to HostUp: its LOAD body with the context as of the last commit, and its suspects."""

    slot: int
    body: bytes
    suspects: int
    max_turn_bytes: int
    retry: bool
    timeout_s: float | None
    context: Mapping[bytes, bytes]


class StartModule(Struct, frozen=True, kw_only=True):
    """The module's answer to EnterService: the body of CALL for `start`, and the context if that brings it.

    `waiting`: the wires that its mailbox has messages of; such a wire cannot be fused at once, they would be overtaken.
    """

    slot: int
    body: bytes
    context: Mapping[bytes, bytes] | None
    waiting: frozenset[str]


class RestartSource(Struct, frozen=True, kw_only=True):
    """Call `start` once more: the source has raised. Nothing is at the host for the slot. Then SourceRestarted."""

    slot: int
    body: bytes


class ProbeDone(Struct, frozen=True, kw_only=True):
    """The suspect that was alone at the host is done; `left` more of this module are suspect."""

    slot: int
    left: int


class WiresDrained(Struct, frozen=True, kw_only=True):
    """The module has nothing left of the wires it was told to drain, nor has the host."""

    slot: int


class KillHost(Struct, frozen=True, kw_only=True):
    """End the host now: a turn took too long."""

    reason: str
