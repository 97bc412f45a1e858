"""What a host has been given of one slot: what it says of the slot is checked against this. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from runtimes.frames import HELD, TURN_FLAG, Frame, Kind, ProtocolError

if TYPE_CHECKING:
    from runtimes.turns_committed import TurnsCommitted

MAX_CONTEXT_BYTES = 80 << 20  # of keys and values; hosts refuse what is over 64 MiB, each by its own measure
_DATA, _PULL = int(Kind.DATA), int(Kind.PULL)  # plain numbers: this is the hot path


class Given:
    """Of a slot that is loaded, or being loaded."""

    def __init__(self, *, retry: bool = False, context: Mapping[bytes, bytes] | None = None) -> None:
        self.messages = 0  # of DATA, not consumed
        self.credit = 0
        self.late = 0  # turns on top of it: of a source that was at one when PAUSE took it all; the next PULL gives it
        self.announced: Counter[int] = Counter()  # numbers, of several wires, of messages whose TURN is still to come
        self.pausing = 0  # the request of a PAUSE that has no answer yet
        self.overshoot_bytes = 0  # committed with turns of the slot since then
        self.held = False  # a message has failed and is to be tried again: PAUSED comes next
        self.hooks = 0  # called, and their transactions may come
        self._hooks_committed = 0  # of those without an answer
        self.source = False  # `start` has said so, and FINISHED has not come
        self.retry = retry
        self.is_special = False  # a commit has to be noted even if it has neither errors nor context changes
        self.set_context(context or {})

    def set_context(self, context: Mapping[bytes, bytes]) -> None:
        """The whole context, as LOAD or CALL bring it."""
        self.context = {key: len(key) + len(value) for key, value in context.items()}
        self.context_bytes = sum(self.context.values())

    def take(self, frames: Iterable[Frame]) -> None:
        """DATA, PULL and PAUSE of the slot go to the host."""
        for kind, _, _, flags, _, count, first in frames:
            if kind == _DATA:
                self.messages += count
                if flags & TURN_FLAG:
                    self.announced.update(range(first, first + count))
                    self.is_special = True
            elif kind == _PULL:
                self.credit += count
            else:
                self.pausing, self.overshoot_bytes, self.is_special = first, 0, True

    def call(self) -> None:
        """A hook is called."""
        self.hooks += 1
        self.is_special = True

    def answer(self) -> None:
        """A hook has ended; its transaction came before, if it had one."""
        if self._hooks_committed:
            self._hooks_committed -= 1
        else:
            self.hooks -= 1

    @property
    def works(self) -> bool:
        """Whether a turn may be under way, for as long as it takes."""
        return (self.messages > 0 and not self.held) or (self.source and self.credit > 0)

    def begin(self, number: int) -> bool:
        """TURN: whether it was to come."""
        if not self.announced[number]:
            return False
        self.announced[number] -= 1
        if not self.announced[number]:
            del self.announced[number]
        return True

    def check_context(self, changes: Mapping[bytes, bytes | None]) -> None:
        """That the context is not too large with them."""
        if self._after(changes) > MAX_CONTEXT_BYTES:
            raise ProtocolError(f"a context of more than {MAX_CONTEXT_BYTES} bytes")

    def _after(self, changes: Mapping[bytes, bytes | None]) -> int:
        before = sum(self.context.get(key, 0) for key in changes)
        return (
            self.context_bytes
            - before
            + sum(len(key) + len(value) for key, value in changes.items() if value is not None)
        )

    def note(self, part: TurnsCommitted, size: int) -> None:
        """A part of a transaction of `size` bytes stands, and is not just messages and credit."""
        turns = part.consumed or part.pulled
        if self.hooks and part.sent and not turns and not part.fused:  # nothing else can have sent that
            self.hooks -= 1
            self._hooks_committed += 1
        if part.errors:
            self.held = self.held or bool(part.errors[-1].flags & HELD)
        if self.pausing and turns:
            self.overshoot_bytes += size
        if not self.messages:
            self.announced.clear()
        self.is_special = bool(self.pausing or self.hooks or self.announced)
        if part.context:
            self.context_bytes = self._after(part.context)
            for key, value in part.context.items():
                if value is None:
                    self.context.pop(key, None)
                else:
                    self.context[key] = len(key) + len(value)

    def paused(self) -> None:
        """The host has nothing of the slot any more."""
        self.late = int(self.source)
        self.messages = self.credit = self.pausing = self.overshoot_bytes = 0
        self.held = False
        self.announced.clear()
        self.is_special = self.hooks > 0
