"""A module's mailbox and window, and their accounts. A part of the ModuleState.

It knows which messages are ours and when there are too many; not when they may go, nor what a host does with them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

from actors.definition.hosting import WireIn
from actors.state import recent
from actors.state.effects import Effect, HoldsChanged, Overrun
from actors.state.recent import Recent
from actors.state.segment import Handled, Segment
from actors.state.wire_counts import WireCounts
from runtimes.frames import HEADERS, REDELIVERED, Frame, Kind, join, split

WINDOW_MESSAGES = 1024
WINDOW_BYTES = 256 << 10
MAILBOX_HIGH_MESSAGES = 8192
MAILBOX_HIGH_BYTES = 4 << 20
FEEDBACK_CAP_MESSAGES = 65536
FEEDBACK_CAP_BYTES = 64 << 20
_DATA = int(Kind.DATA)  # a plain number: this is the hot path
_new = tuple.__new__  # half the time of Frame(...)


class Mailbox:
    """What has been accepted and not yet handled. Messages count, not segments, in every number."""

    def __init__(self, effects: list[Effect]) -> None:
        self._effects = effects
        self.wires: Mapping[str, WireIn] = {}  # every wire in
        self.most = WINDOW_MESSAGES  # that the window has room for, but for a larger segment alone
        self.ready: deque[Segment] = deque()  # what goes to the host next
        self.held: deque[Segment] = deque()  # of wires that are not running dry, while others are
        self.window: deque[Segment] = deque()  # what the host has
        self.dry: Collection[str] | None = None  # the wires that run dry; None: none, all of them go on
        self.queued = 0  # in all three
        self.queued_bytes = 0
        self.window_messages = 0
        self.window_bytes = 0
        self.over_high = False  # too many: feeders are held, until half of it is left
        self.accepted = 0  # = done + queued + dropped + discarded
        self.done = 0  # handled, or given up
        self.dropped = 0
        self.discarded = 0  # of wires that are no more
        self.counts = WireCounts()
        self.recent = Recent(recent.HERE)  # done

    def configure(self, wires: Mapping[str, WireIn], most: int) -> None:
        """The wires in, and what fits into the window."""
        self.wires, self.most = wires, most

    def add_wires(self, wires: Mapping[str, WireIn]) -> None:
        """More wires in, or others of the same name."""
        self.wires = {**self.wires, **wires}

    # in ------------------------------------------------------------------------------------------------------------

    def deliver(self, wire: str, body: bytes, flags: int, skip: int, count: int, first: int, now: float) -> int:
        """Take messages of a wire into the mailbox. Returns how many were dropped (a lossy wire above high-water)."""
        info = self.wires[wire]
        self.accepted += count
        self.counts.came[wire] += count
        if self.over_high and info.delivery.may_drop:
            self.dropped += count
            return count
        segment = Segment(wire, body, flags, skip, count, first, now)
        (self.ready if self.dry is None or wire in self.dry else self.held).append(segment)
        self.queued += count
        self.queued_bytes += len(body)
        if self.queued > MAILBOX_HIGH_MESSAGES or self.queued_bytes > MAILBOX_HIGH_BYTES:
            if not self.over_high or self.dry is not None:
                self.over_high = True
                self._effects.append(HoldsChanged())
            if info.feedback and (self.queued > FEEDBACK_CAP_MESSAGES or self.queued_bytes > FEEDBACK_CAP_BYTES):
                self._effects.append(Overrun(wire))
        return 0

    def keep(self, segment: Segment) -> None:
        """Messages that were accepted in another life of the flow."""
        self.ready.append(segment)
        self.queued += segment.count
        self.queued_bytes += len(segment.body)
        self.over_high = self.queued > MAILBOX_HIGH_MESSAGES or self.queued_bytes > MAILBOX_HIGH_BYTES

    # to the host, and back -----------------------------------------------------------------------------------------

    def send_head(self, flags: int) -> Frame:
        """Move the first segment into the window."""
        segment = self.ready.popleft()
        self.window.append(segment)
        self.window_messages += segment.count
        self.window_bytes += len(segment.body)
        channel = self.wires[segment.wire].channel
        parts = (_DATA, channel, segment.body, segment.flags | flags, segment.skip, segment.count, segment.first)
        return _new(Frame, parts)

    def take_back(self, flag: int) -> None:
        """What the host has is ours again, with a flag."""
        for segment in self.window:
            segment.flags |= flag
        self.ready.extendleft(reversed(self.window))
        self.window.clear()
        self.window_messages = self.window_bytes = 0

    def single_head(self) -> None:
        """Make the first message of the mailbox a segment of its own."""
        segment = self.ready.popleft()
        singles = segment.singles()
        self.queued_bytes += sum(len(single.body) for single in singles) - len(segment.body)
        self.ready.extendleft(reversed(singles))

    def redeliver_head(self) -> None:
        """The first message goes once more, alone."""
        self.single_head()
        self.ready[0].flags |= REDELIVERED

    # out -----------------------------------------------------------------------------------------------------------

    def consume(self, count: int) -> None:
        """Remove `count` messages from the front of the window: they are done."""
        self.queued -= count
        self.done += count
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
            size = len(segment.body)
            self.window_bytes -= size
            self.queued_bytes -= size
            self.recent.add(segment)

    def take_head(self) -> Segment:
        """Take the first message out, which is done; nothing is in the window."""
        self.single_head()
        segment = self.ready.popleft()
        self.queued -= 1
        self.queued_bytes -= len(segment.body)
        self.done += 1
        self.recent.add(segment)
        return segment

    @property
    def head(self) -> tuple[str, int]:
        """Wire and number of the oldest message, also if the host has it."""
        queue = self.window or self.ready
        return (queue[0].wire, queue[0].first) if queue else ("", 0)

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
        self.discarded += len(letters)
        self.ease()
        return letters

    def replace_waiting(self, wire: str, number: int, body: bytes | None) -> bool:
        """Give a waiting message another encoded body, or drop it (None). False if there is none such."""
        for queue in (self.ready, self.held):
            for at, segment in enumerate(queue):
                if segment.has(wire, number):
                    singles = segment.singles()
                    self._alter(singles, number - segment.first, body)
                    rest = list(queue)
                    self.queued_bytes += sum(len(single.body) for single in singles) - len(segment.body)
                    rest[at : at + 1] = singles
                    queue.clear()
                    queue.extend(rest)
                    return True
        return False

    def _alter(self, singles: list[Segment], at: int, body: bytes | None) -> None:
        if body is not None:
            _, headers = singles[at].message(0)
            singles[at].body = join([body], [headers] if headers else None)
            return
        del singles[at]
        self.queued -= 1
        self.dropped += 1

    def last_done(self) -> list[Handled]:
        """Messages that were handled last, the oldest first: wire, port, message, headers."""
        found: list[Handled] = []
        for segment in reversed(self.recent.segments):
            info = self.wires.get(segment.wire)
            for index in reversed(range(segment.count)):
                if info is not None:
                    found.append((segment.wire, info.port, *segment.message(index)))
        return found[::-1]

    def first_of_window(self, count: int) -> list[Handled]:
        """The same of messages that the host has."""
        found: list[Handled] = []
        for segment in self.window:
            some = min(segment.count, count - len(found))
            if some <= 0:
                break
            bodies, headers = split(segment.body, segment.flags & HEADERS)
            port = self.wires[segment.wire].port
            for at in range(segment.skip, segment.skip + some):
                found.append((segment.wire, port, bodies[at], headers[at] if headers else None))
        return found

    # what waits ----------------------------------------------------------------------------------------------------

    def waiting(self) -> list[Segment]:
        """What waits in the mailbox, the oldest first."""
        return [*self.ready, *self.held]

    def waiting_wires(self) -> frozenset[str]:
        """The wires that the mailbox has messages of."""
        return frozenset(segment.wire for segment in (*self.window, *self.ready, *self.held))

    def run_dry(self, wires: Collection[str] | None) -> None:
        """From now on only messages of these wires go to the host, when `part` has been called; None: of all."""
        self.dry = wires
        if wires is None:
            self.ready.extend(self.held)  # behind: suspects of a held wire are older than what is held
            self.held.clear()

    def part(self) -> None:
        """Hold what waits of the wires that do not run dry."""
        dry = self.dry
        assert dry is not None
        inside = [segment for segment in self.ready if segment.wire in dry]
        if len(inside) != len(self.ready):
            # In front: what comes back from the host is older than what was held before.
            self.held.extendleft(s for s in reversed(self.ready) if s.wire not in dry)
            self.ready = deque(inside)

    # back-pressure -------------------------------------------------------------------------------------------------

    def ease(self) -> None:
        """Something has left: feeders may go on when half of what was too much is gone."""
        low = self.queued <= MAILBOX_HIGH_MESSAGES // 2 and self.queued_bytes <= MAILBOX_HIGH_BYTES // 2
        if self.over_high and low:
            self.over_high = False
            self._effects.append(HoldsChanged())

    def review_holds(self) -> None:
        """What runs dry has changed, and with it who has to wait."""
        if self.over_high:
            self._effects.append(HoldsChanged())

    def must_hold(self, wire: str) -> bool:
        """Whether the feeder of a wire has to wait. While wires run dry, what is held does not count for those."""
        info = self.wires[wire]
        if not self.over_high or not info.delivery.holds_feeder or info.feedback:
            return False
        if self.dry is None or wire not in self.dry:
            return True
        messages = sum(segment.count for segment in self.ready) + self.window_messages
        bytes_ = sum(len(segment.body) for segment in self.ready) + self.window_bytes
        return messages > MAILBOX_HIGH_MESSAGES or bytes_ > MAILBOX_HIGH_BYTES

    # accounts ------------------------------------------------------------------------------------------------------

    def keep_accounts(self, accounts: Mapping[str, int]) -> None:
        """Go on from those of another life of the flow."""
        self.accepted, self.done = accounts.get("accepted", 0), accounts.get("completed", 0)
        self.dropped, self.discarded = accounts.get("dropped", 0), accounts.get("dead_lettered", 0)

    def count_accepted(self) -> None:
        """After a crash: what has become of messages is known, and they have come."""
        self.accepted = self.done + self.queued + self.dropped + self.discarded

    def check(self) -> None:
        """Assert that every number fits what is there."""
        segments = [*self.window, *self.ready, *self.held]
        assert self.queued == sum(s.count for s in segments), (self.queued, [s.count for s in segments])
        assert self.queued_bytes == sum(len(s.body) for s in segments)
        assert self.window_messages == sum(s.count for s in self.window)
        assert self.accepted == self.done + self.queued + self.dropped + self.discarded, vars(self)
        assert all(s.count > 0 for s in segments)
