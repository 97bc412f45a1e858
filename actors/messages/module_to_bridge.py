"""What a module asks of the bridge of its host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from runtimes.frames import Frame


class SendFrames(NamedTuple):  # a tuple, not a dataclass: made once per frame on the hot path
    """Write these frames of a slot (DATA, PULL, PAUSE) to the host, in order."""

    slot: int
    frames: list[Frame]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadModule:
    """The module's answer to HostUp: its LOAD body with the context as of the last commit, and its suspects."""

    slot: int
    body: bytes
    suspects: int
    max_turn_bytes: int
    retry: bool
    timeout_s: float | None
    context: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartModule:
    """The module's answer to EnterService: the body of CALL for `start`, and the context if that brings it.

    `waiting`: the wires that its mailbox has messages of; such a wire cannot be fused at once, they would be overtaken.
    """

    slot: int
    body: bytes
    context: Mapping[bytes, bytes] | None
    waiting: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartSource:
    """Call `start` once more: the source has raised. Nothing is at the host for the slot. Then SourceRestarted."""

    slot: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeDone:
    """The suspect that was alone at the host is done; `left` more of this module are suspect."""

    slot: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WiresDrained:
    """The module has nothing left of the wires it was told to drain, nor has the host."""

    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KillHost:
    """End the host now: a turn took too long."""

    reason: str
