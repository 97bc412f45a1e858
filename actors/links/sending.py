"""The sending end of a wire to a module of another runner. To the module here it is a target like any other."""

from __future__ import annotations

from thespian.actors import ActorAddress

from actors.counted import counted
from actors.links import log
from actors.links.frames import Opened, PeerKind, pack
from actors.links.outbox import Outbox
from actors.messages.actor_to_itself import Flush
from actors.messages.flow_to_session import Attached
from actors.messages.link_to_owner import WireEmptied
from actors.messages.module_to_flow import FlowIdle
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.owner_to_link import EmptyWire, EndWire, StartSending
from actors.messages.peer_to_wire import Frame, PeerDown, PeerUp
from actors.messages.wire_to_peer import BreakPeer, JoinPeer, LeavePeer, PeerFrames
from actors.system.base import BaseActor
from runtimes.frames import ProtocolError

_ACK, _DATA = int(PeerKind.ACK), int(PeerKind.DATA)  # plain: an IntEnum's member costs more to look up
_new = tuple.__new__  # half the time of Frame(...)


class SendingActor(BaseActor):
    """Keeps what the other runner has not acknowledged, and holds its module when that is much."""

    serves_flow = True

    def receiveMsg_StartSending(self, message: StartSending, sender: ActorAddress) -> None:
        """Ask for the link."""
        self.owner, self.flow, self.runner, self.router = sender, message.flow, message.runner, message.router
        self.wire, self.epoch, self.may_drop = message.wire, message.epoch, message.delivery.may_drop
        self.outbox, self.activity = Outbox(message.window_bytes), message.activity
        self.module: ActorAddress | None = None
        self.channel = self.connection = 0  # while there is one
        self.held = self.holding = self.flushing = self.emptying = False
        self.dropped = 0
        self.send(self.router, JoinPeer(runner=self.runner, flow=self.flow, wire=self.wire, sending=True))

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        """The module is there (or its successor is), or has gone."""
        self.module = message.module
        if self.holding and self.module is not None:
            self.send(self.module, HoldWire(wire=self.wire))

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        """Messages for the other runner."""
        _, body, flags, skip, count, _ = message
        outbox = self.outbox
        if self.may_drop and outbox.is_full:
            self.dropped += count
            self._done(count)
            return
        outbox.put(body, flags, skip, count)
        if outbox.is_full:
            self._hold()
        if not self.flushing:
            self.flushing = True
            self.send(self.address, Flush())

    def receiveMsg_Flush(self, _message: Flush, _sender: ActorAddress) -> None:
        """What came at the same time goes together."""
        self.flushing = False
        self._send_on()

    def _send_on(self) -> None:
        if self.held:
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
        self.peer = sender
        self.channel, self.connection = message.channel, message.connection
        self._open()

    def _open(self) -> None:
        self.held = False
        body = pack(Opened(flow=self.flow, wire=self.wire, epoch=self.epoch))
        self._say(Frame(PeerKind.OPEN, self.channel, body, first=self.outbox.oldest))

    def receiveMsg_PeerDown(self, _message: PeerDown, _sender: ActorAddress) -> None:
        """It has gone: what was under way is sent again."""
        self.channel = self.connection = 0
        self.outbox.lost_connection()

    def receiveMsg_Frame(self, message: Frame, _sender: ActorAddress) -> None:
        """ACK, HOLD, RELEASE or AGAIN."""
        kind, first = message[0], message[6]
        if kind == _ACK:
            try:
                outbox = self.outbox
                done = outbox.acknowledged(first) if outbox.is_open else outbox.opened(first)
            except ProtocolError as error:
                self.send(self.peer, BreakPeer(connection=self.connection, reason=f"{self.flow}, {self.wire}: {error}"))
                return
            self._done(done)
            self._hold()
            self._tell_empty()
        elif kind == PeerKind.AGAIN:
            self.outbox.lost_connection()
            self._say(Frame(PeerKind.CLOSE, self.channel))
            self._open()
        else:
            self.held = kind == PeerKind.HOLD and not self.emptying
        self._send_on()

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

    def receiveMsg_EmptyWire(self, _message: EmptyWire, _sender: ActorAddress) -> None:
        """The other runner takes all, for it ends as well."""
        self.emptying, self.held = True, False
        self._send_on()
        self._tell_empty()

    def _tell_empty(self) -> None:
        if self.emptying and not self.outbox.waiting:
            self.emptying = False
            self.send(self.owner, WireEmptied(wire=self.wire))

    def receiveMsg_EndWire(self, _message: EndWire, _sender: ActorAddress) -> None:
        """The wire is no more."""
        if left := self.outbox.waiting:
            text = "%s: %s has ended with %s that %s has not acknowledged"
            log.warning(text, self.flow, self.wire, counted(left, "message"), self.runner)
        if self.channel:
            self._say(Frame(PeerKind.CLOSE, self.channel))
        self.send(self.router, LeavePeer(runner=self.runner, flow=self.flow, wire=self.wire, sending=True))
