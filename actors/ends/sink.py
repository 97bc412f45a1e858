"""The Sink actor: what leaves out-ports, as NDJSON lines to one file or pipe (`-o`).

To its modules it is a target like any other.
"""

from __future__ import annotations

import select
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from thespian.actors import ActorAddress, WakeupMessage

from actors.ends.neighbours import Neighbours
from actors.ends.outlet import Outlet
from actors.messages.end_to_session import SinkBroken, SinkFlushed
from actors.messages.module_to_module import Deliver
from actors.messages.session_to_end import FlushSink, StartEnd
from actors.messages.system_to_actor import Ready
from actors.system.base import BaseActor
from runtimes.frames import split

if TYPE_CHECKING:
    from actors.ends.notes import OutputNotes

HIGH_BYTES = 1 << 20
SLICE_BYTES = 256 << 10  # written in a row, then others have their turn


class Lines(NamedTuple):
    """What is to be written: messages, the wire they came on, and the number behind the last one."""

    text: bytes
    count: int  # type: ignore[assignment]  # the tuple's own count() is not missed
    wire: str
    through: int


def lines_of(message: Deliver) -> Lines:
    """The messages of a body that are meant, a line each."""
    lines, _ = split(message.body, message.flags)
    text = b"\n".join(lines[message.skip : message.skip + message.count]) + b"\n"
    return Lines(text, message.count, message.wire, message.first + message.count)


class SinkActor(BaseActor):
    """Never blocks: what the descriptor does not take waits here, and the modules are held above high-water."""

    parts = ("neighbours",)
    neighbours: Neighbours

    def receiveMsg_StartEnd(self, message: StartEnd, sender: ActorAddress) -> None:
        """Attach to the modules."""
        self.owner, self.name, self.flow = sender, message.end.name, message.flow
        self.outlet = Outlet(message.end.fd)
        self.notes: OutputNotes | None = None  # if the flow is durable
        self.ours = message.end.ours
        self.waiting: deque[Lines] = deque()
        self.written = 0  # bytes of the first of them
        self.waiting_bytes = 0
        self.lost, self.broken = 0, ""
        self.watching = self.flushing = False
        self.neighbours = Neighbours(self, "out", message, sender, self._begin, self._go_on)

    def _go_on(self) -> str | None:
        if (journal := self.neighbours.journal) is None:
            return None
        from actors.ends.notes import OutputNotes

        self.notes = OutputNotes(journal, self.outlet.fd, self.neighbours.modules)
        return self.notes.go_on(self.ours)

    def _begin(self, attached: bool) -> None:
        """What the run before has not written comes first."""
        if self.notes is not None and attached:
            self.waiting += map(lines_of, self.notes.rest(self.neighbours.modules))
            self.waiting_bytes = sum(len(lines.text) for lines in self.waiting)
            self._write()

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        """Messages to write, in order."""
        if self.broken:
            self.lost += message.count
            self._done(message.count)
            return
        lines = lines_of(message)
        self.waiting_bytes += len(lines.text)
        if self.notes is None:
            self._take(lines)
            return
        self.notes.undurable += 1
        self.notes.journal.when_durable(lambda: self._durable(lines))
        self._hold()

    def _take(self, lines: Lines) -> None:
        self.waiting.append(lines)
        if self.watching:
            self._hold()
        else:
            self._write()

    def _durable(self, lines: Lines) -> None:
        assert self.notes is not None
        self.notes.undurable -= 1
        if self.broken:  # it is in the journal, and written when the flow goes on
            self.lost += lines.count
            self._done(lines.count)
        else:
            self._take(lines)

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
                self.written += self.outlet.write(self.waiting[0].text[: self.written + rest], self.written)
        except OSError:
            reason += ", and the last line is cut off"
        self._break(reason)
        self._flushed()

    def _rest_of_line(self) -> int:
        """Bytes still to write of a line that has been begun."""
        return self.waiting[0].text.index(b"\n", self.written - 1) + 1 - self.written if self.written else 0

    def _write(self) -> None:
        left = SLICE_BYTES
        try:
            while self.waiting and (left > 0 or not self.outlet.waits):
                lines = self.waiting[0]
                size = self.outlet.write(lines.text, self.written)
                self.written += size
                self.waiting_bytes -= size
                left -= size
                if self.written == len(lines.text):
                    self.waiting.popleft()
                    self.written = 0
                    if self.notes is not None:
                        self.notes.written(lines.wire, lines.through, len(lines.text))
                    self._done(lines.count)
        except BlockingIOError:
            pass
        except OSError as error:
            self._break(error.strerror or str(error))
            self.send(self.owner, SinkBroken(name=self.name, reason=self.broken))
        self._watch(bool(self.waiting))
        self._hold()
        if self.flushing and not self.waiting and not (self.notes is not None and self.notes.undurable):
            self._flushed()

    def _break(self, reason: str) -> None:
        """Nothing more is written: what waits is lost, and counted."""
        if self.written:
            text = self.waiting[0].text
            whole = text.rfind(b"\n", 0, self.written) + 1
            self.lost -= text.count(b"\n", 0, whole)
            self.outlet.take_back(self.written - whole)
        count = sum(lines.count for lines in self.waiting)
        self.broken, self.written, self.waiting_bytes = reason, 0, 0
        self.lost += count
        self.waiting.clear()
        self._done(count)

    def _flushed(self) -> None:
        self.flushing = False
        self._watch(False)
        if self.notes is None:  # else what is in the file has still to be synced
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
