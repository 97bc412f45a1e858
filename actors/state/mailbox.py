"""A module's mailbox and window, and their accounts. Part of the ModuleState.

It knows which messages are ours and when there are too many; not when they may go, nor what a host does with them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from actors.definition.hosting import WireIn
from actors.state.effects import Effect, HoldsChanged, Overrun
from actors.state.segment import Segment

MAILBOX_HIGH_MESSAGES = 8192
MAILBOX_HIGH_BYTES = 4 << 20
FEEDBACK_CAP_MESSAGES = 65536
FEEDBACK_CAP_BYTES = 64 << 20


class Mailbox:
    """What has been accepted and not yet handled. Messages count, not segments, in every number."""

    wires: dict[str, WireIn]

    def __init__(self) -> None:
        self.ready: deque[Segment] = deque()
        self.window: deque[Segment] = deque()  # what the host has
        self.held: deque[Segment] = deque()  # of wires that are not draining, while others are
        self.draining: Collection[str] | None = None
        self.window_messages = self.window_bytes = 0
        self.queued = self.queued_bytes = 0  # all three together
        self.over_high = False
        self.accepted = self.completed = self.dropped = self.dead_lettered = 0
        self.effects: list[Effect] = []

    def deliver(self, wire: str, body: bytes, flags: int, skip: int, count: int, first: int, now: float) -> int:
        """Take messages of a wire into the mailbox. Returns how many were dropped (a lossy wire above high-water)."""
        info = self.wires[wire]
        self.accepted += count
        if self.over_high and info.delivery.may_drop:
            self.dropped += count
            return count
        segment = Segment(wire, body, flags, skip, count, first, now)
        (self.ready if self.draining is None or wire in self.draining else self.held).append(segment)
        self.queued += count
        self.queued_bytes += len(body)
        if self.queued > MAILBOX_HIGH_MESSAGES or self.queued_bytes > MAILBOX_HIGH_BYTES:
            if not self.over_high or self.draining is not None:
                self.over_high = True
                self.effects.append(HoldsChanged())
            if info.feedback and (self.queued > FEEDBACK_CAP_MESSAGES or self.queued_bytes > FEEDBACK_CAP_BYTES):
                self.effects.append(Overrun(wire))
        return 0

    def consume(self, count: int) -> None:
        """Remove `count` messages from the front of the window."""
        self.queued -= count
        self.window_messages -= count
        window = self.window
        while count:
            segment = window[0]
            if segment.count > count:
                segment.skip += count
                segment.first += count
                segment.count -= count
                return
            count -= segment.count
            window.popleft()
            self.window_bytes -= len(segment.body)
            self.queued_bytes -= len(segment.body)

    def _single_head(self) -> None:
        """Make the first message of the mailbox a segment of its own."""
        segment = self.ready.popleft()
        singles = segment.singles()
        self.queued_bytes += sum(len(single.body) for single in singles) - len(segment.body)
        self.ready.extendleft(reversed(singles))

    def waiting(self) -> list[Segment]:
        """What waits in the mailbox, the oldest first."""
        return [*self.ready, *self.held]

    def waiting_wires(self) -> frozenset[str]:
        """The wires that the mailbox has messages of."""
        return frozenset(segment.wire for segment in (*self.window, *self.ready, *self.held))

    def discard(self, wires: Collection[str]) -> list[tuple[str, bytes, bytes | None]]:
        """Take every waiting message of these wires out, as dead letters: port, message, headers."""
        taken = [segment for segment in (*self.ready, *self.held) if segment.wire in wires]
        self.ready = deque(segment for segment in self.ready if segment.wire not in wires)
        self.held = deque(segment for segment in self.held if segment.wire not in wires)
        letters = [
            (self.wires[segment.wire].port, *segment.message(index))
            for segment in taken for index in range(segment.count)
        ]  # fmt: skip
        self.queued -= len(letters)
        self.queued_bytes -= sum(len(segment.body) for segment in taken)
        self.dead_lettered += len(letters)
        self._ease()
        return letters

    def dead_letter(self, count: int = 1) -> None:
        """Book messages that were counted as completed as dead letters (the actor found no error port)."""
        self.completed -= count
        self.dead_lettered += count

    # back-pressure -------------------------------------------------------------------------------------------------

    def _ease(self) -> None:
        low = self.queued <= MAILBOX_HIGH_MESSAGES // 2 and self.queued_bytes <= MAILBOX_HIGH_BYTES // 2
        if self.over_high and low:
            self.over_high = False
            self.effects.append(HoldsChanged())

    def must_hold(self, wire: str) -> bool:
        """Whether the feeder of a wire has to wait. While draining, what is held does not count for what runs dry."""
        info = self.wires[wire]
        if not self.over_high or not info.delivery.holds_feeder or info.feedback:
            return False
        if self.draining is None or wire not in self.draining:
            return True
        messages = sum(segment.count for segment in self.ready) + self.window_messages
        bytes_ = sum(len(segment.body) for segment in self.ready) + self.window_bytes
        return messages > MAILBOX_HIGH_MESSAGES or bytes_ > MAILBOX_HIGH_BYTES

    # accounts ------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert the invariants (tests call it after every event)."""
        segments = [*self.window, *self.ready, *self.held]
        assert self.queued == sum(s.count for s in segments), (self.queued, [s.count for s in segments])
        assert self.queued_bytes == sum(len(s.body) for s in segments)
        assert self.window_messages == sum(s.count for s in self.window)
        assert self.accepted == self.completed + self.queued + self.dropped + self.dead_lettered, vars(self)
        assert all(s.count > 0 for s in segments)
