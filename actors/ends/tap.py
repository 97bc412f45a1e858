"""The Tap actor: a copy of what leaves an out-port, for somebody who looks on. It never holds its module.

It keeps little, drops what does not fit and counts it. It answers seldom enough that decoding costs the runner a few
percent at most, however much comes.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import orjson
from thespian.actors import ActorAddress, ActorExitRequest, WakeupMessage

from actors.messages.flow_to_session import Attached
from actors.messages.flow_to_tap import ReadNext, StartTap
from actors.messages.module_to_flow import FlowIdle
from actors.messages.module_to_module import Deliver
from actors.messages.runner_to_client import Reply
from actors.state.shown import View
from actors.system.base import BaseActor
from runtimes.frames import HEADERS, split

MAX_MESSAGES = 1000
MAX_LINES = 1 << 20  # which nobody decodes
MAX_BYTES = 1 << 20  # encoded; a frame is 64 KiB, or one larger message
REST_S = 0.1  # between two answers: 10,000 messages a second at most


class TapActor(BaseActor):
    """To its module it is a target like any other, and done with every message at once."""

    serves_flow = True

    def receiveMsg_StartTap(self, message: StartTap, sender: ActorAddress) -> None:
        """Keep what is delivered from now on, up to the limits."""
        self.owner, self.flow, self.as_lines = sender, message.flow, message.as_lines
        self.without_private = message.without_private
        self.max_messages = MAX_LINES if message.as_lines else MAX_MESSAGES
        self.kept: deque[Deliver] = deque()
        self.messages = self.bytes = self.dropped = 0
        self.reader: ReadNext | None = None
        self.resting = False

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        """The module is there (or its successor is)."""
        assert message.activity is not None
        self.activity = message.activity

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        """Keep it, or count it as dropped."""
        self.activity.pending -= message.count
        if self.activity.idle:
            self.send(self.owner, FlowIdle(flow=self.flow))
        count = min(message.count, self.max_messages - self.messages)
        if self.dropped or self.bytes + len(message.body) > MAX_BYTES:  # what is kept has no gap in it
            count = 0
        self.dropped += message.count - count
        if count:
            self.kept.append(message._replace(count=count))
            self.messages += count
            self.bytes += len(message.body)
        self._answer()

    def receiveMsg_ReadNext(self, message: ReadNext, _sender: ActorAddress) -> None:
        """Somebody wants what has come, or what comes next."""
        if self.reader is not None:
            error = "another readTap of this tap still waits"
            self.send(message.client, Reply(request_id=message.request_id, ok=False, value=False, error=error))
            return
        self.reader = message
        self._answer()
        if self.reader is not None and message.wait_s is not None:
            self.wakeupAfter(message.wait_s, message.request_id)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """The rest is over, or the reader has waited long enough."""
        if message.payload is None:
            self.resting = False
            self._answer()
        elif self.reader is not None and self.reader.request_id == message.payload and not self.kept:
            empty = {"messages": [], "dropped": self.dropped}
            self.send(self.reader.client, Reply(request_id=self.reader.request_id, ok=True, value=empty))
            self.reader, self.dropped = None, 0

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """Whoever still reads is told."""
        if self.reader is not None:
            error = "the tap has ended"
            reply = Reply(request_id=self.reader.request_id, ok=False, value=False, error=error)
            self.send(self.reader.client, reply)

    def _answer(self) -> None:
        if self.reader is None or self.resting or not (self.kept or self.dropped):
            return
        value: Any
        if self.as_lines:
            value = [line for delivered in self.kept for line in self._lines(delivered)], self.dropped
            if value == ([], 0):  # all is private
                self._forget()
                return
        else:
            view = View()
            messages = [shown for delivered in self.kept for shown in _views(view, delivered)]
            value = {"messages": messages, "dropped": self.dropped}
            self.resting = True
            self.wakeupAfter(REST_S)
        self.send(self.reader.client, Reply(request_id=self.reader.request_id, ok=True, value=value))
        self.reader = None
        self._forget()

    def _forget(self) -> None:
        self.kept.clear()
        self.messages = self.bytes = self.dropped = 0

    def _lines(self, delivered: Deliver) -> list[bytes]:
        bodies, headers = _meant(delivered)
        if headers is None or not self.without_private:
            return bodies
        told = map(orjson.loads, headers)
        return [body for body, its in zip(bodies, told, strict=True) if its is None or "client" not in its]


def _meant(delivered: Deliver) -> tuple[list[bytes], list[bytes] | None]:
    bodies, headers = split(delivered.body, delivered.flags & HEADERS)
    meant = slice(delivered.skip, delivered.skip + delivered.count)
    return bodies[meant], None if headers is None else headers[meant]


def _views(view: View, delivered: Deliver) -> list[dict[str, Any]]:
    bodies, headers = _meant(delivered)
    return [
        {"message": view.value(body), "headers": _users(view, headers[index]) if headers else None}
        for index, body in enumerate(bodies)
    ]


def _users(view: View, headers: bytes) -> dict[str, Any] | None:
    """Without the id, by which the runner knows a message on a wire that may be fused."""
    return {name: value for name, value in (view.value(headers) or {}).items() if name != "id"} or None
