"""The receiving end of a wire from another runner. To the module here it is a feeder like any other.

Of a `disk` wire it writes down what comes and which number it wants next, in one; it acknowledges what is durable.
"""

from __future__ import annotations

from functools import partial

import msgspec
from thespian.actors import ActorAddress, ActorExitRequest

from actors.counted import counted
from actors.links.crossed import Incoming, receiving_key
from actors.links.figures import WireFigures
from actors.links.frames import FRESH, Opened, PeerKind, read
from actors.links.inbox import Inbox
from actors.messages.actor_to_itself import Flush
from actors.messages.flow_to_session import Attached
from actors.messages.link_to_owner import FinishWanted, FoundOlder, WireHandedOver
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.owner_to_link import EndWire, HandOverWire, MarkTaken, NoteWire, StartReceiving, TellFinished
from actors.messages.peer_to_wire import Frame, PeerDown, PeerUp
from actors.messages.system_to_actor import QuietPoint
from actors.messages.wire_to_peer import BreakPeer, JoinPeer, LeavePeer, PeerFrames
from actors.system.base import BaseActor
from runtimes.frames import ProtocolError

MAX_BEYOND_HOLD_BYTES = 64 << 20  # more than a window and what a turn may add to it
_DATA = int(PeerKind.DATA)  # plain: an IntEnum's member costs more to look up
_new = tuple.__new__  # half the time of Deliver(...)


class ReceivingActor(BaseActor):
    """Takes the next message only, and acknowledges what it has delivered."""

    serves_flow = True

    def receiveMsg_StartReceiving(self, message: StartReceiving, sender: ActorAddress) -> None:
        """Wait for the module."""
        self.owner, self.flow, self.wire = sender, message.flow, message.wire
        self.runner, self.router = message.runner, message.router
        self.inbox, self.journal = Inbox(message.number, message.before), message.journal
        self.accept_loss, self.is_older = message.accept_loss, False
        self.safe = self.inbox.wanted  # acknowledged, or about to be
        self.module: ActorAddress | None = None
        self.channel = self.connection = 0  # while there is one
        self.held = self.acknowledging = self.joined = self.ended = False
        self.marked: tuple[int, int] | None = None  # epoch, and what was wanted when the flow asked for a mark
        self.asking = False  # when what was taken is finished
        self.beyond_bytes = 0  # taken since it was held

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        """The module is there (or its successor is): now something may come."""
        if message.activity is None or message.module is None:
            return
        self.module, self.activity = message.module, message.activity
        if not self.joined:
            self.joined = True
            figures = lambda: WireFigures(self.inbox.wanted or 0)  # noqa: E731
            join = JoinPeer(runner=self.runner, flow=self.flow, wire=self.wire, sending=False, figures=figures)
            self.send(self.router, join)

    def receiveMsg_Frame(self, message: Frame, _sender: ActorAddress) -> None:
        """OPEN, DATA or CLOSE."""
        if self.ended:
            return
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
        if self.held:
            self.beyond_bytes += len(frame[2])
            if self.beyond_bytes > MAX_BEYOND_HOLD_BYTES:
                raise ProtocolError("it was held, and sends on")
        piece = self.inbox.take(frame)
        if piece is not None:
            body, flags, skip, count, first = piece
            if self.journal is not None:
                self.journal.sent(self.wire, body, flags, skip, count, first)
                self.journal.fact_later(receiving_key(self.wire), self._fact)
            self._ask()
            self.activity.pending += count
            self.send(self.module, _new(Deliver, (self.wire, body, flags, skip, count, first)))
        if not self.acknowledging:
            self.acknowledging = True
            self.send(self.address, Flush())

    def _ask(self) -> None:
        if not self.asking and self.journal is None:
            self.asking = True
            self.send(self.owner, FinishWanted())

    def receiveMsg_Flush(self, _message: Flush, _sender: ActorAddress) -> None:
        """What came at the same time is acknowledged together."""
        self.acknowledging = False
        if self.ended:
            return
        if self.journal is None:
            self._is_safe(self.inbox.epoch, self.inbox.wanted)
        else:
            self.journal.when_durable(partial(self._is_safe, self.inbox.epoch, self.inbox.wanted))

    def _is_safe(self, epoch: int, wanted: int | None) -> None:
        if epoch == self.inbox.epoch:
            self.safe = wanted
            self._acknowledge()

    def _acknowledge(self, flags: int = 0) -> None:
        if self.channel and self.inbox.is_open:
            assert self.safe is not None
            self._say(Frame(PeerKind.ACK, self.channel, flags=flags, first=self.safe))

    def _opened(self, frame: Frame) -> None:
        opened, fresh = read(Opened, frame), self.inbox.wanted is None
        if self._has_gone_back(opened, frame.first):
            if not self.accept_loss:
                return
            self.inbox.begin_anew()
        epoch = self.inbox.epoch
        wanted = self.inbox.opened(opened.epoch, frame.first)
        if self.safe is None or epoch != self.inbox.epoch:
            self.safe = wanted
        if self.held:  # before it is told to send
            self._say(Frame(PeerKind.HOLD, self.channel))
        self._acknowledge(FRESH if fresh else 0)
        if opened.taken:
            self._ask()

    def _has_gone_back(self, opened: Opened, oldest: int) -> bool:
        """Whether one of the runners has lost what it had written down; the owner is told once."""
        here, there = f"{self.flow}: {self.wire}: ", self.runner
        if self.journal is None and self.inbox.wanted is None:
            return False  # the sender says what was lost
        if missing := self.inbox.missing(opened.epoch, oldest, opened.taken):
            words = f"{here}this runner has acknowledged {counted(missing, 'message')} of {there} that it does not have"
        elif (self.journal is not None or opened.epoch == self.inbox.epoch) and (
            beyond := self.inbox.beyond(opened.known)
        ):  # of a sender that keeps nothing another epoch is enough
            words = f"{here}{there} has sent {counted(beyond, 'message')} that it does not know any more"
        else:
            return False
        if not self.is_older:
            self.is_older = True
            self.send(self.owner, FoundOlder(wire=self.wire, words=words))
        return True

    def _fact(self) -> bytes | None:
        state = self._state()
        return None if state is None else msgspec.msgpack.encode(state.fact)

    def _state(self) -> Incoming | None:
        state = self.inbox.state
        return None if state is None else state.of(self.runner)

    def receiveMsg_MarkTaken(self, _message: MarkTaken, _sender: ActorAddress) -> None:
        """The flow finds out when it is finished."""
        if self.inbox.wanted is not None:
            self.marked = self.inbox.epoch, self.inbox.wanted

    def receiveMsg_TellFinished(self, _message: TellFinished, _sender: ActorAddress) -> None:
        """The sender is told; of what has come since, the flow is asked again."""
        marked, self.marked, self.asking = self.marked, None, False
        if marked is None or marked[0] != self.inbox.epoch:
            return
        if self.channel and self.inbox.is_open:
            self._say(Frame(PeerKind.FINISHED, self.channel, first=marked[1]))
        if marked[1] != self.inbox.wanted:
            self._ask()

    def receiveMsg_PeerUp(self, message: PeerUp, sender: ActorAddress) -> None:
        """The other runner has opened the wire."""
        if self.ended:
            return
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
        self.held, self.beyond_bytes = kind is PeerKind.HOLD, 0
        if self.channel:
            self._say(Frame(kind, self.channel))

    def _say(self, frame: Frame) -> None:
        self.send(self.peer, PeerFrames([frame], self.connection))

    # its end, and what it leaves -------------------------------------------------------------------------------------

    def receiveMsg_NoteWire(self, message: NoteWire, _sender: ActorAddress) -> None:
        """Its class may be another one."""
        if self.journal is not None:
            self.journal.fact(receiving_key(self.wire), None)
        self.journal = message.journal
        if self.journal is not None:
            self.journal.fact(receiving_key(self.wire), self._fact())

    def receiveMsg_HandOverWire(self, message: HandOverWire, sender: ActorAddress) -> None:
        """What comes from now on is for whoever has it after this one."""
        if not message.stays:
            self.journal = None
            self._leave()
        self.send(sender, WireHandedOver(wire=self.wire, state=self._state()))

    def receiveMsg_EndWire(self, message: EndWire, _sender: ActorAddress) -> None:
        """The wire is no more, or another end has it."""
        if self.journal is not None and message.forget:
            self.journal.fact(receiving_key(self.wire), None)
        self._leave()
        self.ended = True
        self.system.ask_quiet_point(self.address)

    def receiveMsg_QuietPoint(self, _message: QuietPoint, _sender: ActorAddress) -> None:
        """Nothing for it is under way any more."""
        self.send(self.address, ActorExitRequest())

    def _leave(self) -> None:
        self._closed()
        if self.joined:
            self.joined = False
            self.send(self.router, LeavePeer(runner=self.runner, flow=self.flow, wire=self.wire, sending=False))
