"""One client of the Runner API, wherever its lines come from: its calls in flight, its taps. Knows no socket."""

from __future__ import annotations

from collections.abc import Callable

from actors.doors import rpc
from actors.messages.client_to_runner import EndTap, Request, TapPort
from actors.messages.runner_to_client import Progress, Reply

MAX_CALLS_IN_FLIGHT = 256


class Caller:
    """`ask` passes a request on, `say` gets each line for the client. Its requests' ids are `NAME.NUMBER`."""

    def __init__(self, name: str, ask: Callable[[Request], None], say: Callable[[bytes], None]) -> None:
        self.name, self._ask, self._say = name, ask, say
        self._count = 0
        self._calls: dict[str, rpc.Call] = {}  # by request id
        self._taps: set[str] = set()  # which it has opened
        self.has_left = False

    @property
    def in_flight(self) -> int:
        """Calls that have no answer yet."""
        return len(self._calls)

    @property
    def is_full(self) -> bool:
        """Whether it has to wait for answers before it may ask for more."""
        return len(self._calls) >= MAX_CALLS_IN_FLIGHT

    def take(self, line: bytes) -> None:
        """A line of JSON-RPC."""
        call = rpc.parse(line, self._next_id())
        if isinstance(call, rpc.Call):
            self._call(call)
        elif call is not None:
            self._say(call)

    def answer(self, reply: Reply) -> None:
        """The runner's answer goes to the client, unless it has left."""
        call = self._calls.pop(reply.request_id)
        if isinstance(call.request, TapPort) and reply.ok:
            self._taps.add(reply.value)
            if self.has_left:
                self._end_taps()
        if not call.notification and not self.has_left:
            self._say(rpc.answer(call.id, reply))

    def progress(self, message: Progress) -> None:
        """Something to tell while a call is under way."""
        call = self._calls[message.request_id]
        if not call.notification and not self.has_left:
            self._say(rpc.progress(call.id, message.text))

    def leave(self) -> None:
        """Nobody reads its answers and taps any more."""
        self.has_left = True
        self._end_taps()

    def _end_taps(self) -> None:
        for tap_id in self._taps:
            request = EndTap(request_id=self._next_id(), tap_id=tap_id)
            self._call(rpc.Call(id=None, request=request, notification=True))
        self._taps.clear()

    def _call(self, call: rpc.Call) -> None:
        self._calls[call.request.request_id] = call
        self._ask(call.request)

    def _next_id(self) -> str:
        self._count += 1
        return f"{self.name}.{self._count}"
