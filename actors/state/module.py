"""Everything a Module actor decides, without a process, an actor or a clock of its own.

It knows mailboxes, windows, recall, blame and accounts; it does not know what a body means, nor how anything is sent.
Each event method updates the state; `fill()` then gives the frames that are to go to the host now, and `take_effects()`
what else the actor has to do, in order. What concerns one part alone is asked of the part.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from actors.definition.hosting import WireIn
from actors.state.blame import Blame
from actors.state.condition import Breakpoint
from actors.state.draining import Draining
from actors.state.effects import Effect, Failed, SourceFailed
from actors.state.gate import Gate
from actors.state.mailbox import WINDOW_BYTES, WINDOW_MESSAGES, Mailbox
from actors.state.recall import Link, Recall
from runtimes.frames import HELD, NO_INDEX, REDELIVERED, TURN_FLAG, Frame, Kind

CREDIT = 1024
COUNTS = ("handled", "errors", "sent", "unwired", "busy_us", "source_turns")
_NO_STOPS_FOR_A_STEP = frozenset({"debug", "target", "retry"})
_PULL = int(Kind.PULL)  # a plain number: this is the hot path
_OPEN = Link.OPEN


class ModuleState:
    """One module's mailbox, window, context and accounts: what goes to the host, and what it has done.

    Every attribute, here and of the parts, is assigned by its own object alone.
    """

    def __init__(self, link: Link = Link.ABSENT) -> None:
        effects: list[Effect] = []
        self.effects = effects  # what the actor is to do, in order; the parts add to it
        self.mailbox = Mailbox(effects)  # which messages are ours, and where
        self.recall = Recall(effects, link)  # why nothing goes, and what the slot in the host is at
        self.blame = Blame(self.mailbox, effects)  # what has failed or killed its host
        self.draining = Draining(self.mailbox, self.recall, self.blame, effects)  # why some wires run dry
        self.gate = Gate(self.mailbox, effects)  # the debugger's
        self.single = False  # one message at a time: probation, a breakpoint or stepping
        self.pulls = True  # a source may be given credit
        self.credit = 0  # what a source may still send
        self._outbox: list[Frame] = []  # PAUSE, and PULL of a step, until `fill` has given them
        self.context: dict[bytes, bytes] = {}  # as of the last commit, encoded
        self.fused = 0  # messages that have come and were done inside the host
        self.given_up = 0  # messages that are done, as dead letters
        self.handled = 0  # handler calls that have ended, fused ones and source turns too
        self.errors = 0  # those of them that have raised
        self.sent = 0  # messages
        self.unwired = 0  # messages to ports that nobody is at
        self.busy_us = 0  # of all turns
        self.source_turns = 0  # messages of its source

    def configure(
        self, *, slot: int, wires: Mapping[str, WireIn], retry_times: int | None = None, backoff_s: float = 0.0,
        announce: bool = False, window_messages: int = WINDOW_MESSAGES,
    ) -> None:  # fmt: skip
        """Set what the flow file says of the module; `announce`: one message at a time, each with TURN."""
        self.recall.configure(slot)
        self.mailbox.configure(wires, window_messages)
        self.blame.configure(retry_times, backoff_s, announce)

    def take_effects(self) -> list[Effect]:
        """What the actor is to do now."""
        effects = self.effects.copy()
        self.effects.clear()
        return effects

    # frames out ----------------------------------------------------------------------------------------------------

    def fill(self) -> list[Frame]:
        """The frames to send now: credit, and messages while the window has room. Nothing while stopped."""
        frames, self._outbox = self._outbox, []
        recall, mailbox = self.recall, self.mailbox
        if recall.link is not _OPEN:
            return frames
        if self.single:
            self._fill_single(frames)
            return frames
        if recall.stops:
            return frames
        if self.pulls and self.credit <= CREDIT // 2 and mailbox.dry is None:
            frames.append(Frame(_PULL, recall.slot, count=CREDIT - self.credit))
            self.credit = CREDIT
        announce = self.blame.announce
        while mailbox.ready:
            if announce:
                mailbox.single_head()
            segment = mailbox.ready[0]
            if mailbox.window and (
                mailbox.window_messages + segment.count > mailbox.most
                or mailbox.window_bytes + len(segment.body) > WINDOW_BYTES
            ):
                break
            frames.append(mailbox.send_head(TURN_FLAG if announce else 0))
        return frames

    def _fill_single(self, frames: list[Frame]) -> None:
        # A full target does not hold a suspect: its neighbours wait for it, and suspects are at most a window.
        mailbox, stops, blame, gate = self.mailbox, self.recall.stops, self.blame, self.gate
        if blame.probation and not gate.allowed:
            if not blame.probing or not blame.suspects or stops - {"target"}:
                return
        elif stops - (_NO_STOPS_FOR_A_STEP if gate.allowed else frozenset()):
            return
        elif self.pulls and not stops and self.credit <= CREDIT // 2 and mailbox.dry is None:
            frames.append(Frame(_PULL, self.recall.slot, count=CREDIT - self.credit))
            self.credit = CREDIT
        if mailbox.window or not mailbox.ready:
            return
        mailbox.single_head()
        if gate.breakpoint is not None and gate.holds(gate.breakpoint, self.context, exempt=blame.probation):
            self.recall.stop("debug")
            return
        if gate.allowed:
            gate.passed()
        if blame.turn_begun:
            blame.sent_alone()
        frames.append(mailbox.send_head(TURN_FLAG if blame.announce or blame.probation else 0))

    def _choose_pace(self) -> None:
        self.single = self.blame.probation or self.gate.singles

    # stop, go on ---------------------------------------------------------------------------------------------------

    def stop(self, reason: str, *, tell: bool = False) -> None:
        """Send nothing more for `reason`, recall what the host holds; with `tell` the effect Stopped says when."""
        self.recall.stop(reason, tell=tell)
        self._recall()

    def _recall(self) -> None:
        link = self.recall.link
        if link is _OPEN and (self.mailbox.window or self.credit or self.blame.held_info is not None):
            self.recall.move("recall")
            self._outbox.append(Frame(Kind.PAUSE, self.recall.slot, first=1))
        elif link is not Link.RECALLING:
            self._recalled()

    def _recalled(self) -> None:
        self.recall.done()
        self.draining.review()

    def paused(self) -> None:
        """PAUSED: whatever the host had not committed is ours again."""
        self.recall.move("paused")
        self._take_back(0)
        if self.blame.judge():
            self.recall.go_on("retry")
        self._recalled()

    def _take_back(self, flag: int) -> None:
        self.mailbox.take_back(flag)
        self.credit = 0

    def go_on(self, reason: str) -> None:
        """Withdraw one reason for stopping; "debug" lets the message at the breakpoint pass and ends stepping."""
        self.recall.go_on(reason)
        if reason == "debug":
            self.gate.open()
            self._choose_pace()

    # some wires run dry --------------------------------------------------------------------------------------------

    def drain(self, wires: Collection[str], reason: str = "fuse") -> None:
        """Take messages only from `wires` until they are empty. Others wait in order.

        The effect Drained says so, at once for "fuse", else after `draining.ask()`: an answer that was given before
        the feeders had run dry would come too early.
        """
        self.draining.begin(wires, reason)
        self._recall()
        self.mailbox.review_holds()

    def end_drain(self, reason: str) -> None:
        """Go on with every wire, if that is why some run dry."""
        if self.draining.reason == reason:
            self.draining.end()

    # the debugger --------------------------------------------------------------------------------------------------

    def set_breakpoint(self, breakpoint: Breakpoint | None) -> None:
        """From now on one message goes at a time, and only if it does not hit; what is at the host comes back."""
        self.gate.set_breakpoint(breakpoint)
        self._choose_pace()
        if breakpoint is not None:
            self._recall()

    def step(self, source: bool) -> tuple[bool, bool]:
        """While stopped for "debug": let the oldest message go, pull a source once. Returns whether each happens."""
        self.gate.step()
        self._choose_pace()
        takes = self.release()
        pulls = source and self.credit <= 0
        if pulls:
            self.pull_once()
        return takes, pulls

    def pull_once(self) -> None:
        """Credit for one message; without a host it has to be asked for again when there is one."""
        if self.recall.link is _OPEN:
            self._outbox.append(Frame(_PULL, self.recall.slot, count=1 - self.credit))
            self.credit = 1

    def release(self) -> bool:
        """While stopped for "debug": let exactly the oldest message go. False if there is none."""
        if not self.mailbox.ready or self.mailbox.window:
            return False
        self.gate.let_one_pass()
        self.recall.go_on("retry")
        self._choose_pace()
        return True

    def replace_waiting(self, wire: str, number: int, body: bytes | None) -> bool:
        """Give a waiting message another encoded body, or drop it (None). False if there is none such."""
        replaced = self.mailbox.replace_waiting(wire, number, body)
        if replaced and body is None:
            self.gate.dropped(wire, number)
        return replaced

    # the host's life -----------------------------------------------------------------------------------------------

    def host_open(self, probation: bool, *, pulls: bool = True) -> None:
        """Loaded, wired and started; `pulls`: a source may be given credit."""
        self.recall.move("host_open")
        self.pulls = pulls
        self.blame.host_open(probation)
        self._choose_pace()
        if not probation:
            self.draining.review()

    def end_probation(self) -> None:
        """Every suspect of the host is done."""
        self.blame.end_probation()
        self._choose_pace()
        self.draining.review()

    def host_down(self, info: bytes) -> None:
        """The host is gone: its window is delivered again. A message that was alone in its turn is blamed."""
        guilty, lost = self.blame.is_guilty(), self.mailbox.window_messages
        told = self.recall.host_down()
        self.end_drain("fuse")
        self._take_back(REDELIVERED)
        self.blame.host_down(lost, guilty, info)
        self._outbox.clear()
        if told:
            self._recalled()

    # what the host did ---------------------------------------------------------------------------------------------

    def commit(  # one COMMIT entry of this slot
        self, consumed: int, handled: int, failed: int, pulled: int, sent: int, unwired: int, busy_us: int,
        fused: int, context: Mapping[bytes, bytes | None], errors: Sequence[Frame],
    ) -> None:  # fmt: skip
        """Apply this module's part of a transaction; the outputs are the actor's to deliver (before this)."""
        mailbox = self.mailbox
        self.handled += handled
        self.errors += failed
        self.sent += sent
        self.unwired += unwired
        self.busy_us += busy_us
        self.credit -= pulled
        self.source_turns += pulled
        self.fused += fused
        for key, value in context.items() if context else ():
            if value is None:
                self.context.pop(key, None)
            else:
                self.context[key] = value
        held = errors and any([self._take_error(error) for error in errors])
        if consumed:
            mailbox.consume(consumed)
            blame = self.blame
            if blame.suspects or blame.attempts or blame.deaths is not None:
                blame.acquit(consumed)
            if mailbox.over_high:
                mailbox.ease()
            if mailbox.dry is not None:
                self.draining.check()
        if held:
            self.blame.tried()
            self.stop("retry")

    def _take_error(self, frame: Frame) -> bool:
        """Whether the message is HELD: it stays at the head, and paused() decides."""
        info, message = frame.body[: frame.skip], frame.body[frame.skip :]
        if frame.flags & HELD:
            self.blame.hold(info)
            return True
        if frame.count == NO_INDEX:
            self.effects.append(Failed(message, None, "", info) if message else SourceFailed(info))
            return False
        index = frame.count
        for segment in self.mailbox.window:
            if index < segment.count:
                raw, headers = segment.message(index)
                self.effects.append(Failed(raw, headers, self.mailbox.wires[segment.wire].port, info))
                return False
            index -= segment.count
        raise RuntimeError(f"an ERROR for message {frame.count} of a window of {self.mailbox.window_messages}")

    def dead_letter(self) -> None:
        """A message that has failed is a dead letter: the actor has found no error port."""
        self.given_up += 1

    def not_wired(self, count: int) -> None:
        """Messages that were counted as sent have gone nowhere."""
        self.sent -= count
        self.unwired += count

    # replacement: a successor takes mailbox, context and accounts over ---------------------------------------------

    def move_to(self, successor: ModuleState) -> None:
        """Become the state of the actor whose own state was `successor`: its slot and link, nothing at its host."""
        if self.mailbox.window:
            raise RuntimeError(f"module slot {self.recall.slot}: handed over while the host has messages")
        self.recall.take_over(successor.recall)
        self.blame.take_over(successor.blame)
        self.gate.passed()
        self.pulls, self.credit, self._outbox = successor.pulls, 0, []
        self._choose_pace()

    def change_context(self, context: dict[bytes, bytes]) -> None:
        """Another version of the module has made this of ours; it may keep it."""
        self.context = dict(context)

    def check(self) -> None:
        """Assert the invariants (tests call it after every event)."""
        self.mailbox.check()
        assert self.single == (self.blame.probation or self.gate.singles)
        assert self.blame.suspects or not self.blame.probing, "nobody would hear that the probing is over"

    # accounts ------------------------------------------------------------------------------------------------------

    def accounts(self) -> dict[str, int]:
        """What is counted: accepted = completed + queued + dropped + dead_lettered; and the turns."""
        mailbox, fused, given_up = self.mailbox, self.fused, self.given_up
        return {
            "accepted": mailbox.accepted + fused, "completed": mailbox.done + fused - given_up,
            "dropped": mailbox.dropped, "dead_lettered": mailbox.discarded + given_up,
            **{name: getattr(self, name) for name in COUNTS},
        }  # fmt: skip

    def keep_accounts(self, accounts: Mapping[str, int]) -> None:
        """Go on, in a new state, from those of another life of the flow."""
        self.mailbox.keep_accounts(accounts)
        for name in COUNTS:
            setattr(self, name, accounts.get(name, 0))
