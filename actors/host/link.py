"""The link of a bridge to its host: writes frames without blocking, reads them, collects what the host prints.

It knows neither what a frame means nor when a host is to be started: those are the bridge's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import time
from collections import deque
from collections.abc import Hashable, Iterator
from enum import Enum, auto
from pathlib import Path

from thespian.actors import ActorAddress, ActorExitRequest

from actors.definition.limits import HostLimits
from actors.host.deadlines import LOOK_S, Deadlines
from actors.host.printed import HostLog
from actors.host.process import HostProcess
from actors.host.watch import WATCH_S, HostWatch
from actors.messages import module_to_bridge as from_module
from actors.messages.system_to_actor import Ready
from actors.messages.to_sweeper import SweepFolders
from actors.system.base import BaseActor
from actors.system.pipe import waiting_bytes
from runtimes.conversation import Conversation
from runtimes.frames import HEADER, TURN_FLAG, Decoder, Frame, Kind, ProtocolError
from runtimes.given import Given

READ_BYTES = 256 << 10
SMALL_BYTES = 4 << 10
MAX_IOVECS = 512
STDERR_LINES = 20
MAX_FRAMES = 500  # that are done at one go, besides DATA, CONTEXT and ERROR: some milliseconds
_DATA = int(Kind.DATA)  # plain: an IntEnum's member costs more to look up than all else
_OTHERS = (int(Kind.CONTEXT), int(Kind.ERROR))
log = logging.getLogger("runner.host")


class Life(Enum):
    """What the host is doing. OPENING: its modules' `start` hooks run."""

    NONE = auto()
    STARTING = auto()
    LOADING = auto()
    LOADED = auto()
    OPENING = auto()
    OPEN = auto()
    STOPPING = auto()
    WAITING = auto()


class Flush:
    """Bridge to itself: write what has been collected."""


class TakeFrames:
    """Bridge to itself: go on with what has been read."""


class HostLink(BaseActor):
    """The half of the Bridge actor that moves bytes."""

    serves_flow = True
    flow: str
    key: str  # of the host, for people
    sweeper: ActorAddress  # gets the folders of hosts that have ended
    names: dict[int, str]  # of the modules, by slot

    def __init__(self) -> None:
        super().__init__()
        self.life = Life.NONE
        self.host: HostProcess | None = None
        self.watch: HostWatch | None = None  # of a host that has limits
        self.stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self.new_link({})

    def __str__(self) -> str:
        return f"the actor of the host {self.key} of {self.flow}" if hasattr(self, "key") else super().__str__()

    def new_link(self, outputs: dict[int, tuple[int, str]]) -> None:
        """For a new host: nothing written, nothing read. `outputs`: channel -> (slot, port)."""
        self.conversation = Conversation(outputs)
        self.outbox: list[bytes] = []
        self.writing = self.flushing = self.unanswered = self.broken_off = False
        self.decoder = Decoder()
        self.frames: Iterator[Frame] | None = None  # of what has been read, those that are not done yet
        self.printed = HostLog(self.stderr, lambda: f"{self.flow}/{self.key}")
        self.killed_for: str | None = None
        self.commits = 0
        self.deadlines = Deadlines()

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """Leave no process behind."""
        if self.host is not None:
            for fd in (self.host.output_fd, self.host.input_fd, self.host.log_fd, self.host.pid_fd):
                self.system.unwatch(fd)
            with contextlib.suppress(ChildProcessError):
                self.host.reap()
            self.sweep(self.host.folder)
            self.host = None

    def sweep(self, folder: Path) -> None:
        """Nobody needs the folder of a host any more, nor what it has left running."""
        self.send(self.sweeper, SweepFolders(folders=(folder,)))

    # limits --------------------------------------------------------------------------------------------------------

    @property
    def working(self) -> bool:
        """Whether the processor time that the host uses counts."""
        return False

    def watch_host(self, limits: HostLimits) -> None:
        """Look at what it uses from now on, if it has limits."""
        assert self.host is not None
        self.watch = HostWatch(self.host.pid, self.host.temp, limits) if limits.watched else None
        if self.watch is not None:
            self.wakeupAfter(WATCH_S, self.watch)

    def check_host(self, watch: HostWatch) -> None:
        """Time to look."""
        if self.host is None or watch is not self.watch or self.killed_for is not None:
            return
        self.killed_for = watch.check(working=self.working, busy=self.unanswered, commits=self.commits)
        if self.killed_for is None:
            self.wakeupAfter(WATCH_S, watch)
        else:
            self.host.kill()

    # deadlines -----------------------------------------------------------------------------------------------------

    def expect(self, key: Hashable, phase: str, name: str = "", timeout_s: float | None = None) -> None:
        """The host owes something from now on; `timeout_s` is the module's."""
        if self.deadlines.expect(key, phase, name, timeout_s, time.monotonic()):
            self.wakeupAfter(LOOK_S, self.deadlines)

    def met(self, key: Hashable) -> None:
        """It has done that."""
        self.deadlines.met(key)

    # the link ------------------------------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        """A frame that is no DATA, CONTEXT or ERROR: those wait for their COMMIT."""
        raise NotImplementedError

    def _exited(self, host: HostProcess) -> None:
        """The host's process has ended."""
        raise NotImplementedError

    def receiveMsg_SendFrames(self, message: from_module.SendFrames, _sender: ActorAddress) -> None:
        """Frames of a module; dropped when there is no host, for the module will get HostDown."""
        if self.life is Life.OPEN:
            slot, frames = message
            given = self.conversation.given.get(slot)
            if given is None:
                return
            frame = frames[-1]
            if frame[0] == _DATA:
                self.unanswered = True
            if len(frames) > 1:
                self._give(given, frames)
                self._write(frames)
                return
            if frame[0] == _DATA and frame[3] < TURN_FLAG:
                given.messages += frame[5]
            else:
                self._give(given, frames)
            if not self.queue and not self.outbox and len(frame[2]) < SMALL_BYTES:
                self._write_one(frame)
            else:
                self._write(frames)

    def _give(self, given: Given, frames: list[Frame]) -> None:
        given.take(frames)
        if given.pausing:  # then PAUSE was the last one
            slot = frames[-1].slot
            self.expect(("pause", slot), "pause", self.names[slot])

    def _write_one(self, frame: Frame) -> None:
        """The short way for one small frame when nothing else is to be written: a message that goes at once."""
        assert self.host is not None
        kind, slot, body, flags, skip, count, first = frame
        data = HEADER.pack(len(body), kind, flags, slot, skip, count, first) + body
        try:
            written = os.write(self.host.input_fd, data)
        except BlockingIOError:
            written = 0
        if written < len(data):
            self.outbox.append(data[written:])
            self.receiveMsg_Flush(Flush(), self.address)

    def _write(self, frames: list[Frame]) -> None:
        for kind, slot, body, flags, skip, count, first in frames:
            self.outbox.append(HEADER.pack(len(body), kind, flags, slot, skip, count, first))
            if body:
                self.outbox.append(body)
        if not self.queue:  # nobody else has anything to add
            self.receiveMsg_Flush(Flush(), self.address)
        elif not self.flushing:
            self.flushing = True
            self.send(self.address, Flush())

    def receiveMsg_Flush(self, _message: Flush, _sender: ActorAddress) -> None:
        """Write what fits, and the rest when the pipe has room."""
        self.flushing = False
        if self.host is None or self.writing:
            return
        fd, outbox = self.host.input_fd, self.outbox
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
                self.writing = True
                self.system.watch(fd, select.EPOLLOUT, self.myAddress)
                return

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        """The link, the log or the process has something."""
        host = self.host
        if host is None:
            return
        if message.fd == host.output_fd:
            if self.frames is None:
                self._read(host)
        elif message.fd == host.input_fd:
            self.system.unwatch(host.input_fd)
            self.writing = False
            self.receiveMsg_Flush(Flush(), self.myAddress)
        elif message.fd == host.log_fd:
            if not self.printed.read(host.log_fd):
                self.system.unwatch(host.log_fd)
        elif message.fd == host.pid_fd:
            self._exited(host)

    def _read(self, host: HostProcess, most: int = READ_BYTES) -> int:
        """One portion of the host's output; how many bytes that were, 0 if nothing more is believed."""
        if self.broken_off:
            return 0
        try:
            data = os.read(host.output_fd, most)
        except BlockingIOError:
            return 0
        if not data:
            self.system.unwatch(host.output_fd)  # the pidfd tells the rest
            return 0
        self.frames = self.decoder.feed(data)
        self._take_frames(host)
        return len(data)

    def _take_frames(self, host: HostProcess) -> None:
        """What has been read, in slices: a commit, or a line of the log, costs much more than its bytes."""
        assert self.frames is not None
        transaction = self.conversation.transaction
        data_frames, others, size = transaction.data, transaction.others, 0
        left = MAX_FRAMES
        try:
            for frame in self.frames:
                kind = frame[0]
                if kind == _DATA:
                    data_frames.append(frame)
                    size += len(frame[2])
                elif kind in _OTHERS:
                    others.append(frame)
                    size += len(frame[2])
                else:
                    transaction.grow(size)
                    size = 0
                    self._take(frame)
                    left -= 1
                    if not left:
                        break
            if size:
                transaction.grow(size)
        except ProtocolError as error:
            self._break_off(host, f"it broke the link protocol: {error}")
        except Exception as error:  # of ours: what the host says after it would not fit any more
            self._break_off(host, f"an internal error: {error}")
            raise
        if left:
            self.frames = None
        else:
            self.send(self.address, TakeFrames())

    def receiveMsg_TakeFrames(self, _message: TakeFrames, _sender: ActorAddress) -> None:
        """The next slice."""
        if self.host is not None and self.frames is not None:
            self._take_frames(self.host)

    def _break_off(self, host: HostProcess, reason: str) -> None:
        """Believe nothing more: what is uncommitted will be done again."""
        self.broken_off, self.killed_for, self.frames = True, reason, None
        log.error("%s: the host %s is killed: %s", self.flow, self.key, reason)
        self.system.unwatch(host.output_fd)
        host.kill()

    # the end of a host ---------------------------------------------------------------------------------------------

    def end_host(self, host: HostProcess) -> str:
        """Its process has ended: take what it said before that, close everything. Returns how it has ended."""
        host.kill()  # what it has left running in its group says nothing more
        while self.frames is not None:
            self._take_frames(host)
        left = waiting_bytes(host.output_fd)  # whoever still writes there: no more than the pipe holds now
        while left > 0 and (size := self._read(host, min(left, READ_BYTES))):
            left -= size
            while self.frames is not None:
                self._take_frames(host)
        self.printed.read_last(host.log_fd)
        for fd in (host.output_fd, host.input_fd, host.log_fd, host.pid_fd):
            self.system.unwatch(fd)
        self.host = None
        status = host.reap()
        self.sweep(host.folder)
        return status
