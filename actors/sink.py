"""The Sink actor: what leaves an out-port, as NDJSON lines to a file or pipe (`-o`).

To its module it is a target like any other.
"""

from __future__ import annotations

import os
import select
from collections import deque
from dataclasses import dataclass

from thespian.actors import ActorAddress

from actors.base import BaseActor
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.module_to_runner import FlowIdle
from actors.messages.runner_to_session import Attached
from actors.messages.session_to_runner import AttachSink
from actors.messages.system_to_actor import Ready
from runtimes.frames import split

HIGH_BYTES = 1 << 20
PIPE_BUF = 4096  # a pipe that polls writable takes this much without blocking


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSink:
    """Write what leaves `module.port` of `flow` to the descriptor `fd`; `name` is for errors."""

    flow: str
    module: str
    port: str
    fd: int
    name: str
    runner: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkReady:
    """Attached; or `error`."""

    name: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkBroken:
    """The other end is gone (a closed pipe), or the disk is full."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushSink:
    """Nothing more will come: answer SinkFlushed when all is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkFlushed:
    """All is written, or never will be."""

    name: str


class SinkActor(BaseActor):
    """Never blocks: what the descriptor does not take waits here, and the module is held above high-water."""

    def receiveMsg_StartSink(self, message: StartSink, sender: ActorAddress) -> None:
        """Attach to the module."""
        self.owner, self.fd, self.name = sender, message.fd, message.name
        self.runner, self.flow = message.runner, message.flow
        self.wire = f"{message.module}.{message.port}->-o"
        self.module: ActorAddress | None = None
        self.waiting: deque[tuple[bytes, int]] = deque()  # bytes, and how many messages are done with them
        self.waiting_bytes = 0
        self.holding = self.watching = self.broken = self.flushing = False
        self.plain = not _can_poll(message.fd)
        attach = AttachSink(flow=message.flow, module=message.module, port=message.port, wire=self.wire)
        self.send(message.runner, attach)

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        """The module is there (or its successor is)."""
        first, self.module = self.module is None, message.module
        if first or message.error is not None:
            self.send(self.owner, SinkReady(name=self.name, error=message.error))
        if message.gauge is not None:
            self.gauge = message.gauge
        if self.holding and self.module is not None:
            self.send(self.module, HoldWire(wire=self.wire))

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        """Messages to write, in order."""
        lines, _ = split(message.body, message.flags)
        text = b"\n".join(lines[message.skip : message.skip + message.count]) + b"\n"
        self.waiting.append((text, message.count))
        self.waiting_bytes += len(text)
        self._write()

    def receiveMsg_Ready(self, _message: Ready, _sender: ActorAddress) -> None:
        """The descriptor takes more."""
        self._write(polled=True)

    def receiveMsg_FlushSink(self, _message: FlushSink, _sender: ActorAddress) -> None:
        """The last ones."""
        self.flushing = True
        self._write()

    def _write(self, polled: bool = False) -> None:
        if self.watching and not polled:
            self._hold()
            return
        while self.waiting and not self.broken:
            text, count = self.waiting[0]
            if not self.plain and not polled:
                break
            try:
                written = os.write(self.fd, text if self.plain else text[:PIPE_BUF])
            except OSError as error:
                self.broken = True
                self.send(self.owner, SinkBroken(name=self.name, reason=error.strerror or str(error)))
                break
            polled = False
            self.waiting_bytes -= written
            if written < len(text):
                self.waiting[0] = (text[written:], count)
            else:
                self.waiting.popleft()
                self._done(count)
        self._watch(bool(self.waiting) and not self.broken)
        if self.flushing and not self.watching:
            self.flushing = False
            self.send(self.owner, SinkFlushed(name=self.name))
        self._hold()

    def _done(self, count: int) -> None:
        self.gauge.pending -= count
        if self.gauge.idle:
            self.send(self.runner, FlowIdle(flow=self.flow))

    def _watch(self, wanted: bool) -> None:
        if wanted != self.watching:
            self.watching = wanted
            if wanted:
                self.system.watch(self.fd, select.EPOLLOUT, self.myAddress)
            else:
                self.system.unwatch(self.fd)

    def _hold(self) -> None:
        full = self.waiting_bytes > (HIGH_BYTES // 2 if self.holding else HIGH_BYTES)
        if full != self.holding and self.module is not None:
            self.holding = full
            self.send(self.module, HoldWire(wire=self.wire) if full else ReleaseWire(wire=self.wire))


def _can_poll(fd: int) -> bool:
    """Whether epoll takes the descriptor: pipes and terminals, not plain files."""
    with select.epoll() as probe:
        try:
            probe.register(fd, select.EPOLLOUT)
        except PermissionError:
            return False
    return True
