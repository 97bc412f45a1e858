"""The Sink actor: what leaves out-ports, as NDJSON lines to one file or pipe (`-o`).

To its modules it is a target like any other.
"""

from __future__ import annotations

import select
from collections import deque

from thespian.actors import ActorAddress, WakeupMessage

from actors.ends.neighbours import Neighbours
from actors.ends.outlet import Outlet
from actors.messages.end_to_session import SinkBroken, SinkFlushed
from actors.messages.module_to_module import Deliver
from actors.messages.session_to_end import FlushSink, StartEnd
from actors.messages.system_to_actor import Ready
from actors.system.base import BaseActor
from runtimes.frames import split

HIGH_BYTES = 1 << 20
SLICE_BYTES = 256 << 10  # written in a row, then others have their turn


class SinkActor(BaseActor):
    """Never blocks: what the descriptor does not take waits here, and the modules are held above high-water."""

    parts = ("neighbours",)
    neighbours: Neighbours

    def receiveMsg_StartEnd(self, message: StartEnd, sender: ActorAddress) -> None:
        """Attach to the modules."""
        self.owner, self.name, self.flow = sender, message.end.name, message.flow
        self.outlet = Outlet(message.end.fd)
        self.waiting: deque[tuple[bytes, int]] = deque()  # lines, and how many messages are done with them
        self.written = 0  # bytes of the first of them
        self.waiting_bytes = 0
        self.lost, self.broken = 0, ""
        self.watching = self.flushing = False
        self.neighbours = Neighbours(self, "out", message, sender, lambda _attached: None)

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        """Messages to write, in order."""
        if self.broken:
            self.lost += message.count
            self._done(message.count)
            return
        lines, _ = split(message.body, message.flags)
        text = b"\n".join(lines[message.skip : message.skip + message.count]) + b"\n"
        self.waiting.append((text, message.count))
        self.waiting_bytes += len(text)
        if self.watching:
            self._hold()
        else:
            self._write()

    def receiveMsg_Ready(self, _message: Ready, _sender: ActorAddress) -> None:
        """The descriptor takes more."""
        self._write()

    def receiveMsg_FlushSink(self, message: FlushSink, _sender: ActorAddress) -> None:
        """Write what waits, for at most `timeout_s`; then SinkFlushed."""
        self.flushing = True
        self.wakeupAfter(message.timeout_s)
        self._write()

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """Flushing has taken long enough: only a line that has been begun is written to its end."""
        if not self.flushing:
            return
        reason = "what reads it did not take them in time"
        self.outlet.make_room(self._rest_of_line())
        try:
            while rest := self._rest_of_line():
                self.written += self.outlet.write(self.waiting[0][0][: self.written + rest], self.written)
        except OSError:
            reason += ", and the last line is cut off"
        self._break(reason)
        self._flushed()

    def _rest_of_line(self) -> int:
        """Bytes still to write of a line that has been begun."""
        return self.waiting[0][0].index(b"\n", self.written - 1) + 1 - self.written if self.written else 0

    def _write(self) -> None:
        left = SLICE_BYTES
        try:
            while self.waiting and (left > 0 or not self.outlet.waits):
                text, count = self.waiting[0]
                size = self.outlet.write(text, self.written)
                self.written += size
                self.waiting_bytes -= size
                left -= size
                if self.written == len(text):
                    self.waiting.popleft()
                    self.written = 0
                    self._done(count)
        except BlockingIOError:
            pass
        except OSError as error:
            self._break(error.strerror or str(error))
            self.send(self.owner, SinkBroken(name=self.name, reason=self.broken))
        self._watch(bool(self.waiting))
        self._hold()
        if self.flushing and not self.waiting:
            self._flushed()

    def _break(self, reason: str) -> None:
        """Nothing more is written: what waits is lost, and counted."""
        if self.written:
            text, _ = self.waiting[0]
            whole = text.rfind(b"\n", 0, self.written) + 1
            self.lost -= text.count(b"\n", 0, whole)
            self.outlet.take_back(self.written - whole)
        count = sum(count for _, count in self.waiting)
        self.broken, self.written, self.waiting_bytes = reason, 0, 0
        self.lost += count
        self.waiting.clear()
        self._done(count)

    def _flushed(self) -> None:
        self.flushing = False
        self._watch(False)
        self.outlet.close()
        self.send(self.owner, SinkFlushed(name=self.name, lost=self.lost, reason=self.broken))

    def _done(self, count: int) -> None:
        self.neighbours.activity.pending -= count
        self.neighbours.say_if_idle()

    def _watch(self, wanted: bool) -> None:
        if wanted != self.watching:
            self.watching = wanted
            if wanted:
                self.system.watch(self.outlet.fd, select.EPOLLOUT, self.myAddress)
            else:
                self.system.unwatch(self.outlet.fd)

    def _hold(self) -> None:
        self.neighbours.hold(self.waiting_bytes > (HIGH_BYTES // 2 if self.neighbours.holding else HIGH_BYTES))
