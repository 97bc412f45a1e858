"""One client of the Runner API, wherever its lines come from: its calls in flight, its taps. Knows no socket."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from actors.doors import rpc
from actors.messages.client_to_runner import EndTap, Request, Subscribe, TapPort, Unsubscribe
from actors.messages.door_to_flow import ShowWhole
from actors.messages.runner_to_client import Notification, Progress, Reply

MAX_CALLS_IN_FLIGHT = 256
_ENDS: dict[type[Request], Callable[[str], Request]] = {
    TapPort: lambda id: EndTap(tap_id=id),
    Subscribe: lambda id: Unsubscribe(subscription_id=id),
}


Say = Callable[[bytes], None]


def _to_nobody(_line: bytes) -> None:
    """Takes what a client does not want."""


class _Batch:
    """The answers to several calls, said together when the last one has come."""

    def __init__(self, say: Say, count: int) -> None:
        self._say, self._left, self._answers = say, count, list[bytes]()

    def add(self, answer: bytes) -> None:
        """One of them, in any order."""
        self._answers.append(answer)
        self._left -= 1
        if not self._left:
            self._say(rpc.batch(self._answers))


class Caller:
    """`ask` passes a request on, `say` gets each answer for the client, a line, `tell` what it is told meanwhile, if it
    has room for that, having read what came before.

    Its requests' ids are `NAME.NUMBER`.
    """

    def __init__(
        self, name: str, ask: Callable[[Request], None], say: Say, tell: Say = _to_nobody,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self.name, self._ask, self._say, self._tell, self._has_room = name, ask, say, tell, has_room
        self._count = 0
        self._calls: dict[str, tuple[rpc.Call, Say]] = {}  # by request id
        self._opened: dict[str, Callable[[str], Request]] = {}  # taps and subscriptions, and what ends them
        self._missed: set[str] = set()  # subscriptions that were not told something
        self.has_left = False

    @property
    def in_flight(self) -> int:
        """Calls that have no answer yet."""
        return len(self._calls)

    @property
    def is_full(self) -> bool:
        """Whether it has to wait for answers before it may ask for more."""
        return len(self._calls) >= MAX_CALLS_IN_FLIGHT

    def take(self, line: bytes) -> bool:
        """A line of JSON-RPC. Returns whether it is answered, now or later: notifications are not."""
        calls, answers, together = rpc.parse(line, self._next_id)
        say = self._say
        if together:
            say = _Batch(say, len(answers) + sum(not call.notification for call in calls)).add
        for answer in answers:
            say(answer)
        for call in calls:
            self._call(call, say)
        return bool(answers) or any(not call.notification for call in calls)

    def answer(self, reply: Reply) -> None:
        """The runner's answer goes to the client, unless it has left."""
        call, say = self._calls.pop(reply.request_id)
        ends = _ENDS.get(type(call.request))
        if ends is not None and reply.ok:
            self._opened[reply.value] = ends
            if self.has_left:
                self._end_all()
        if not call.notification and not self.has_left:
            say(rpc.answer(call.id, reply))

    def progress(self, message: Progress) -> None:
        """Something to tell while a call is under way."""
        call, _ = self._calls[message.request_id]
        if not call.notification and not self.has_left:
            self._tell(rpc.progress(call.id, message.text))

    def notify(self, message: Notification) -> None:
        """A subscription is told something. What it has missed it gets whole, as soon as it reads again."""
        subscription = message.subscription_id
        if self.has_left:
            return
        if not self._has_room():
            self._missed.add(subscription)
            return
        if subscription in self._missed and not message.whole:
            self._tell_runner(ShowWhole(request_id=self._next_id(), subscription_id=subscription))
            return
        self._missed.discard(subscription)
        self._tell(rpc.notification(message.method, message.params))

    def leave(self) -> None:
        """Nobody reads its answers, taps and subscriptions any more."""
        self.has_left = True
        self._end_all()

    def _end_all(self) -> None:
        for id, ends in self._opened.items():
            self._tell_runner(replace(ends(id), request_id=self._next_id()))
        self._opened.clear()

    def _tell_runner(self, request: Request) -> None:
        """What the client does not know of."""
        self._call(rpc.Call(id=None, request=request, notification=True), _to_nobody)

    def _call(self, call: rpc.Call, say: Say) -> None:
        self._calls[call.request.request_id] = call, say
        self._ask(call.request)

    def _next_id(self) -> str:
        self._count += 1
        return f"{self.name}.{self._count}"
