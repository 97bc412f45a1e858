"""ModuleState against a model of a host that keeps to the protocol, under random schedules."""

from __future__ import annotations

from collections import deque

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.definition.deliveries import LOSSY
from actors.definition.hosting import WireIn
from actors.state import mailbox
from actors.state.effects import Drained, Failed, HoldsChanged, Probed, RetryLater, Stopped
from actors.state.module import ModuleState
from actors.state.recall import Link
from runtimes.frames import HELD, REDELIVERED, Frame, Kind, join

WIRES = {"a": WireIn(0), "b": WireIn(1), "lossy": WireIn(2, delivery=LOSSY)}
NAMES = list(WIRES)
PERMANENT = b"PermanentError"


class Host(RuleBasedStateMachine):
    """The other side: takes frames, commits prefixes, answers PAUSE, dies. Every message is [wire, number, good]."""

    high_messages = mailbox.MAILBOX_HIGH_MESSAGES

    @initialize(retry=st.sampled_from([None, 0, 2]), announce=st.booleans())
    def begin(self, retry: int | None, announce: bool) -> None:
        mailbox.MAILBOX_HIGH_MESSAGES = 16  # reached in a few steps
        self.state = ModuleState()
        self.state.configure(
            slot=7, wires=WIRES, retry_times=retry, announce=announce, window_messages=1 if announce else 1024
        )
        self.retry = retry
        self.numbers = dict.fromkeys(NAMES, 0)
        self.inbox: deque[tuple[str, int, bool]] = deque()
        self.pausing = 0
        self.discarding = False
        self.done: dict[str, list[int]] = {name: [] for name in NAMES}
        self.failed: list[tuple[str, int]] = []
        self.dropped: set[tuple[str, int]] = set()
        self.holds: set[str] = set()
        self.draining_told = False
        self.suspects_left = 0
        self.state.go_on("flow")
        self.up(probation=False)

    def up(self, probation: bool) -> None:
        self.state.recall.move("host_up")
        probation = probation and self.state.blame.suspects > 0
        self.state.host_open(probation)
        self.suspects_left = self.state.blame.suspects
        self.probation = probation
        if not probation:
            self.state.blame.acquit(self.state.blame.suspects)
        self.act()

    def act(self) -> None:
        """What the actor does after each event."""
        for _ in range(2):
            for effect in self.state.take_effects():
                self.perform(effect)
            for frame in self.state.fill():
                self.take(frame)
        self.state.check()

    def perform(self, effect: object) -> None:
        match effect:
            case HoldsChanged():
                self.holds = {wire for wire in NAMES if self.state.mailbox.must_hold(wire)}
            case Failed(message):
                wire, number, _ = orjson.loads(message)
                self.failed.append((wire, number))
                if (
                    not self.done[wire] or number > self.done[wire][-1]
                ):  # given up by the state; else the host has counted it in order
                    self.done[wire].append(number)
            case Drained(reason):
                assert reason == self.state.draining.reason
                assert not self.state.mailbox.window and not self.state.mailbox.ready
                self.draining_told = True
            case Probed(left):
                self.suspects_left = left
                if left:
                    self.state.blame.probe()
                else:
                    self.probation = False
                    self.state.end_probation()
            case RetryLater(_, info):
                assert PERMANENT not in info
            case Stopped():
                pass

    def take(self, frame: Frame) -> None:
        if frame.kind == Kind.DATA:
            assert not self.pausing, "DATA between PAUSE and PAUSED"
            messages = orjson.loads(frame.body)[frame.skip : frame.skip + frame.count]
            assert len(messages) == frame.count
            assert messages[0][1] == frame.first
            assert NAMES[frame.slot] == messages[0][0]
            if not self.discarding:
                self.inbox.extend(tuple(message) for message in messages)
        elif frame.kind == Kind.PAUSE:
            self.pausing += 1
            assert self.pausing == 1

    # events

    @rule(wire=st.sampled_from(NAMES), count=st.integers(1, 5), skip=st.integers(0, 2), bad=st.integers(0, 9))
    def deliver(self, wire: str, count: int, skip: int, bad: int) -> None:
        first = self.numbers[wire]
        items = [orjson.dumps([wire, first + i, i != bad]) for i in range(count)]
        body = join([b'["skipped",0,true]'] * skip + items)
        before = self.state.mailbox.dropped
        self.state.mailbox.deliver(wire, body, 0, skip, count, first, 0.0)
        if self.state.mailbox.dropped > before:
            self.dropped |= {(wire, first + i) for i in range(count)}
        self.numbers[wire] += count
        self.act()

    @precondition(lambda self: self.inbox)
    @rule(share=st.floats(0, 1))
    def commit(self, share: float) -> None:
        """The host ends some turns; a bad message fails (is HELD with retry)."""
        count = max(1, int(len(self.inbox) * share))
        consumed, errors, handled = 0, [], 0
        finished: list[tuple[str, int]] = []
        for _ in range(count):
            wire, number, good = self.inbox[0]
            handled += 1
            if not good and self.retry is not None:
                info = b'{"error":{"type":"%s","message":"m"}}' % (PERMANENT if number % 2 else b"E")
                errors.append(Frame(Kind.ERROR, 7, info, HELD, len(info), consumed, number))
                self.inbox.clear()
                self.discarding = True
                break
            if not good:
                info = b'{"error":{"type":"E","message":"m"}}'
                errors.append(Frame(Kind.ERROR, 7, info, 0, len(info), consumed, number))
            finished.append((wire, number))
            self.inbox.popleft()
            consumed += 1
        for wire, number in finished:
            self.done[wire].append(number)
        self.state.commit(
            consumed=consumed, handled=handled, failed=len(errors), pulled=0, sent=0, unwired=0, busy_us=1, fused=0,
            context={}, errors=errors,
        )  # fmt: skip
        self.act()

    @precondition(lambda self: self.pausing)
    @rule()
    def answer_pause(self) -> None:
        self.pausing = 0
        self.inbox.clear()
        self.discarding = False
        self.state.paused()
        self.act()

    @rule()
    def retry_due(self) -> None:
        if "retry" in self.state.recall.stops and not self.pausing and not self.discarding:
            self.state.go_on("retry")
            self.act()

    @rule(reason=st.sampled_from(["target", "flow"]), tell=st.booleans())
    def stop(self, reason: str, tell: bool) -> None:
        self.state.stop(reason, tell=tell)
        self.act()

    @rule(reason=st.sampled_from(["target", "flow"]))
    def go_on(self, reason: str) -> None:
        self.state.go_on(reason)
        self.act()

    @rule(turn=st.booleans())
    def die(self, turn: bool) -> None:
        if turn and self.state.mailbox.window:
            self.state.blame.turn()
        self.inbox.clear()
        self.pausing, self.discarding = 0, False
        self.state.host_down(b'{"error":{"type":"HostDied","message":"m"}}')
        assert all(
            s.flags & REDELIVERED for s in list(self.state.mailbox.ready)[: 1 if self.state.blame.suspects else 0]
        )
        self.act()
        assert self.state.recall.link is Link.ABSENT
        self.up(probation=True)
        if self.probation:
            self.state.blame.probe()
            self.act()

    @precondition(lambda self: self.state.mailbox.dry is None)
    @rule(wires=st.sets(st.sampled_from(NAMES)), reason=st.sampled_from(["fuse", "update"]))
    def drain(self, wires: set[str], reason: str) -> None:
        if reason == "fuse" and self.probation:
            return
        self.draining_told = False
        self.state.drain(frozenset(wires), reason)
        self.act()
        if reason == "update":
            assert not self.draining_told
            self.state.draining.ask()
            self.act()

    @precondition(lambda self: self.state.draining.reason == "update" and not self.state.mailbox.window)
    @rule(died=st.booleans())
    def replace(self, died: bool) -> None:
        """Another version goes on from this state, in another slot, after a drain or a kill."""
        old = self.state
        if old.recall.link is Link.RECALLING or (old.blame.suspects and not died):
            return
        successor = ModuleState()
        successor.configure(slot=8, wires={})
        successor.recall.move("host_up")
        old.move_to(successor)
        old.configure(
            slot=8, wires=WIRES, retry_times=self.retry, announce=old.blame.announce,
            window_messages=old.mailbox.most,
        )  # fmt: skip
        assert "flow" in old.recall.stops
        self.inbox.clear()
        self.discarding = False
        old.host_open(False)
        self.probation = False
        self.suspects_left = 0
        self.act()
        assert not self.inbox, "a message went out before the switch was over"
        old.go_on("flow")
        old.end_drain("update")
        self.act()

    @rule()
    def end_drain(self) -> None:
        self.state.end_drain(self.state.draining.reason)
        self.act()

    @invariant()
    def order_and_once(self) -> None:
        if not hasattr(self, "state"):
            return
        self.state.check()
        assert self.state.mailbox.over_high or not self.holds
        for wire in NAMES:
            expected = [n for n in range(self.numbers[wire]) if (wire, n) not in self.dropped]
            assert self.done[wire] == expected[: len(self.done[wire])], wire

    def teardown(self) -> None:
        """In the end everything comes through."""
        mailbox.MAILBOX_HIGH_MESSAGES = self.high_messages
        if not hasattr(self, "state"):
            return
        state = self.state
        state.end_drain(state.draining.reason)
        for reason in list(state.recall.stops - {"retry"}):
            state.go_on(reason)
        self.act()
        for _ in range(100_000):
            if not state.mailbox.queued:
                break
            if self.pausing:
                self.answer_pause()
            elif "retry" in state.recall.stops:
                self.retry_due()
            elif self.inbox:
                self.commit(1.0)
            else:
                self.act()
                assert self.inbox or self.pausing, f"stuck {vars(state)} {vars(self)}"
        assert not state.mailbox.queued
        self.order_and_once()


TestModuleState = Host.TestCase
TestModuleState.settings = settings(max_examples=100, stateful_step_count=40)
