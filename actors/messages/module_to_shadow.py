"""What a module tells a shadow of it."""

from __future__ import annotations

from msgspec import Struct

from actors.state.segment import Handled


class WitnessBegun(Struct, frozen=True, kw_only=True):
    """The context as it is in front of the next TurnsSeen."""

    context: dict[bytes, bytes]


class TurnsSeen(Struct, frozen=True, kw_only=True):
    """A commit stands; what it has sent was delivered before.

    `errors`: index in `inputs` -> info of the ERROR; `unasked`: it has sent something by itself, too (a source, a
    timer); `given_up`: messages that are done without a commit.
    """

    inputs: tuple[Handled, ...] = ()
    errors: dict[int, bytes]
    unasked: bool = False
    given_up: int = 0
