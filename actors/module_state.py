"""Everything a Module actor decides, without a process, an actor or a clock of its own.

It knows mailboxes, windows, recall, blame and accounts; it does not know what a body means, nor how anything is sent.
Each event method updates the state; `fill()` then gives the frames that are to go to the host now, and `effects` what
else the actor has to do, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from enum import Enum, auto
from typing import NamedTuple

from actors.condition import Breakpoint
from actors.flows.hosting import WireIn
from runtimes.frames import HELD, NO_INDEX, REDELIVERED, TURN_FLAG, Frame, Kind, join, split

WINDOW_MESSAGES = 1024
WINDOW_BYTES = 256 << 10
MAILBOX_HIGH_MESSAGES = 8192
MAILBOX_HIGH_BYTES = 4 << 20
FEEDBACK_CAP_MESSAGES = 65536
FEEDBACK_CAP_BYTES = 64 << 20
CREDIT = 1024
MAX_DEATHS_ALONE = 3
_NO_STOPS_FOR_A_STEP = frozenset({"debug", "target", "retry"})


_DATA, _PULL = int(Kind.DATA), int(Kind.PULL)  # plain numbers: this is the hot path


_new = tuple.__new__  # half the time of Frame(...)


class Link(Enum):
    """The module's side of its slot in the host."""

    ABSENT = auto()
    LOADING = auto()
    OPEN = auto()
    RECALLING = auto()


_LINK_TABLE = {
    (Link.ABSENT, "host_up"): Link.LOADING,
    (Link.LOADING, "host_open"): Link.OPEN,
    (Link.OPEN, "recall"): Link.RECALLING,
    (Link.RECALLING, "paused"): Link.OPEN,
    (Link.OPEN, "retired"): Link.LOADING,
    (Link.LOADING, "retired"): Link.LOADING,
    **{(link, "host_down"): Link.ABSENT for link in Link},
}


class Segment:
    """Consecutive messages of one wire, inside a body that is never cut: `skip, count` say which are meant."""

    __slots__ = ("arrived", "body", "count", "first", "flags", "skip", "wire")

    def __init__(self, wire: str, body: bytes, flags: int, skip: int, count: int, first: int, arrived: float) -> None:
        self.wire, self.body, self.flags = wire, body, flags
        self.skip, self.count, self.first, self.arrived = skip, count, first, arrived

    def message(self, index: int) -> tuple[bytes, bytes | None]:
        """The encoded message `index` (of those meant) and its encoded headers."""
        messages, headers = split(self.body, self.flags)
        return messages[self.skip + index], headers[self.skip + index] if headers else None

    def singles(self) -> list[Segment]:
        """The same messages, a segment and a body each."""
        if self.count == 1 and self.skip == 0:
            return [self]
        messages, headers = split(self.body, self.flags)
        return [
            Segment(
                self.wire,
                join(messages[at : at + 1], headers[at : at + 1] if headers else None),
                self.flags, 0, 1, self.first + at - self.skip, self.arrived,
            )
            for at in range(self.skip, self.skip + self.count)
        ]  # fmt: skip


class HoldsChanged(NamedTuple):
    """Feeders have to be held or may go on: `must_hold(wire)` says which."""


class Stopped(NamedTuple):
    """The host holds nothing of this module any more, for `reason`."""

    reason: str


class Drained(NamedTuple):
    """Nothing of the draining wires is left in mailbox and window, and the host holds nothing."""

    reason: str


class RetryLater(NamedTuple):
    """Call retry_due() after `backoff_s`."""

    backoff_s: float


class Failed(NamedTuple):
    """A message whose error goes to the error port, or else to the dead letters. `port` is the in-port."""

    message: bytes
    headers: bytes | None
    port: str
    info: bytes
    deaths: int = 0


class SourceFailed(NamedTuple):
    """A source raised; there is no message."""

    info: bytes


class Overrun(NamedTuple):
    """A feedback wire reached its hard cap."""

    wire: str


class BreakpointHit(NamedTuple):
    """The head of the mailbox is held (or, if `only_log`, goes on); `error`: what went wrong with `when`."""

    message: bytes
    only_log: bool
    error: str | None


class Probed(NamedTuple):
    """The message under probation is done; `left` more of this module are suspect."""

    left: int


Effect = (
    HoldsChanged | Stopped | Drained | RetryLater | Failed | SourceFailed | Overrun | Probed | BreakpointHit
)  # fmt: skip


class ModuleState:
    """One module's mailbox, window, context and accounts. Messages count, not segments, in every number."""

    def __init__(self) -> None:
        self.configure(slot=0, wires={})
        self.link = Link.ABSENT
        self.stops: set[str] = {"flow"}
        self.ready: deque[Segment] = deque()
        self.window: deque[Segment] = deque()
        self.held: deque[Segment] = deque()  # of wires that are not draining, while others are
        self.draining: Collection[str] | None = None
        self.drain_reason = ""
        self.drain_asked = False  # somebody waits for Drained
        self.window_messages = self.window_bytes = 0
        self.queued = self.queued_bytes = 0
        self.over_high = False
        self.credit = 0
        self.pulls = True
        self._outbox: list[Frame] = []
        self._tell: str | None = None
        self._held_info: bytes | None = None
        self.context: dict[bytes, bytes] = {}
        self.accepted = self.completed = self.dropped = self.dead_lettered = 0
        self.handled = self.errors = self.sent = self.unwired = self.busy_us = self.source_turns = 0
        self.attempts = 0  # of the head, for retry
        self.suspects = 0  # messages at the front of `ready` that were uncommitted when the host died
        self.probing = False  # one suspect is alone at the host
        self.probation = False
        self.breakpoint: Breakpoint | None = None
        self.stepping = False
        self.allowed = False  # the head may go although the module is stopped: a step, or a released message
        self.passed: tuple[str, int] | None = None  # wire and number of the head that may pass the breakpoint
        self.at_breakpoint: tuple[str, int] | None = None  # of the head that is held there
        self.single = False  # one message at a time: probation, a breakpoint or stepping
        self.turn_begun = False
        self.deaths: tuple[tuple[str, int], int] | None = None  # the head's (wire, number), deaths alone
        self.effects: list[Effect] = []

    def configure(
        self, *, slot: int, wires: dict[str, WireIn], retry_times: int | None = None, backoff_s: float = 0.0,
        announce: bool = False, window_messages: int = WINDOW_MESSAGES,
    ) -> None:  # fmt: skip
        """Set what the flow file says of the module; `announce`: one message at a time, each with TURN."""
        self.slot, self.wires = slot, wires
        self.retry_times, self.backoff_s = retry_times, backoff_s
        self.announce, self.window_messages_max = announce, window_messages

    # messages in ---------------------------------------------------------------------------------------------------

    def deliver(self, wire: str, body: bytes, flags: int, skip: int, count: int, first: int, now: float) -> int:
        """Take messages of a wire into the mailbox. Returns how many were dropped (a lossy wire above high-water)."""
        info = self.wires[wire]
        self.accepted += count
        if info.lossy and self.over_high:
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

    def _passes(self, breakpoint: Breakpoint) -> bool:
        """Whether the head may go on to its handler."""
        head = self.ready[0]
        key = (head.wire, head.first)
        if not self.allowed and not self.probation and key != self.passed:
            message, headers = head.message(0)
            hit, error = breakpoint.hit(message, headers, self.context)
            if hit:
                self.effects.append(BreakpointHit(message, breakpoint.log, error))
            if hit and not breakpoint.log:
                self.at_breakpoint = key
                self.stops.add("debug")
                return False
        self.passed = key  # also when its host dies on it
        return True

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
        fused: int, context: list[tuple[bytes, bytes | None]], errors: list[Frame],
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
        for key, value in context:
            if value is None:
                self.context.pop(key, None)
            else:
                self.context[key] = value
        held = bool(errors) and [self._take_error(error) for error in errors].count(True) > 0
        if consumed:
            self.consume(consumed)
            self.completed += consumed
            self.attempts = 0
            self.deaths = None
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

    def _probed(self) -> None:
        if self.probing:
            self.probing = False
            self.effects.append(Probed(self.suspects))

    def _ease(self) -> None:
        low = self.queued <= MAILBOX_HIGH_MESSAGES // 2 and self.queued_bytes <= MAILBOX_HIGH_BYTES // 2
        if self.over_high and low:
            self.over_high = False
            self.effects.append(HoldsChanged())

    def must_hold(self, wire: str) -> bool:
        """Whether the feeder of a wire has to wait. While draining, what is held does not count for what runs dry."""
        info = self.wires[wire]
        if not self.over_high or info.lossy or info.feedback:
            return False
        if self.draining is None or wire not in self.draining:
            return True
        messages = sum(segment.count for segment in self.ready) + self.window_messages
        bytes_ = sum(len(segment.body) for segment in self.ready) + self.window_bytes
        return messages > MAILBOX_HIGH_MESSAGES or bytes_ > MAILBOX_HIGH_BYTES

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

    def dead_letter(self, count: int = 1) -> None:
        """Book messages that were counted as completed as dead letters (the actor found no error port)."""
        self.completed -= count
        self.dead_lettered += count

    # recall --------------------------------------------------------------------------------------------------------

    def stop(self, reason: str, *, tell: bool = False) -> None:
        """Send nothing more for `reason`, recall what the host holds; with `tell` the effect Stopped says when."""
        self.stops.add(reason)
        if tell:
            self._tell = reason
        self._recall()

    def _recall(self) -> None:
        if self.link is Link.OPEN and (self.window or self.credit or self._held_info is not None):
            self._move("recall")
            self._outbox.append(Frame(Kind.PAUSE, self.slot, first=1))
        elif self.link is not Link.RECALLING:
            self._recalled()

    def go_on(self, reason: str) -> None:
        """Withdraw one reason for stopping; "debug" lets the message at the breakpoint pass and ends stepping."""
        self.stops.discard(reason)
        if reason == "debug":
            self.passed, self.at_breakpoint = self.at_breakpoint or self.passed, None
            self.stepping = self.allowed = False
            self._choose_pace()

    def paused(self) -> None:
        """PAUSED: whatever the host had not committed is ours again."""
        self._move("paused")
        self._take_back(0)
        if self._held_info is not None:
            self._decide_retry(self._held_info)
        self._recalled()

    def _recalled(self) -> None:
        if self._tell:
            self.effects.append(Stopped(self._tell))
            self._tell = None
        if self.draining is not None:
            self._part_wires()
            self._check_drained()

    def _take_back(self, flag: int) -> None:
        for segment in self.window:
            segment.flags |= flag
        self.ready.extendleft(reversed(self.window))
        self.window.clear()
        self.window_messages = self.window_bytes = self.credit = 0

    def _decide_retry(self, info: bytes) -> None:
        self._held_info = None
        if self.retry_times is None or self.attempts > self.retry_times:
            self.stops.discard("retry")
            self.give_up(info)
            return
        self._single_head()
        self.ready[0].flags |= REDELIVERED
        self.effects.append(RetryLater(self.backoff_s))

    def _single_head(self) -> None:
        """Make the first message of the mailbox a segment of its own."""
        segment = self.ready.popleft()
        singles = segment.singles()
        self.queued_bytes += sum(len(single.body) for single in singles) - len(segment.body)
        self.ready.extendleft(reversed(singles))

    def give_up(self, info: bytes, deaths: int = 0) -> None:
        """Take the head of the mailbox (nothing is in the window) out as failed."""
        self._single_head()
        segment = self.ready.popleft()
        raw, headers = segment.message(0)
        self.effects.append(Failed(raw, headers, self.wires[segment.wire].port, info, deaths))
        self.queued -= 1
        self.queued_bytes -= len(segment.body)
        self.completed += 1
        self.attempts = 0
        self.suspects = max(0, self.suspects - 1)
        self.deaths = None
        self._probed()
        self._ease()

    # debugging -----------------------------------------------------------------------------------------------------

    def _choose_pace(self) -> None:
        self.single = self.probation or self.stepping or self.breakpoint is not None

    def set_breakpoint(self, breakpoint: Breakpoint | None) -> None:
        """From now on one message goes at a time, and only if it does not hit; what is at the host comes back."""
        self.breakpoint, self.at_breakpoint = breakpoint, None
        self._choose_pace()
        if breakpoint is not None:
            self._recall()

    def step(self, source: bool) -> tuple[bool, bool]:
        """While stopped for "debug": let the oldest message go, pull a source once. Returns whether each happens."""
        self.stepping = True
        self._choose_pace()
        takes = self.release()
        pulls = source and self.credit == 0
        if pulls:
            self.pull_once()
        return takes, pulls

    def pull_once(self) -> None:
        """Credit for one message; without a host it has to be asked for again when there is one."""
        if self.link is Link.OPEN:
            self.credit = 1
            self._outbox.append(Frame(_PULL, self.slot, count=1))

    def release(self) -> bool:
        """While stopped for "debug": let exactly the oldest message go. False if there is none."""
        if not self.ready or self.window:
            return False
        self.stepping = self.allowed = True
        self.at_breakpoint = None
        self.stops.discard("retry")
        self._choose_pace()
        return True

    def waiting(self) -> list[Segment]:
        """What waits in the mailbox, the oldest first."""
        return [*self.ready, *self.held]

    def replace_waiting(self, wire: str, number: int, body: bytes | None) -> bool:
        """Give a waiting message another encoded body, or drop it (None). False if there is none such."""
        for queue in (self.ready, self.held):
            for at, segment in enumerate(queue):
                if segment.wire == wire and segment.first <= number < segment.first + segment.count:
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
        if self.at_breakpoint == (singles[at].wire, singles[at].first):
            self.at_breakpoint = None
        del singles[at]
        self.queued -= 1
        self.dropped += 1

    # draining: wires run dry before they are fused, or before a module behind them is replaced ----------------------

    def drain(self, wires: Collection[str], reason: str = "fuse") -> None:
        """Take messages only from `wires` until they are empty. Others wait in order.

        The effect Drained says so, at once for "fuse", else after ask_drained(): an answer that was given before the
        feeders had run dry would come too early.
        """
        self.draining, self.drain_reason, self.drain_asked = wires, reason, reason == "fuse"
        self._part_wires()
        self._recall()
        if self.over_high:
            self.effects.append(HoldsChanged())

    def _part_wires(self) -> None:
        assert self.draining is not None
        if self.suspects:
            return  # they have begun: probation ends them first
        inside = [segment for segment in self.ready if segment.wire in self.draining]
        if len(inside) != len(self.ready):
            # In front: what comes back from the host is older than what was held before.
            self.held.extendleft(s for s in reversed(self.ready) if s.wire not in self.draining)
            self.ready = deque(inside)

    def ask_drained(self) -> None:
        """Say Drained as soon as it is so."""
        self.drain_asked = True
        self._check_drained()

    def _check_drained(self) -> None:
        if self.over_high:
            self.effects.append(HoldsChanged())
        if self.drain_asked and not self.ready and not self.window and self.link is not Link.RECALLING:
            self.drain_asked = False
            self.effects.append(Drained(self.drain_reason))

    def end_drain(self) -> None:
        """Go on with every wire."""
        if self.draining is not None:
            self.ready.extend(self.held)  # behind: suspects of a held wire are older than what is held
            self.held.clear()
            self.draining, self.drain_reason = None, ""
            if self.over_high:
                self.effects.append(HoldsChanged())

    # replacement: a successor takes mailbox, context and accounts over ---------------------------------------------

    def move_to(self, successor: ModuleState) -> None:
        """Become the state of the actor whose own state was `successor`: its slot and link, nothing at its host."""
        if self.window:
            raise RuntimeError(f"module slot {self.slot}: handed over with {self.window_messages} messages at the host")
        self.link, self.stops = successor.link, self.stops | successor.stops
        self.stops.discard("retry")
        self.credit = self.attempts = self.suspects = 0
        self.probing = self.turn_begun = False
        self.probation, self.pulls = successor.probation, successor.pulls
        self.allowed = False
        self._choose_pace()
        self.deaths = self._held_info = self._tell = None
        self._outbox = []

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

    def waiting_wires(self) -> frozenset[str]:
        """The wires that the mailbox has messages of."""
        return frozenset(segment.wire for segment in (*self.window, *self.ready, *self.held))

    # the host's life -----------------------------------------------------------------------------------------------

    def host_up(self) -> None:
        """A host wants this module loaded."""
        self._move("host_up")

    def host_open(self, probation: bool) -> None:
        """Loaded, wired and started."""
        self._move("host_open")
        self.probation = probation
        self._choose_pace()
        if self.draining is not None and not probation:
            self._part_wires()
            self._check_drained()

    def retired(self) -> None:
        """The host has nothing of us any more and will get nothing until it is open for us again."""
        self._move("retired")

    def probe(self) -> None:
        """In probation: this module's turn to send its next suspect, alone."""
        self.probing = True
        if not self.suspects:  # a step has taken it meanwhile
            self._probed()

    def end_probation(self) -> None:
        """Every suspect of the host is done."""
        self.probation = self.probing = False
        self._choose_pace()
        if self.draining is not None:
            self._part_wires()
            self._check_drained()

    def turn(self) -> None:
        """TURN: the host has begun a turn of this module."""
        self.turn_begun = True

    def host_down(self, info: bytes) -> None:
        """The host is gone: its window is delivered again. A message that was alone in its turn is blamed."""
        alone = self.turn_begun and self.window_messages == 1 and (self.probing or self.announce)
        self._move("host_down")
        if self.drain_reason == "fuse":
            self.end_drain()
        self.suspects = max(self.suspects, self.window_messages)
        self._take_back(REDELIVERED)
        self.turn_begun = self.probing = False
        if alone:
            head = (self.ready[0].wire, self.ready[0].first)
            deaths = self.deaths[1] + 1 if self.deaths is not None and self.deaths[0] == head else 1
            self.deaths = (head, deaths)
            if deaths >= MAX_DEATHS_ALONE:
                self.give_up(info, deaths)
        self.stops.discard("retry")
        self._outbox.clear()
        self._held_info = None
        if self._tell:
            self._recalled()

    def _move(self, event: str) -> None:
        try:
            self.link = _LINK_TABLE[self.link, event]
        except KeyError:
            raise RuntimeError(f"module slot {self.slot}: {event} while {self.link.name}") from None

    # accounts ------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert the invariants (tests call it after every event)."""
        segments = [*self.window, *self.ready, *self.held]
        assert self.queued == sum(s.count for s in segments), (self.queued, [s.count for s in segments])
        assert self.queued_bytes == sum(len(s.body) for s in segments)
        assert self.window_messages == sum(s.count for s in self.window)
        assert self.accepted == self.completed + self.queued + self.dropped + self.dead_lettered, vars(self)
        assert all(s.count > 0 for s in segments)
