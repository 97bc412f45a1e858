"""A conversation with a host: what it was given and asked, and therefore what it may say. Pure.

Every frame of a host comes here before anybody acts on it; one that does not fit raises ProtocolError. Frames of
transactions go to `transaction`, the others to the method that is named after their kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from runtimes import host_bodies as bodies
from runtimes.frames import PROTOCOL_VERSION, Frame, Kind, ProtocolError
from runtimes.given import Given
from runtimes.transaction import Transaction

MAX_FRAMES = 500  # that are done at one go, besides DATA, CONTEXT and ERROR: some milliseconds
_DATA = int(Kind.DATA)  # plain: an IntEnum's member costs more to look up than all else
_OTHERS = (int(Kind.CONTEXT), int(Kind.ERROR))
_NO_HOOKS = frozenset(("load", "unload", "ping"))


class Conversation:
    """With one host, from its HELLO to its end."""

    def __init__(self, outputs: Mapping[int, tuple[int, str]]) -> None:
        """`outputs`: channel -> (slot, port), the caller's."""
        self.given: dict[int, Given] = {}
        self.requests: dict[int, tuple[str, int]] = {}  # those without an answer: what, slot
        self.transaction = Transaction(self.given, outputs)
        self._asked = 0

    def ask(self, what: str, slot: int) -> int:
        """The number of a new request; `what` is load, unload, ping, or else says why a hook is called."""
        self._asked += 1
        self.requests[self._asked] = (what, slot)
        if what not in _NO_HOOKS and slot in self.given:
            self.given[slot].call()
        return self._asked

    def waits_for(self, what: str) -> bool:
        """Whether such a request has no answer yet."""
        return any(asked == what for asked, _ in self.requests.values())

    def forget(self, slot: int) -> None:
        """Nothing more may come of a slot; what was asked of it is still answered."""
        self.given.pop(slot, None)

    @property
    def works(self) -> bool:
        """Whether the host may be in a turn, for as long as that takes."""
        return any(given.works for given in self.given.values())

    # what the host says --------------------------------------------------------------------------------------------

    def hear(self, take: Callable[[Frame], None], frames: Iterator[Frame]) -> bool:
        """Keep what waits for its COMMIT, give all else to `take`; False if there are more than MAX_FRAMES of that."""
        transaction = self.transaction
        data_frames, others, size = transaction.data, transaction.others, 0
        left = MAX_FRAMES
        for frame in frames:
            kind = frame[0]
            if kind == _DATA:
                data_frames.append(frame)
                size += len(frame[2])
            elif kind in _OTHERS:
                others.append(frame)
                size += len(frame[2])
            else:
                transaction.bytes += size
                size = 0
                take(frame)
                left -= 1
                if not left:
                    return False
        if size:
            transaction.grow(size)
        return True

    def hello(self, frame: Frame) -> None:
        """The first frame must be HELLO, of this protocol; raises ProtocolError."""
        if frame.kind != Kind.HELLO:
            raise ProtocolError(f"{Kind(frame.kind).name} before HELLO")
        protocol = bodies.read(bodies.Hello, frame.body, "HELLO").protocol
        if protocol != PROTOCOL_VERSION:
            raise ProtocolError(f"the host speaks protocol {protocol}, this runner {PROTOCOL_VERSION}")

    def result(self, frame: Frame) -> tuple[str, int, bodies.Result]:
        """What was asked, of which slot, and the answer."""
        what, slot = self.requests.get(frame.first, ("", 0))
        if what in ("", "ping") or slot != frame.slot:
            raise ProtocolError(f"RESULT for slot {frame.slot} and request {frame.first}, which was not asked")
        result = bodies.result(frame.body, what)
        if what == "unload" and not result.ok:
            raise ProtocolError(f"RESULT of UNLOAD is not ok: {result.error}")
        del self.requests[frame.first]
        given = self.given.get(slot)
        if given is not None and what not in _NO_HOOKS:
            given.answer()
            given.source = given.source or (what in ("start", "restart") and result.ok and result.source)
        return what, slot, result

    def paused(self, frame: Frame) -> None:
        """The host has nothing of a slot any more."""
        given = self.given.get(frame.slot)
        if given is None or not given.pausing or given.pausing != frame.first or frame.body:
            raise ProtocolError(f"PAUSED for slot {frame.slot} and request {frame.first}, which was not asked")
        given.paused()

    def turn(self, frame: Frame) -> None:
        """A turn that was to be announced begins."""
        given = self.given.get(frame.slot)
        if given is None or not given.begin(frame.first) or frame.body:
            raise ProtocolError(f"TURN of message {frame.first} of slot {frame.slot}, which it has not to announce")

    def finished(self, frame: Frame) -> bool:
        """A source has ended; whether well."""
        given = self.given.get(frame.slot)
        if given is None or not given.source:
            raise ProtocolError(f"FINISHED of slot {frame.slot}, which is no source")
        ok = bodies.read(bodies.Finished, frame.body, "FINISHED").ok
        given.source = False
        return ok

    def pong(self, frame: Frame) -> None:
        """The answer to a PING."""
        if self.requests.get(frame.first, ("", 0))[0] != "ping" or frame.body:
            raise ProtocolError(f"PONG {frame.first}, which was not asked")
        del self.requests[frame.first]
