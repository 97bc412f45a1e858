"""What is said on one connection between two runners: who they are, which wires there are. Pure apart from sending."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from thespian.actors import ActorAddress

from actors.links.connection import Connection
from actors.links.frames import BACK, FORWARD, Hello, Opened, PeerKind, Ping, Refusal, pack, read
from actors.messages.peer_to_wire import PeerDown, PeerUp
from actors.system.port import Port
from runtimes.frames import Frame, ProtocolError

_OPEN, _CLOSE = int(PeerKind.OPEN), int(PeerKind.CLOSE)  # plain: an IntEnum's member costs more to look up
MAX_OFFERS = 1 << 14  # wires that the other side has opened and nobody here has
MAX_TRIP_S = 60.0
Name = tuple[str, str]  # flow, wire


class Talk:
    """From the connection's beginning to its end. `hello`: what the other side has said of itself, once it has."""

    def __init__(
        self, port: Port, number: int, connection: Connection, sending: Mapping[int, ActorAddress],
        receiving: Mapping[Name, ActorAddress],
    ) -> None:  # fmt: skip
        """`number`: of the connection; `sending`: channel -> the sending end; `receiving`: the receiving ends. Both
        tables are the caller's, and change.
        """
        self._port = port
        self.number, self.connection = number, connection
        self._sending, self._receiving = sending, receiving
        self.hello: Hello | None = None
        self.round_trip_s: float | None = None
        self._channels: dict[int, Name] = {}  # of what it sends
        self._names: dict[Name, int] = {}  # the same the other way
        self._open: dict[int, ActorAddress] = {}  # those whose end is here
        self._offers: dict[Name, Frame] = {}  # OPENs of wires whose end has not been here yet

    def introduce(self, frames: Iterator[Frame]) -> Refusal | None:
        """Hear the first frame, which sets `hello`; or returns why the other side refuses us."""
        for frame in frames:
            if frame.kind == PeerKind.REFUSED:
                return read(Refusal, frame)
            if frame.kind != PeerKind.HELLO:
                raise ProtocolError(f"{PeerKind(frame.kind).name} before HELLO")
            self.hello = read(Hello, frame)
            break
        return None

    def hear(self, frames: Iterator[Frame]) -> Refusal | None:
        """What comes after that: to the ends of the wires. Returns why the other side refuses us, if it does."""
        send = self._port.send
        for frame in frames:
            kind, channel = frame[0], frame[1]
            if kind in FORWARD:
                if kind == _OPEN:
                    self._opened(frame)
                    continue
                name = self._channels.get(channel)
                if name is None:
                    raise ProtocolError(f"{PeerKind(kind).name} on channel {channel}, which is not open")
                end = self._open.get(channel)
                if kind == _CLOSE:
                    del self._channels[channel]
                    del self._names[name]
                    self._open.pop(channel, None)
                    self._offers.pop(name, None)
                if end is not None:  # else it has left, and the other side does not know yet
                    send(end, frame)
            elif kind in BACK:
                end = self._sending.get(channel)
                if end is not None:
                    send(end, frame)
            elif kind == PeerKind.REFUSED:
                return read(Refusal, frame)
            elif kind == PeerKind.PING:
                self._pinged(read(Ping, frame))
            else:
                raise ProtocolError(f"{PeerKind(kind).name} in the middle of a connection")
        return None

    def _pinged(self, ping: Ping) -> None:
        if ping.echo:
            trip_s = time.monotonic() - ping.echo
            if 0 <= trip_s < MAX_TRIP_S:  # it may say anything
                self.round_trip_s = trip_s
        elif ping.sent:
            self.connection.add([Frame(PeerKind.PING, body=pack(Ping(echo=ping.sent)))])
            self.connection.flush()

    def _opened(self, frame: Frame) -> None:
        opened, channel = read(Opened, frame), frame.slot
        name = (opened.flow, opened.wire)
        if not channel or channel in self._channels or name in self._names:
            raise ProtocolError(f"OPEN on channel {channel}, or of its wire, twice")
        self._channels[channel] = name
        self._names[name] = channel
        self._offers[name] = frame
        self.joined(name)
        if len(self._offers) > MAX_OFFERS:
            raise ProtocolError(f"{len(self._offers)} wires that nobody here has")

    def joined(self, name: Name) -> None:
        """The receiving end of a wire may be here now."""
        end = self._receiving.get(name)
        if end is None:
            return
        offer = self._offers.pop(name, None)
        if offer is not None:
            self._open[offer.slot] = end
            self._port.send(end, PeerUp(channel=offer.slot, connection=self.number))
            self._port.send(end, offer)
        elif name in self._names:  # it has been opened for an end that has left
            self.connection.add([Frame(PeerKind.AGAIN, self._names[name])])
            self.connection.flush()

    def left(self, name: Name) -> None:
        """It is not any more; the other side does not know, and what it sends is nobody's."""
        self._open = {channel: end for channel, end in self._open.items() if self._channels[channel] != name}

    def end(self) -> None:
        """The connection has gone."""
        for end in (*self._sending.values(), *self._open.values()):
            self._port.send(end, PeerDown())
