"""The receiving end of a wire from another runner. To the module here it is a feeder like any other."""

from __future__ import annotations

from thespian.actors import ActorAddress

from actors.links.frames import Opened, PeerKind, read
from actors.links.inbox import Inbox
from actors.messages.actor_to_itself import Flush
from actors.messages.flow_to_session import Attached
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.owner_to_link import EndWire, StartReceiving
from actors.messages.peer_to_wire import Frame, PeerDown, PeerUp
from actors.messages.wire_to_peer import BreakPeer, JoinPeer, LeavePeer, PeerFrames
from actors.system.base import BaseActor
from runtimes.frames import ProtocolError

_DATA = int(PeerKind.DATA)  # plain: an IntEnum's member costs more to look up
_new = tuple.__new__  # half the time of Deliver(...)


class ReceivingActor(BaseActor):
    """Takes the next message only, and acknowledges what it has delivered."""

    serves_flow = True

    def receiveMsg_StartReceiving(self, message: StartReceiving, sender: ActorAddress) -> None:
        """Wait for the module."""
        self.owner, self.flow, self.wire = sender, message.flow, message.wire
        self.runner, self.router = message.runner, message.router
        self.inbox = Inbox()
        self.module: ActorAddress | None = None
        self.channel = self.connection = 0  # while there is one
        self.held = self.acknowledging = self.joined = False

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        """The module is there (or its successor is): now something may come."""
        if message.activity is None or message.module is None:
            return
        self.module, self.activity = message.module, message.activity
        if not self.joined:
            self.joined = True
            self.send(self.router, JoinPeer(runner=self.runner, flow=self.flow, wire=self.wire, sending=False))

    def receiveMsg_Frame(self, message: Frame, _sender: ActorAddress) -> None:
        """OPEN, DATA or CLOSE."""
        try:
            if message[0] == _DATA:
                self._take(message)
            elif message[0] == PeerKind.OPEN:
                self._opened(message)
            else:
                self._closed()
        except ProtocolError as error:
            reason = f"{self.flow}, {self.wire}: {error}"
            self.send(self.peer, BreakPeer(connection=self.connection, reason=reason))
            self._closed()

    def _take(self, frame: Frame) -> None:
        piece = self.inbox.take(frame)
        if piece is not None:
            body, flags, skip, count, first = piece
            self.activity.pending += count
            self.send(self.module, _new(Deliver, (self.wire, body, flags, skip, count, first)))
        if not self.acknowledging:
            self.acknowledging = True
            self.send(self.address, Flush())

    def receiveMsg_Flush(self, _message: Flush, _sender: ActorAddress) -> None:
        """What came at the same time is acknowledged together."""
        self.acknowledging = False
        self._acknowledge()

    def _acknowledge(self) -> None:
        if self.channel:
            assert self.inbox.wanted is not None
            self._say(Frame(PeerKind.ACK, self.channel, first=self.inbox.wanted))

    def _opened(self, frame: Frame) -> None:
        self.inbox.opened(read(Opened, frame).epoch, frame.first)
        self._acknowledge()
        if self.held:
            self._say(Frame(PeerKind.HOLD, self.channel))

    def receiveMsg_PeerUp(self, message: PeerUp, sender: ActorAddress) -> None:
        """The other runner has opened the wire."""
        self.peer = sender
        self.channel, self.connection = message.channel, message.connection

    def receiveMsg_PeerDown(self, _message: PeerDown, _sender: ActorAddress) -> None:
        """The connection has gone."""
        self._closed()

    def _closed(self) -> None:
        self.channel = self.connection = 0
        self.inbox.lost_connection()

    def receiveMsg_HoldWire(self, _message: HoldWire, _sender: ActorAddress) -> None:
        """The module is full: nothing more on this wire, others go on."""
        self._let(PeerKind.HOLD)

    def receiveMsg_ReleaseWire(self, _message: ReleaseWire, _sender: ActorAddress) -> None:
        """It has room again."""
        self._let(PeerKind.RELEASE)

    def _let(self, kind: PeerKind) -> None:
        self.held = kind is PeerKind.HOLD
        if self.channel:
            self._say(Frame(kind, self.channel))

    def _say(self, frame: Frame) -> None:
        self.send(self.peer, PeerFrames([frame], self.connection))

    def receiveMsg_EndWire(self, _message: EndWire, _sender: ActorAddress) -> None:
        """The wire is no more."""
        self._closed()
        if self.joined:
            self.send(self.router, LeavePeer(runner=self.runner, flow=self.flow, wire=self.wire, sending=False))
