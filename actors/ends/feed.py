"""The Feed actor: lines from a file or pipe (`-i`) into in-ports.

To its modules it is a feeder like any other.
"""

from __future__ import annotations

import os
import select
import stat
from typing import TYPE_CHECKING

from thespian.actors import ActorAddress, WakeupMessage

from actors.ends.input_lines import MAX_NAMED, InputLines
from actors.ends.neighbours import Neighbours
from actors.ends.outlet import own
from actors.messages.end_to_session import BadLines, FeedBroken
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.session_to_end import EndFeed, StartEnd
from actors.messages.system_to_actor import Ready
from actors.messages.to_exporter import SpansEnded
from actors.state.tracing import Span, context_of, cut, headers_of
from actors.system.base import BaseActor

if TYPE_CHECKING:
    from actors.ends.notes import InputNotes

READ_BYTES = 64 << 10


class FeedActor(BaseActor):
    """Reads when its modules have room. Lines become bodies undecoded; they are only checked to be JSON."""

    parts = ("neighbours",)
    neighbours: Neighbours

    def receiveMsg_StartEnd(self, message: StartEnd, sender: ActorAddress) -> None:
        """Attach to the modules, then read."""
        self.owner, self.name, self.flow = sender, message.end.name, message.flow
        self.fd = own(message.end.fd, os.O_RDONLY)
        self.given = message.end.fd  # watched: a named pipe that is opened anew tells nothing of a writer that has gone
        self.held: set[str] = set()
        self.place = ".".join(next(iter(message.end.places.values()), ()))  # for people
        self.lines, self.number = InputLines(message.raw), 0
        self.told, self.next_told = 0, 10 * MAX_NAMED  # bad lines
        self.watching = self.ended = self.reading = False
        self.notes: InputNotes | None = None  # if the flow is durable
        self.neighbours = Neighbours(self, "in", message, sender, self._begin, self._go_on)

    def _go_on(self) -> str | None:
        if (journal := self.neighbours.journal) is None:
            return None
        from actors.ends.notes import InputNotes

        self.notes = InputNotes(journal, self.fd, self.neighbours.modules, self.lines)
        problem = self.notes.go_on()
        self.number, self.told = self.notes.number, self.lines.bad_count
        return problem

    def _begin(self, attached: bool) -> None:
        if attached:
            self.neighbours.activity.sources += 1
            self._read_on()
        else:
            self.ended = True
            os.close(self.fd)

    def receiveMsg_HoldWire(self, message: HoldWire, _sender: ActorAddress) -> None:
        """A module is full: the others wait with it."""
        self.held.add(message.wire)
        self._unwatch()

    def receiveMsg_ReleaseWire(self, message: ReleaseWire, _sender: ActorAddress) -> None:
        """The module has room."""
        self.held.discard(message.wire)
        self._read_on()

    def receiveMsg_EndFeed(self, _message: EndFeed, _sender: ActorAddress) -> None:
        """The run is over; the part of a line that has come is no message."""
        if not self.ended:
            self._end()

    def _read_on(self) -> None:
        if self.held or self.ended or self.watching or self.reading:
            return
        try:
            self.system.watch(self.given, select.EPOLLIN, self.myAddress)
            self.watching = True
        except PermissionError:  # a plain file: epoll does not take it, it is always ready
            self.reading = True
            self.wakeupAfter(0)  # no message to itself: nothing would ever be pending but that

    def _unwatch(self) -> None:
        if self.watching:
            self.watching = False
            self.system.unwatch(self.given)

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """The next portion of a plain file, which is always ready: everybody else had a turn in between."""
        self.reading = False
        if not self.held and not self.ended:
            self._read()
            self._read_on()

    def receiveMsg_Ready(self, _message: Ready, _sender: ActorAddress) -> None:
        """The pipe has something."""
        if self.watching:
            self._read()

    def _read(self) -> None:
        try:
            data = os.read(self.fd, READ_BYTES)
            broken = None if data else self._cut()
        except BlockingIOError:
            return
        except OSError as error:
            data, broken = b"", error.strerror or str(error)
        if self.notes is not None:
            self.notes.read(len(data))
        if broken is not None:  # the part of a line that has come is no message
            self.send(self.owner, FeedBroken(name=self.name, reason=broken))
        elif data:
            self._deliver(self.lines.feed(data))
        else:
            self._deliver(self.lines.end())
        if not data:
            self._end()
            self.neighbours.say_if_idle()

    def _cut(self) -> str | None:
        """Why the end of a plain file is none."""
        about = os.fstat(self.fd)
        if not stat.S_ISREG(about.st_mode) or about.st_size >= os.lseek(self.fd, 0, os.SEEK_CUR):
            return None
        return f"the file was cut to {about.st_size:,} bytes while it was read"

    def _end(self) -> None:
        self._unwatch()
        if self.notes is not None:
            self.notes.ended()
        os.close(self.fd)
        self.ended = True
        self.neighbours.activity.sources -= 1
        self._tell_bad_lines()

    def _deliver(self, lines: list[bytes]) -> None:
        if lines:
            entered = self.neighbours.tracing.enter(self.place, len(lines))
            if entered:
                self._follow(entered)
            headers = {index: headers_of(context_of(span)) for index, span in entered.items()}
            for body, flags, count in cut(lines, headers):
                self._deliver_body(body, flags, count)
        if self.lines.named or self.lines.bad_count >= self.next_told:
            self._tell_bad_lines()

    def _deliver_body(self, body: bytes, flags: int, count: int) -> None:
        modules = self.neighbours.modules
        self.neighbours.activity.pending += count * len(modules)
        for wire, module in modules.items():
            self.send(module, Deliver(wire, body, flags, 0, count, self.number))
        self.number += count
        if self.notes is not None:
            self.notes.delivered(modules, body, flags, count)

    def _follow(self, entered: dict[int, Span]) -> None:
        tracing = self.neighbours.tracing
        self.send(tracing.exporter, SpansEnded(spans=tuple(entered.values()), counts=tracing.counts))

    def _tell_bad_lines(self) -> None:
        """The first ones, then when there are ten times as many, then all at the end."""
        count, named = self.lines.bad_count, tuple(self.lines.named)
        if count > self.told:
            self.send(self.owner, BadLines(name=self.name, count=count, named=named))
            self.told, self.lines.named = count, []
            self.next_told = max(self.next_told, 10 * count)
