"""What two runners say to each other: frames of the hosts' protocol, of kinds of their own. Pure.

The `slot` of a frame is a channel. Whoever has the sending end of a wire chooses its channel on a connection, so each
direction has its own numbers. A wire's life on a connection:

    OPEN  ->  `first` is the oldest message that has not been acknowledged; body: flow, wire, epoch
          <-  ACK   `first` is the number of the message wanted next: those before it may be forgotten. Flag FRESH:
                    that runner knows nothing of the wire
    DATA  ->  as a host's DATA; its messages are numbered on from what was wanted
          <-  HOLD, RELEASE   the module there is full, has room again
          <-  FINISHED   what came of the messages before `first` is done: nothing of it can be lost with that runner
          <-  AGAIN   the receiving end is another one now: CLOSE and OPEN, please
    CLOSE ->  nothing more comes

Each side begins with HELLO and sends PING when a second has passed; the other one sends back the time in it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, TypeVar

import msgspec

from runtimes.frames import HEADERS, HEADERS_SEPARATOR, Decoder, Frame, ProtocolError

VERSION = 2
MAX_CHANNEL = 0xFFFF
FRESH = 1
MAX_BODY_BYTES = 1024  # of what is no DATA: names have 64 letters at most
MAX_SHOWN = 200
MAX_NUMBER = 1 << 63


class PeerKind(IntEnum):
    """The kinds of frame between runners."""

    HELLO = 32
    OPEN = 33
    DATA = 34
    ACK = 35
    HOLD = 36
    RELEASE = 37
    CLOSE = 38
    PING = 39
    REFUSED = 40
    AGAIN = 41
    FINISHED = 42


KINDS = frozenset(int(kind) for kind in PeerKind)
FORWARD = frozenset((int(PeerKind.OPEN), int(PeerKind.DATA), int(PeerKind.CLOSE)))  # from a wire's sending end
BACK = frozenset(map(int, (PeerKind.ACK, PeerKind.HOLD, PeerKind.RELEASE, PeerKind.AGAIN, PeerKind.FINISHED)))


class Hello(msgspec.Struct):
    """Who speaks. `incarnation`: how often the runner of that name has been started."""

    protocol: int
    runner: str
    incarnation: int


class Opened(msgspec.Struct):
    """The wire that a channel stands for. `epoch`: of its numbers; they begin anew when the sender has lost them.
    `known`: the number that the next message had when the sender started; `taken`: how many messages were acknowledged
    and may not be finished.
    """

    flow: str
    wire: str
    epoch: int
    known: int = MAX_NUMBER
    taken: int = 0


class Ping(msgspec.Struct):
    """Somebody is there. `sent`: the time at its sender, which an answer has as `echo`."""

    sent: float = 0.0
    echo: float = 0.0


class Refusal(msgspec.Struct):
    """Why the connection is closed. `fenced`: there is a newer incarnation of the runner that is told so."""

    reason: str
    fenced: bool


_T = TypeVar("_T", Hello, Opened, Ping, Refusal)


def pack(body: Hello | Opened | Ping | Refusal) -> bytes:
    """The bytes of a body, MessagePack."""
    return msgspec.msgpack.encode(body)


def read(kind: type[_T], frame: Frame) -> _T:
    """The body of a frame; raises ProtocolError."""
    if len(frame.body) > MAX_BODY_BYTES:
        raise ProtocolError(f"{kind.__name__} of {len(frame.body)} bytes")
    try:
        return msgspec.msgpack.decode(frame.body, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"{kind.__name__}: {error}") from None


def shown(text: str) -> str:
    """What a peer has said, for a log: of a bounded length, on one line, nothing that a terminal would obey."""
    return repr(text[:MAX_SHOWN])[1:-1]


def decoder() -> Decoder:
    """Of what comes from a runner."""
    return Decoder(kinds=KINDS)


class Piece(NamedTuple):
    """Messages to send: as in DATA."""

    body: bytes
    flags: int
    skip: int
    count: int  # type: ignore[assignment]  # the tuple's own count() is not missed
    first: int


def check_data(frame: Frame) -> None:
    """That DATA has the messages that it says, as far as that can be seen without decoding them."""
    _, _, body, flags, skip, count, first = frame
    if flags & ~HEADERS or not count or len(body) < 2 or first >= MAX_NUMBER:
        raise ProtocolError(f"DATA from {first} on with flags={flags} count={count} and {len(body)} bytes")
    there = body.count(b"\n") + 1
    if flags:  # as many headers as messages
        headers, separator, _ = body.partition(HEADERS_SEPARATOR)
        there = headers.count(b"\n") + 1 if separator and there == 2 * headers.count(b"\n") + 3 else 0
    if there < skip + count:
        raise ProtocolError(f"DATA with skip={skip} count={count}: its body has fewer messages")
