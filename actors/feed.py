"""The Feed actor: NDJSON lines from a file or pipe (`-i`) into an in-port.

To its module it is a feeder like any other.
"""

from __future__ import annotations

import os
import select
from dataclasses import dataclass

import orjson
from thespian.actors import ActorAddress

from actors.base import BaseActor
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.module_to_runner import FlowIdle
from actors.messages.runner_to_session import Attached
from actors.messages.session_to_runner import AttachFeed
from actors.messages.system_to_actor import Ready
from runtimes.frames import join

READ_BYTES = 64 << 10
MAX_LINE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFeed:
    """Feed `module.port` of `flow` from the descriptor `fd`; `name` is for errors. Told to the sender: FeedEnded."""

    flow: str
    module: str
    port: str
    fd: int
    name: str
    runner: ActorAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line that is not one JSON value; it was left out."""

    name: str
    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReady:
    """Attached; or `error`."""

    name: str
    error: str | None


class ReadOn:
    """Feed to itself: a plain file is always ready, other actors get their turn in between."""


class FeedActor(BaseActor):
    """Reads when its module has room. Lines become bodies undecoded; they are only checked to be JSON."""

    def receiveMsg_StartFeed(self, message: StartFeed, sender: ActorAddress) -> None:
        """Attach to the module."""
        self.owner, self.fd, self.name = sender, message.fd, message.name
        self.runner, self.flow = message.runner, message.flow
        self.wire = f"-i->{message.module}.{message.port}"
        self.module: ActorAddress | None = None
        self.held: set[str] = set()
        self.rest, self.line_number, self.number = b"", 0, 0
        self.watching = self.ended = self.reading = False
        self.skipping = False  # the rest of a line that was too long
        attach = AttachFeed(flow=message.flow, module=message.module, port=message.port, wire=self.wire)
        self.send(message.runner, attach)

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        """The module is there (or its successor is)."""
        first, self.module = self.module is None, message.module
        if message.error is not None:
            self.send(self.owner, FeedReady(name=self.name, error=message.error))
        elif first:
            assert message.gauge is not None
            self.gauge = message.gauge
            self.gauge.sources += 1
            self.send(self.owner, FeedReady(name=self.name, error=None))
            self._read_on()

    def receiveMsg_HoldWire(self, message: HoldWire, _sender: ActorAddress) -> None:
        """The module is full."""
        self.held.add(message.wire)
        if self.watching:
            self.watching = False
            self.system.unwatch(self.fd)

    def receiveMsg_ReleaseWire(self, message: ReleaseWire, _sender: ActorAddress) -> None:
        """The module has room."""
        self.held.discard(message.wire)
        self._read_on()

    def _read_on(self) -> None:
        if self.held or self.ended or self.watching or self.reading:
            return
        try:
            self.system.watch(self.fd, select.EPOLLIN, self.myAddress)
            self.watching = True
        except PermissionError:  # a plain file: epoll does not take it, it is always ready
            self.reading = True
            self.send(self.myAddress, ReadOn())

    def receiveMsg_ReadOn(self, _message: ReadOn, _sender: ActorAddress) -> None:
        """The next portion of a plain file."""
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
        except BlockingIOError:
            return
        if data:
            self._take(data)
            return
        self.ended = True
        if self.watching:
            self.system.unwatch(self.fd)
            self.watching = False
        if self.rest:
            self._lines(self.rest)
        self.gauge.sources -= 1
        if self.gauge.idle:
            self.send(self.runner, FlowIdle(flow=self.flow))

    def _take(self, data: bytes) -> None:
        if self.skipping:
            _, newline, data = data.partition(b"\n")
            self.skipping = not newline
        text, newline, rest = data.rpartition(b"\n")
        if newline:
            self._lines(self.rest + text)
            self.rest = rest
        else:
            self.rest += rest
        if len(self.rest) > MAX_LINE_BYTES:
            self.line_number += 1
            self._bad(f"longer than {MAX_LINE_BYTES} bytes")
            self.rest, self.skipping = b"", True

    def _lines(self, text: bytes) -> None:
        lines = text.split(b"\n")
        try:
            for line in lines:  # one by one: in a joint array two broken lines can make up for each other
                orjson.loads(line)
        except orjson.JSONDecodeError:
            lines = self._good_lines(lines)
        else:
            self.line_number += len(lines)
        self._deliver(lines)

    def _good_lines(self, lines: list[bytes]) -> list[bytes]:
        good = []
        for line in lines:
            self.line_number += 1
            if not line.strip():
                continue
            try:
                orjson.loads(line)
                good.append(line.strip())
            except orjson.JSONDecodeError as error:
                self._bad(f"not JSON: {error}")
        return good

    def _bad(self, reason: str) -> None:
        self.send(self.owner, BadLine(name=self.name, number=self.line_number, reason=reason))

    def _deliver(self, lines: list[bytes]) -> None:
        assert self.module is not None
        if lines:
            self.gauge.pending += len(lines)
            self.send(self.module, Deliver(self.wire, join(lines), 0, 0, len(lines), self.number))
            self.number += len(lines)
