"""Everything a Module actor decides, without a process, an actor or a clock of its own.

It knows mailboxes, windows, recall, blame and accounts; it does not know what a body means, nor how anything is sent.
Its nouns are classes, each on top of the one before: Mailbox, Recall, Draining, Blame, Gate, and here ModuleState.
Each event method updates the state; `fill()` then gives the frames that are to go to the host now, and `effects` what
else the actor has to do, in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.definition.hosting import WireIn
from actors.state.effects import Failed, SourceFailed
from actors.state.gate import Gate
from actors.state.recall import Link
from actors.state.segment import Segment
from runtimes.frames import HELD, NO_INDEX, TURN_FLAG, Frame, Kind

WINDOW_MESSAGES = 1024
WINDOW_BYTES = 256 << 10
CREDIT = 1024
_NO_STOPS_FOR_A_STEP = frozenset({"debug", "target", "retry"})
_DATA, _PULL = int(Kind.DATA), int(Kind.PULL)  # plain numbers: this is the hot path
_new = tuple.__new__  # half the time of Frame(...)


class ModuleState(Gate):
    """One module's mailbox, window, context and accounts: what goes to the host, and what it has done."""

    def __init__(self, link: Link = Link.ABSENT) -> None:
        super().__init__()
        self.link = link
        self.configure(slot=0, wires={})
        self.pulls = True
        self.context: dict[bytes, bytes] = {}
        self.handled = self.errors = self.sent = self.unwired = self.busy_us = self.source_turns = 0

    def configure(
        self, *, slot: int, wires: dict[str, WireIn], retry_times: int | None = None, backoff_s: float = 0.0,
        announce: bool = False, window_messages: int = WINDOW_MESSAGES,
    ) -> None:  # fmt: skip
        """Set what the flow file says of the module; `announce`: one message at a time, each with TURN."""
        self.slot, self.wires = slot, wires
        self.retry_times, self.backoff_s = retry_times, backoff_s
        self.announce, self.window_messages_max = announce, window_messages

    # frames out ----------------------------------------------------------------------------------------------------

    def fill(self) -> list[Frame]:
        """The frames to send now: credit, and messages while the window has room. Nothing while stopped."""
        frames, self._outbox = self._outbox, []
        if self.link is not Link.OPEN:
            return frames
        if self.single:
            return frames + self._fill_single()
        if self.stops:
            return frames
        if self.pulls and self.credit <= CREDIT // 2 and self.draining is None:
            frames.append(Frame(_PULL, self.slot, count=CREDIT - self.credit))
            self.credit = CREDIT
        ready = self.ready
        while ready:
            if self.announce:
                self._single_head()
            segment = ready[0]
            if self.window and (
                self.window_messages + segment.count > self.window_messages_max
                or self.window_bytes + len(segment.body) > WINDOW_BYTES
            ):
                break
            frames.append(self._send(ready.popleft(), TURN_FLAG if self.announce else 0))
        return frames

    def _fill_single(self) -> list[Frame]:
        # A full target does not hold a suspect: its neighbours wait for it, and suspects are at most a window.
        frames: list[Frame] = []
        if self.probation and not self.allowed:
            if not self.probing or not self.suspects or self.stops - {"target"}:
                return frames
        elif self.stops - (_NO_STOPS_FOR_A_STEP if self.allowed else frozenset()):
            return frames
        elif self.pulls and not self.stops and self.credit <= CREDIT // 2 and self.draining is None:
            frames.append(Frame(_PULL, self.slot, count=CREDIT - self.credit))
            self.credit = CREDIT
        if self.window or not self.ready:
            return frames
        self._single_head()
        if self.breakpoint is not None and not self._passes(self.breakpoint):
            return frames
        self.turn_begun = self.allowed = False
        frames.append(self._send(self.ready.popleft(), TURN_FLAG if self.announce or self.probation else 0))
        return frames

    def _send(self, segment: Segment, flags: int) -> Frame:
        self.window.append(segment)
        self.window_messages += segment.count
        self.window_bytes += len(segment.body)
        channel = self.wires[segment.wire].channel
        parts = (_DATA, channel, segment.body, segment.flags | flags, segment.skip, segment.count, segment.first)
        return _new(Frame, parts)

    # what the host did ---------------------------------------------------------------------------------------------

    def commit(  # one COMMIT entry of this slot
        self, consumed: int, handled: int, failed: int, pulled: int, sent: int, unwired: int, busy_us: int,
        fused: int, context: Mapping[bytes, bytes | None], errors: Sequence[Frame],
    ) -> None:  # fmt: skip
        """Apply this module's part of a transaction; the outputs are the actor's to deliver (before this)."""
        self.handled += handled
        self.errors += failed
        self.sent += sent
        self.unwired += unwired
        self.busy_us += busy_us
        self.credit -= pulled
        self.source_turns += pulled
        self.accepted += fused
        self.completed += fused
        for key, value in context.items() if context else ():
            if value is None:
                self.context.pop(key, None)
            else:
                self.context[key] = value
        held = errors and any([self._take_error(error) for error in errors])
        if consumed:
            self.consume(consumed)
            self.completed += consumed
            self.attempts = 0
            self.deaths = None
            if self.suspects:
                self.suspects = max(0, self.suspects - consumed)
            if self.probing:
                self._probed()
            if self.over_high:
                self._ease()
            if self.draining is not None:
                self._check_drained()
        if held:
            self.attempts += 1
            self.stop("retry")

    def not_wired(self, count: int) -> None:
        """Messages that were counted as sent have gone nowhere."""
        self.sent -= count
        self.unwired += count

    def _take_error(self, frame: Frame) -> bool:
        """Whether the message is HELD: it stays at the head, and paused() decides."""
        info, message = frame.body[: frame.skip], frame.body[frame.skip :]
        if frame.flags & HELD:
            self._held_info = info
            return True
        if frame.count == NO_INDEX:
            self.effects.append(Failed(message, None, "", info) if message else SourceFailed(info))
            return False
        index = frame.count
        for segment in self.window:
            if index < segment.count:
                raw, headers = segment.message(index)
                self.effects.append(Failed(raw, headers, self.wires[segment.wire].port, info))
                return False
            index -= segment.count
        raise RuntimeError(f"an ERROR for message {frame.count} of a window of {self.window_messages}")

    # replacement: a successor takes mailbox, context and accounts over ---------------------------------------------

    def move_to(self, successor: ModuleState) -> None:
        """Become the state of the actor whose own state was `successor`: its slot and link, nothing at its host."""
        if self.window:
            raise RuntimeError(f"module slot {self.slot}: handed over with {self.window_messages} messages at the host")
        self.link, self.stops = successor.link, self.stops | successor.stops
        self.stops -= {"retry", "restart"}
        self.credit = self.attempts = self.suspects = 0
        self.probing = self.turn_begun = False
        self.probation, self.pulls = successor.probation, successor.pulls
        self.allowed = False
        self._choose_pace()
        self.deaths = self._held_info = self._tell = None
        self._outbox = []
