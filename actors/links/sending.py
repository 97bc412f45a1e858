"""The sending end of a wire to a module of another runner. To the module here it is a target like any other.

Of a `disk` wire the module has written down what comes here; it leaves when that is durable, so nobody ever sees what
another turn might do differently after a crash. What has been acknowledged is noted.
"""

from __future__ import annotations

import time

from thespian.actors import ActorAddress, ActorExitRequest

from actors.counted import counted
from actors.links import log
from actors.links.crossed import Outgoing
from actors.links.figures import WireFigures
from actors.links.frames import FRESH, MAX_NUMBER, Opened, PeerKind, pack
from actors.links.notes import SendingNotes
from actors.links.outbox import Outbox
from actors.messages.actor_to_itself import Flush
from actors.messages.flow_to_module import AskOldest
from actors.messages.flow_to_session import Attached
from actors.messages.link_to_owner import TakenLost, WireEmptied, WireHandedOver
from actors.messages.module_to_flow import FlowIdle, OldestTold
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.owner_to_link import EmptyWire, EndWire, HandOverWire, NoteWire, StartSending
from actors.messages.peer_to_wire import Frame, PeerDown, PeerUp
from actors.messages.system_to_actor import QuietPoint
from actors.messages.wire_to_peer import BreakPeer, JoinPeer, LeavePeer, PeerFrames
from actors.system.base import BaseActor
from runtimes.frames import ProtocolError

MAX_AGAIN = 100  # on one connection: each has everything sent once more
_ACK, _DATA = int(PeerKind.ACK), int(PeerKind.DATA)  # plain: an IntEnum's member costs more to look up
_new = tuple.__new__  # half the time of Frame(...)


class SendingActor(BaseActor):
    """Keeps what the other runner has not acknowledged, and holds its module when that is much."""

    serves_flow = True

    def receiveMsg_StartSending(self, message: StartSending, sender: ActorAddress) -> None:
        """The link is asked for when there is something to send."""
        self.owner, self.flow, self.runner, self.router = sender, message.flow, message.runner, message.router
        self.wire, self.may_drop = message.wire, message.delivery.may_drop
        self.notes = None if message.journal is None else SendingNotes(message.journal, message.wire)
        before = message.before or Outgoing()
        self.epoch, self.new_epoch, self.activity = before.epoch, message.new_epoch, message.activity
        self.outbox = Outbox(message.window_bytes, before)
        self.known: int | None = before.next if before.known is None else before.known
        self._note()
        self.module: ActorAddress | None = None
        self.channel = self.connection = 0  # while there is one
        self.held_back = self.held = self.holding = self.flushing = self.emptying = self.joined = self.ended = False
        self.dropped = self.agains = 0
        if self.notes is not None:
            self.outbox.limit = before.next  # what has been there before is durable
        if not self.outbox.is_whole:
            self._renumber(before.next)
        if before.waiting or self.outbox.taken:  # what was taken may still be lost
            self._join()
            self.send(self.address, Flush())

    def _join(self) -> None:
        self.joined = True
        if not self.epoch:
            self._begin_epoch()
        box = self.outbox
        figures = lambda: WireFigures(box.next - box.waiting, box.waiting, box.waiting_bytes)  # noqa: E731
        join = JoinPeer(runner=self.runner, flow=self.flow, wire=self.wire, sending=True, figures=figures)
        self.send(self.router, join)

    def _begin_epoch(self) -> None:
        self.epoch = self.new_epoch()
        self._note()

    def _note(self) -> None:
        if self.notes is not None and self.epoch:
            self.notes.end(Outgoing(self.epoch, known=self.known))

    def _renumber(self, following: int) -> None:
        """The module has more messages behind it than were sent here: it goes on with its number."""
        self.outbox.renumber(following)
        if self.notes is not None:
            self.notes.rewrite(self.outbox)
        if self.epoch:
            self._begin_epoch()
            self._reopen()

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        """The module is there (or its successor is), or has gone."""
        self.module = message.module
        if self.holding and self.module is not None:
            self.send(self.module, HoldWire(wire=self.wire))
        self._hold()

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        """Messages for the other runner."""
        if self.ended:
            self._done(message.count)
            return
        _, body, flags, skip, count, first = message
        outbox = self.outbox
        if self.may_drop and outbox.is_full:
            self.dropped += count
            self._done(count)
            return
        if self.notes is not None and first > outbox.next:
            self._renumber(first)
        outbox.put(body, flags, skip, count, time.monotonic())
        if outbox.is_full:
            self._hold()
        if not self.flushing:
            self.flushing = True
            self.send(self.address, Flush())

    def receiveMsg_Flush(self, _message: Flush, _sender: ActorAddress) -> None:
        """What came at the same time goes together."""
        self.flushing = False
        if self.ended:
            return
        if not self.joined and self.outbox.waiting:
            self._join()
        if self.notes is None:
            self._send_on()
        else:
            epoch, through = self.epoch, self.outbox.next

            def durable() -> None:
                if epoch == self.epoch:
                    self.outbox.limit = through
                    self._send_on()

            self.notes.when_durable(durable)

    def _send_on(self) -> None:
        if (self.held or self.held_back) and not self.emptying:
            return
        if self.ended or (self.notes is not None and self.notes.confirming):
            return
        channel = self.channel
        frames = [
            _new(Frame, (_DATA, channel, body, flags, skip, count, first))
            for body, flags, skip, count, first in self.outbox.take()
        ]
        if frames:
            self.send(self.peer, PeerFrames(frames, self.connection))

    # what the other runner says ------------------------------------------------------------------------------------

    def receiveMsg_PeerUp(self, message: PeerUp, sender: ActorAddress) -> None:
        """There is a connection: offer the wire."""
        if self.ended:
            return
        self.peer = sender
        self.channel, self.connection, self.agains = message.channel, message.connection, 0
        self._open()

    def _reopen(self) -> None:
        self.outbox.lost_connection()
        if self.channel:
            self._say(Frame(PeerKind.CLOSE, self.channel))
            self._open()

    def _open(self) -> None:
        self.held = False
        outbox = self.outbox
        known = outbox.next if self.known is None else self.known
        opened = Opened(flow=self.flow, wire=self.wire, epoch=self.epoch, known=known, taken=outbox.taken)
        self._say(Frame(PeerKind.OPEN, self.channel, pack(opened), first=outbox.oldest))

    def receiveMsg_PeerDown(self, _message: PeerDown, _sender: ActorAddress) -> None:
        """It has gone: what was under way is sent again."""
        self.channel = self.connection = 0
        self.outbox.lost_connection()

    def receiveMsg_Frame(self, message: Frame, _sender: ActorAddress) -> None:
        """ACK, HOLD, RELEASE or AGAIN."""
        if self.ended:
            return
        kind, first = message[0], message[6]
        if kind == _ACK:
            try:
                outbox = self.outbox
                if message[3] & FRESH and not outbox.is_open and (lost := outbox.forgotten()):
                    self.send(self.owner, TakenLost(wire=self.wire, runner=self.runner, count=lost))
                done = outbox.acknowledged(first) if outbox.is_open else outbox.opened(first)
            except ProtocolError as error:
                self._break(str(error))
                return
            if done and self.notes is not None:
                self.notes.acknowledged(first)
            if self.known is not None:
                self.known = None  # it has not seen more than there is
                if self.notes is not None:
                    self.notes.confirm(Outgoing(self.epoch), self._send_on)
            self._done(done)
            self._hold()
            self._tell_empty()
        elif kind == PeerKind.FINISHED:
            self.outbox.has_finished(first)
        elif kind == PeerKind.AGAIN:
            self.agains += 1
            if self.agains > MAX_AGAIN:
                self._break(f"it has asked for everything again {MAX_AGAIN} times")
                return
            self._reopen()
        else:
            self.held = kind == PeerKind.HOLD
        self._send_on()

    def receiveMsg_AskOldest(self, message: AskOldest, sender: ActorAddress) -> None:
        """Of what has not been acknowledged."""
        self.send(sender, OldestTold(number=message.number, arrived=self.outbox.arrived))

    def _break(self, reason: str) -> None:
        self.send(self.peer, BreakPeer(connection=self.connection, reason=f"{self.flow}, {self.wire}: {reason}"))

    def _say(self, frame: Frame) -> None:
        self.send(self.peer, PeerFrames([frame], self.connection))

    def _done(self, count: int) -> None:
        if count:
            self.activity.pending -= count
            if self.activity.idle:
                self.send(self.owner, FlowIdle(flow=self.flow))

    def _hold(self) -> None:
        """Hold the module or let it go on. A wire that may drop holds nobody."""
        full = not self.outbox.has_room if self.holding else self.outbox.is_full
        if full != self.holding and not self.may_drop:
            self.holding = full
            if self.module is not None:
                self.send(self.module, HoldWire(wire=self.wire) if full else ReleaseWire(wire=self.wire))

    def receiveMsg_EmptyWire(self, message: EmptyWire, _sender: ActorAddress) -> None:
        """The other runner takes all, however full it is."""
        self.emptying, self.held_back = True, message.hold
        self._send_on()
        self._tell_empty()

    def _tell_empty(self) -> None:
        if self.emptying and not self.outbox.waiting:
            self.emptying = False
            self.send(self.owner, WireEmptied(wire=self.wire))

    # its end, and what it leaves -------------------------------------------------------------------------------------

    def receiveMsg_NoteWire(self, message: NoteWire, _sender: ActorAddress) -> None:
        """Its class may be another one, and nothing of it is written."""
        if self.notes is not None:
            self.notes.forget()
        self.may_drop, self.outbox.limit = message.delivery.may_drop, MAX_NUMBER
        self.notes = None if message.journal is None else SendingNotes(message.journal, self.wire)
        if self.notes is not None:
            self.known = MAX_NUMBER  # what was before was not durable: the other end may well have more
            if self.epoch:
                self._note()
            else:
                self._begin_epoch()
            self.notes.rewrite(self.outbox)
        self.receiveMsg_Flush(Flush(), self.address)

    def receiveMsg_HandOverWire(self, message: HandOverWire, sender: ActorAddress) -> None:
        """Whoever has it after this one sends the rest."""
        outbox = self.outbox
        state = Outgoing(self.epoch, outbox.next, outbox.finished, outbox.everything(), self.known)
        if not message.stays:
            self.outbox, self.notes = Outbox(outbox.window_bytes), None
            self._leave()
        self.send(sender, WireHandedOver(wire=self.wire, state=state))

    def receiveMsg_EndWire(self, message: EndWire, _sender: ActorAddress) -> None:
        """The wire is no more, or another end has it."""
        if left := self.outbox.waiting:
            text = "%s: %s has ended with %s that %s has not acknowledged"
            log.warning(text, self.flow, self.wire, counted(left, "message"), self.runner)
        if self.notes is not None and message.forget:
            self.notes.forget()
        self._leave()
        self.ended = True
        self.system.ask_quiet_point(self.address)

    def receiveMsg_QuietPoint(self, _message: QuietPoint, _sender: ActorAddress) -> None:
        """Nothing for it is under way any more."""
        self.send(self.address, ActorExitRequest())

    def _leave(self) -> None:
        if self.channel:
            self._say(Frame(PeerKind.CLOSE, self.channel))
        if self.joined:
            self.send(self.router, LeavePeer(runner=self.runner, flow=self.flow, wire=self.wire, sending=True))
        self.channel = self.connection = 0
        self.joined = False
