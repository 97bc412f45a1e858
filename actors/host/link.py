"""The link to one host: frames both ways over the pipes of its process, without blocking; and what it prints.

It alone knows the descriptors. What a frame means, and what is done when the host has ended, is for those who made it;
another transport is another class with these methods.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from thespian.actors import ActorAddress

from actors.host.printed import HostLog
from actors.host.process import HostProcess
from actors.messages.actor_to_itself import Flush, TakeFrames
from actors.system.pipe import waiting_bytes
from actors.system.port import Port
from runtimes.frames import HEADER, Decoder, Frame, ProtocolError

READ_BYTES = 256 << 10
SMALL_BYTES = 4 << 10
MAX_IOVECS = 512
log = logging.getLogger("runner.host")

Hear = Callable[[Iterator[Frame]], bool]


class LinkPort(Port, Protocol):
    """The actor that has the link, which also shows whether anybody else has something to do in this turn."""

    queue: deque[tuple[ActorAddress, Any, ActorAddress]]


class Link:
    """From `begin` until `closed` is called `process` is there."""

    def __init__(self, port: LinkPort, title: str, printed: HostLog, hear: Hear, closed: Callable[[str], None]) -> None:
        """`title`: of the host, for people; `hear`: takes frames, False if it is to get the rest later; `closed`: is
        told how the process has ended, when all that it said has been heard.
        """
        self._port, self._queue = port, port.queue
        self._title = title
        self._printed = printed
        self._hear = hear
        self._closed = closed
        self.process: HostProcess | None = None
        self.killed_for: str | None = None
        self.broken_off = False  # nothing more is believed
        self.outbox: list[bytes] = []
        self._writing = self._flushing = False
        self._decoder = Decoder()
        self._frames: Iterator[Frame] | None = None  # of what has been read, those that are not done yet

    def begin(self, process: HostProcess) -> None:
        """Watch the process's output, its log and its end."""
        self.process = process
        for fd in (process.output_fd, process.pid_fd, process.log_fd):
            self._port.system.watch(fd, select.EPOLLIN, self._port.address)

    # writing -------------------------------------------------------------------------------------------------------

    def write(self, frames: list[Frame]) -> None:
        """Write these, as soon as nobody else has anything to add; a host that has ended gets nothing."""
        process = self.process
        if process is None:
            return
        outbox, queue = self.outbox, self._queue
        if not queue and not outbox and len(frames) == 1:
            kind, slot, body, flags, skip, count, first = frames[0]
            if len(body) < SMALL_BYTES:  # the short way: a message that goes at once
                data = HEADER.pack(len(body), kind, flags, slot, skip, count, first) + body
                try:
                    written = os.write(process.input_fd, data)
                except BlockingIOError:
                    written = 0
                if written < len(data):
                    outbox.append(data[written:])
                    self.flush()
                return
        for kind, slot, body, flags, skip, count, first in frames:
            outbox.append(HEADER.pack(len(body), kind, flags, slot, skip, count, first))
            if body:
                outbox.append(body)
        if not queue:
            self.flush()
        elif not self._flushing:
            self._flushing = True
            self._port.send(self._port.address, Flush())

    def flush(self) -> None:
        """Write what fits, and the rest when the pipe has room."""
        self._flushing = False
        if self.process is None or self._writing:
            return
        fd, outbox = self.process.input_fd, self.outbox
        while outbox:
            part = outbox[:MAX_IOVECS]
            try:
                written = os.writev(fd, part)
            except BlockingIOError:
                written = 0
            done = 0
            while done < len(part) and written >= len(part[done]):
                written -= len(part[done])
                done += 1
            del outbox[:done]
            if done < len(part):
                if written:
                    outbox[0] = outbox[0][written:]
                self._writing = True
                self._port.system.watch(fd, select.EPOLLOUT, self._port.address)
                return

    # reading -------------------------------------------------------------------------------------------------------

    def ready(self, fd: int) -> None:
        """The pipes, the log or the process has something."""
        process = self.process
        if process is None:
            return
        if fd == process.output_fd:
            if self._frames is None:
                self._read(process)
        elif fd == process.input_fd:
            self._port.system.unwatch(fd)
            self._writing = False
            self.flush()
        elif fd == process.log_fd:
            if not self._printed.read(fd):
                self._port.system.unwatch(fd)
        elif fd == process.pid_fd:
            self._end(process)

    def _read(self, process: HostProcess, most: int = READ_BYTES) -> int:
        """One portion of the host's output; how many bytes that were, 0 if nothing more is believed."""
        if self.broken_off:
            return 0
        try:
            data = os.read(process.output_fd, most)
        except BlockingIOError:
            return 0
        if not data:
            self._port.system.unwatch(process.output_fd)  # the pidfd tells the rest
            return 0
        self._frames = self._decoder.feed(data)
        self.take_frames()
        return len(data)

    def take_frames(self) -> None:
        """What has been read, in slices: a commit, or a line of the log, costs much more than its bytes."""
        if self._frames is None or self.process is None:
            return
        try:
            if self._hear(self._frames):
                self._frames = None
            else:
                self._port.send(self._port.address, TakeFrames())
        except ProtocolError as error:
            self._break_off(self.process, f"it broke the link protocol: {error}")
        except Exception as error:  # of ours: what the host says after it would not fit any more
            self._break_off(self.process, f"an internal error: {error}")
            raise

    def _break_off(self, process: HostProcess, reason: str) -> None:
        """Believe nothing more: what is uncommitted will be done again."""
        self.broken_off, self._frames = True, None
        log.error("%s is killed: %s", self._title, reason)
        self._port.system.unwatch(process.output_fd)
        self.kill(reason)

    # the end -------------------------------------------------------------------------------------------------------

    def kill(self, reason: str | None = None) -> None:
        """End the process; a `reason` is kept for those who ask why."""
        if reason is not None:
            self.killed_for = reason
        if self.process is not None:
            self.process.kill()

    def _end(self, process: HostProcess) -> None:
        """Its process has ended: take what it said before that, close everything."""
        process.kill()  # what it has left running in its group says nothing more
        while self._frames is not None:
            self.take_frames()
        left = waiting_bytes(process.output_fd)  # whoever still writes there: no more than the pipe holds now
        while left > 0 and (size := self._read(process, min(left, READ_BYTES))):
            left -= size
            while self._frames is not None:
                self.take_frames()
        self._printed.read_last(process.log_fd)
        self._unwatch(process)
        status, closed = process.reap(), self._closed
        del self._closed, self._hear  # no circle is left: what was not committed may be large
        closed(status)

    def close(self) -> Path | None:
        """Leave no process behind, and ask nobody; returns the folder it had."""
        process = self.process
        if process is None:
            return None
        self._unwatch(process)
        with contextlib.suppress(ChildProcessError):
            process.reap()
        return process.folder

    def _unwatch(self, process: HostProcess) -> None:
        for fd in (process.output_fd, process.input_fd, process.log_fd, process.pid_fd):
            self._port.system.unwatch(fd)
        self.process = None
