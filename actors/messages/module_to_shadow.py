"""What a module tells a shadow of it."""

from __future__ import annotations

from dataclasses import dataclass

from actors.state.segment import Handled


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessBegun:
    """The context as it is in front of the next TurnsSeen."""

    context: dict[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnsSeen:
    """A commit stands; what it has sent was delivered before.

    `errors`: index in `inputs` -> info of the ERROR; `unasked`: it has sent something by itself, too (a source, a
    timer); `given_up`: messages that are done without a commit.
    """

    inputs: tuple[Handled, ...] = ()
    errors: dict[int, bytes]
    unasked: bool = False
    given_up: int = 0
