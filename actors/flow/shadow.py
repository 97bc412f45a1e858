"""The Shadow actor: another version of a module gets the messages of the one that runs, in a host beside the flow.

The running version does them once more, too, in a second host: that says which message has sent what, and whether it
would say the same again. Nothing that either sends goes anywhere but here. What comes faster than they work is bounded.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import orjson
from thespian.actors import ActorAddress, ActorExitRequest, ChildActorExited, WakeupMessage

from actors.host.rehearsal import RehearsalActor
from actors.host.trial import change_context
from actors.messages import flow_to_shadow as from_flow
from actors.messages.flow_to_session import Attached
from actors.messages.flow_to_trial import EndTrial
from actors.messages.module_to_flow import FlowIdle
from actors.messages.module_to_module import Deliver
from actors.messages.module_to_shadow import TurnsSeen, WitnessBegun
from actors.messages.rehearsal_to_shadow import MessagePlayed, RehearsalBegun, RehearsalOver
from actors.messages.runner_to_client import Progress
from actors.messages.shadow_to_flow import ShadowEnded, ShadowReady
from actors.messages.shadow_to_rehearsal import BeginRehearsal, PlayMessages
from actors.messages.trial_to_flow import TrialClosed, TrialEnded
from actors.state.comparison import Comparison, Played, Unit
from actors.state.segment import Handled
from actors.system.base import BaseActor
from runtimes.frames import HEADERS, TURN_FLAG, Frame, Kind, join, split

MAX_BEHIND = 8192  # messages that wait for the slower of the two
MAX_BEHIND_BYTES = 4 << 20
PROGRESS_S = 1.0
SHOWN_EACH = 1000


class _Side:
    """One of the two versions: its actor, its context, and what it has made of messages that are not compared yet."""

    def __init__(self, actor: ActorAddress) -> None:
        self.actor = actor
        self.context: dict[bytes, bytes] = {}
        self.played: deque[Played] = deque()
        self.is_over = self.is_closed = False


class ShadowActor(BaseActor):
    """One per request of shadowModule; a child of the flow."""

    serves_flow = True

    def receiveMsg_StartShadow(self, message: from_flow.StartShadow, sender: ActorAddress) -> None:
        """Load both versions, each in a host of its own."""
        self.owner, self.flow, self.asked = sender, message.flow, message
        self.comparison = Comparison(
            message.ports if message.recent is None else frozenset(), message.messages, message.shows_all
        )
        self.now, self.new = (_Side(self.createActor(RehearsalActor)) for _ in range(2))
        self.send(self.now.actor, message.now)
        self.send(self.new.actor, message.new)
        self.waits = 2  # answers that are still to come before the next step
        self.errors: tuple[str, ...] = ()
        self.channels = {wire: channel for channel, (_, wire) in enumerate(message.new.wires_in)}
        self.by_port = {port: channel for channel, (port, _) in enumerate(message.new.wires_in)}
        self.sent: dict[str, list[bytes]] = {}  # by the running version, since the last commit that was seen
        self.units: deque[Unit] = deque()
        self.behind = self.behind_bytes = self.missed = 0
        self.takes, self.is_ending, self.why = True, False, ""

    def _of(self, actor: ActorAddress) -> _Side:
        return self.now if actor == self.now.actor else self.new

    # before the first message --------------------------------------------------------------------------------------

    def receiveMsg_TrialEnded(self, message: TrialEnded, sender: ActorAddress) -> None:
        """One is loaded, or cannot be."""
        if message.errors:
            self._fail(message.errors, sender)
            return
        self.waits -= 1
        if self.waits or self.is_ending:
            return
        if not self.takes:
            self._end()
        elif self.asked.recent is None:
            self.send(self.owner, ShadowReady(number=self.asked.number))
        else:
            self._begin(self.asked.recent[1])

    def _fail(self, errors: tuple[str, ...], sender: ActorAddress) -> None:
        whose = "" if sender == self.new.actor else "the version that runs, once more: "
        self.errors += tuple(f"{whose}{error}" for error in errors)
        self._end()

    def _begin(self, context: dict[bytes, bytes]) -> None:
        self.waits = 2
        self.send(self.now.actor, BeginRehearsal(context=context, from_version=None))
        self.send(self.new.actor, BeginRehearsal(context=context, from_version=self.asked.migrates_from))

    def receiveMsg_WitnessBegun(self, message: WitnessBegun, _sender: ActorAddress) -> None:
        """What is seen from here on begins with this context."""
        self.sent = {}
        self.wakeupAfter(self.asked.timeout_s, self._time_up)
        self.wakeupAfter(PROGRESS_S, self._say)
        self._begin(message.context)

    def receiveMsg_RehearsalBegun(self, message: RehearsalBegun, sender: ActorAddress) -> None:
        """One takes messages, or has failed."""
        if message.error is not None:
            self._fail((message.error,), sender)
            return
        self._of(sender).context = message.context
        self.waits -= 1
        if self.waits or self.is_ending:
            return
        if self.asked.recent is not None:
            messages = self.asked.recent[0][-self.asked.messages :]
            for one in messages:
                self._take(Unit([one], is_known=False))
            self.takes = False
        else:
            for unit in self.units:  # that came meanwhile
                self._play(unit)
        self._compare()

    # messages ------------------------------------------------------------------------------------------------------

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        """The module is there, and we get what it sends."""
        assert message.activity is not None
        self.activity = message.activity

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        """What leaves a port; TurnsSeen says of which messages."""
        self.activity.pending -= message.count
        if self.activity.idle:
            self.send(self.owner, FlowIdle(flow=self.flow))
        if self.takes:
            port = message.wire.partition("->")[0].partition(".")[2]
            bodies, _ = split(message.body, message.flags & HEADERS)
            self.sent.setdefault(port, []).extend(bodies[message.skip : message.skip + message.count])

    def receiveMsg_TurnsSeen(self, message: TurnsSeen, _sender: ActorAddress) -> None:
        """A commit of the running version."""
        sent, self.sent = self.sent, {}
        if not self.takes:
            return
        self.missed += message.given_up
        if not message.inputs:
            return
        placed = self.asked.now.trial.placed
        errors = {at: placed(self.asked.module, orjson.loads(info)["error"]) for at, info in message.errors.items()}
        self._take(Unit(message.inputs, sent, errors, is_known=not message.unasked))
        if self.behind > MAX_BEHIND or self.behind_bytes > MAX_BEHIND_BYTES:
            self._finish(f"it cannot keep up: {self.behind:,} messages wait for it")
        elif self.comparison.count + self.behind >= self.asked.messages:
            self._finish("")

    def _take(self, unit: Unit) -> None:
        self.units.append(unit)
        self.behind += len(unit.inputs)
        self.behind_bytes += sum(len(one[2]) for one in unit.inputs)
        if not self.waits:
            self._play(unit)

    def _play(self, unit: Unit) -> None:
        frames = [self._frame(number, one) for number, one in enumerate(unit.inputs)]
        for side in (self.now, self.new):
            self.send(side.actor, PlayMessages(frames=frames))

    def _frame(self, number: int, given: Handled) -> Frame:
        wire, port, message, headers = given
        channel = self.channels.get(wire, self.by_port.get(port, 0))
        flags = TURN_FLAG | (0 if headers is None else HEADERS)
        body = join([message], None if headers is None else [headers])
        return Frame(Kind.DATA, channel, body, flags, 0, 1, number)

    def receiveMsg_MessagePlayed(self, message: MessagePlayed, sender: ActorAddress) -> None:
        """One of the two has done its next one."""
        side = self._of(sender)
        side.played.append(Played(message.outputs, message.error))
        change_context(side.context, message.context)
        self._compare()

    def receiveMsg_RehearsalOver(self, message: RehearsalOver, sender: ActorAddress) -> None:
        """A host has died, at a message or between two."""
        side = self._of(sender)
        side.is_over = True
        if self.is_ending or self.waits:
            return  # whoever waits for an answer gets that it will not come
        if side is self.new and self.units:
            side.played.append(Played({}, {"type": "HostDied", "message": f"the host ended: {message.why}"}))
            self.why = "the new version's host has ended"
        else:
            self.why = f"the host of the version that runs, done once more, has ended: {message.why}"
        self.takes = False
        self._compare()

    def _compare(self) -> None:
        now, new = self.now, self.new
        while self.units and not self.is_ending:
            count = len(self.units[0].inputs)
            if len(now.played) < count or (len(new.played) < count and not new.is_over):
                break
            unit = self.units.popleft()
            again = [now.played.popleft() for _ in range(count)]
            self.comparison.add(unit, again, [new.played.popleft() for _ in range(min(count, len(new.played)))])
            self.behind -= count
            self.behind_bytes -= sum(len(one[2]) for one in unit.inputs)
        if not self.takes and (not self.units or now.is_over or (new.is_over and not new.played)):
            self._end()

    # the end -------------------------------------------------------------------------------------------------------

    def receiveMsg_FinishShadow(self, message: from_flow.FinishShadow, _sender: ActorAddress) -> None:
        """Take nothing more; what has come is still compared."""
        self._finish(message.why)
        if not self.waits:
            self._compare()

    def _finish(self, why: str) -> None:
        if self.takes:
            self.takes, self.why = False, why

    def _time_up(self) -> None:
        if self.takes:
            self._finish(f"no more have come within {self.asked.timeout_s:g} s")
            self._compare()

    def _say(self) -> None:
        if not self.is_ending:
            self.send(self.asked.client, Progress(request_id=self.asked.request_id, text=self.comparison.words()))
            self.wakeupAfter(PROGRESS_S, self._say)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """Of one of our own timers."""
        message.payload()

    def _end(self) -> None:
        if not self.is_ending:
            self.is_ending, self.takes = True, False
            for side in (self.now, self.new):
                self.send(side.actor, EndTrial())

    def receiveMsg_TrialClosed(self, _message: TrialClosed, sender: ActorAddress) -> None:
        """One host is gone; with the other one it is over."""
        self._of(sender).is_closed = True
        if self.now.is_closed and self.new.is_closed:
            value = None if self.errors else self._value()
            self.send(self.owner, ShadowEnded(number=self.asked.number, errors=self.errors, value=value))

    def _value(self) -> dict[str, Any]:
        comparison = self.comparison
        value = comparison.summary() | {
            "missed": self.missed,
            "context": comparison.contexts(self.now.context, self.new.context),
            "live": self.asked.recent is None,
            "ended": self.why,
        }
        return value | ({"each": comparison.each} if len(comparison.each) <= SHOWN_EACH else {})

    def receiveMsg_ChildActorExited(self, _message: ChildActorExited, _sender: ActorAddress) -> None:
        """A rehearsal that was ended."""

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """The flow has no use for us any more; the rehearsals end with us."""
        for side in (self.now, self.new):
            if not side.is_closed:
                self.send(side.actor, ActorExitRequest())
