"""The in-process actor system: a Thespian system base with one epoll, a timer heap on one timerfd, and bounded slices.

It knows nothing of flows. `ActorSystem` below is used alone (`run_until`) or inside an outer actor, which watches
`fileno()` and calls `turn()` when it is readable.
"""

from __future__ import annotations

import ctypes
import gc
import heapq
import logging
import math
import os
import select
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ChildActorExited, WakeupMessage
from thespian.actors import ActorSystem as ThespianSystem
from thespian.system.simpleSystemBase import ActorSystemBase, External

from actors.messages.system_to_actor import QuietPoint, Ready

MAX_SENDS_PER_SLICE = 1000
MAX_TIMER_S = 1e9
GARBAGE_OBJECTS = 20_000  # Python's 700 are a third of a second of collections while 10,000 modules are loaded
_TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_CLOCK_MONOTONIC = 1
_new = tuple.__new__  # half the time of Ready(...)
_libc = ctypes.CDLL(None, use_errno=True)
log = logging.getLogger("runner.system")


class _Timerfd:
    """A timer in the epoll (os.timerfd_create comes only with Python 3.13)."""

    def __init__(self) -> None:
        self.fd = _libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_FLAGS)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")

    def set(self, delay_s: float) -> None:
        """Fire once after `delay_s` seconds, at once for 0 or less."""
        nanoseconds = max(1, int(delay_s * 1e9))
        spec = (ctypes.c_long * 4)(0, 0, nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000)
        _libc.timerfd_settime(self.fd, 0, ctypes.byref(spec), None)


Actor.handlers = {}  # Thespian's own stand-ins for the outside are dispatched like ours


class ShortWay:
    """An actor whose `send` goes straight to the queue, and whose handlers the system finds and calls itself; one that
    raises is told to `failed(error, msg, sender)`.
    """

    handlers: dict[type, Callable[..., None]] = {}  # noqa: RUF012  of the class, unless an actor has its own
    queue: deque[tuple[ActorAddress, Any, ActorAddress]]
    address: ActorAddress

    def send(self, targetAddr: ActorAddress, msg: Any) -> None:
        """Queue a message; it is handled after all that are queued already."""
        self.queue.append((targetAddr, msg, self.address))


class SlowHandler(NamedTuple):
    """What a handler took, whose it was, and what it was given."""

    spent_s: float
    actor: str
    message: str


class InProcessBase(ActorSystemBase):
    """Thespian's simple system with a deque, a timer heap and an epoll in place of its lists and sleeps."""

    def __init__(self, system: ThespianSystem) -> None:
        self._queue: deque[tuple[ActorAddress, Any, ActorAddress]] = deque()
        super().__init__(system, logDefs=False)
        self._pendingSends = self._queue  # Thespian's own name, for what it still appends to itself
        self._epoll = select.epoll()
        self._timerfd = _Timerfd()
        self._epoll.register(self._timerfd.fd, select.EPOLLIN)
        self._timers: list[tuple[float, int, ActorAddress, Any]] = []
        self._timer_count = 0
        self._timer_armed = 0.0
        self._watchers: dict[int, ActorAddress] = {}
        self._quiet: deque[ActorAddress] = deque()
        # glibc maps large buffers anew for each read until one larger than its threshold (at most 32 MiB) was freed.
        bytes(30 << 20)  # calloc: not bytearray, which would touch every page
        gc.set_threshold(GARBAGE_OBJECTS)
        self.dead_messages = 0
        self.failures = 0
        system.capabilities["Thespian ActorSystem Name"] = "inProcess"

    def _newRefAndActor(self, *arguments: Any, **options: Any) -> Any:
        """Thespian's own, and the short way to the queue for our actors."""
        ref = super()._newRefAndActor(*arguments, **options)
        if isinstance(ref._inst, ShortWay):
            ref._inst.queue, ref._inst.address = self._queue, ref._addr
        return ref

    # what actors ask for -------------------------------------------------------------------------------------------

    def actor_send(self, fromActor: ActorAddress, toActor: ActorAddress, msg: Any) -> None:
        """Queue a message, for actors that have no short way."""
        self._queue.append((toActor, msg, fromActor))

    def wakeupAfter(self, fromActor: ActorAddress, timePeriod: Any, payload: Any) -> None:
        """Send WakeupMessage(payload) to the actor after `timePeriod` (seconds or timedelta)."""
        seconds = timePeriod if isinstance(timePeriod, (int, float)) else timePeriod.total_seconds()
        seconds = min(max(0.0, seconds), MAX_TIMER_S)  # in this order nan is 0
        self._timer_count += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._timer_count, fromActor, payload))
        self._arm_timer()

    def watch(self, fd: int, events: int, owner: ActorAddress) -> None:
        """Send Ready(fd, events) to `owner` whenever `fd` is ready; again with other events changes them."""
        if fd in self._watchers:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._watchers[fd] = owner

    def unwatch(self, fd: int) -> None:
        """Stop watching; call it before closing the descriptor."""
        if self._watchers.pop(fd, None) is not None:
            self._epoll.unregister(fd)
            # A Ready that still waits would be taken for whatever gets the number next.
            for entry in [entry for entry in self._queue if type(entry[1]) is Ready and entry[1].fd == fd]:
                self._queue.remove(entry)

    def descriptors(self) -> list[int]:
        """All that this system has open for itself or watches."""
        return [self._epoll.fileno(), self._timerfd.fd, *self._watchers]

    def has_children(self, actor: ActorAddress) -> bool:
        """Whether an actor that it has begun is still there."""
        return bool(self.actorRegistry[actor.actorAddressString]._yung)

    def ask_quiet_point(self, owner: ActorAddress) -> None:
        """Send QuietPoint to `owner` when no message is pending; no descriptor is read until its effects have run."""
        self._quiet.append(owner)

    # the loop ------------------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """The epoll's descriptor: readable when there is something to do for an idle system."""
        return int(self._epoll.fileno())

    def turn(self, block: bool = False) -> None:
        """Take in what is ready (waiting for it if `block` and nothing is pending), then run at most one slice."""
        self._poll(-1 if block and not self._queue and not self._quiet else 0)
        self._run_slice()

    @property
    def busy(self) -> bool:
        """Whether messages are pending without any descriptor being ready."""
        return bool(self._queue or self._quiet)

    def run_until(self, done: Callable[[], bool]) -> None:
        """Turn until `done()`, which is asked after every turn; waits while there is nothing to do."""
        while not done():
            self.turn(block=True)

    def _poll(self, timeout: float) -> None:
        timer_fd = self._timerfd.fd
        for fd, events in self._epoll.poll(timeout):
            if fd == timer_fd:
                self._fire_timers()
                continue
            owner = self._watchers.get(fd)
            if owner is not None:
                self._queue.append((owner, _new(Ready, (fd, events)), owner))

    def watch_handlers(self, slow_s: float) -> list[SlowHandler]:
        """From now on every handler that takes more processor time than that is put into the list. For the bench."""
        slow: list[SlowHandler] = []
        run = self._run_slice

        def watched(most: int = MAX_SENDS_PER_SLICE) -> None:
            for _ in range(most):
                if not self._queue:
                    break
                to, message, _ = self._queue[0]
                actor = type(getattr(self.actorRegistry.get(to._aaddr), "_inst", None)).__name__
                begun = time.thread_time()
                run(1)
                if (spent_s := time.thread_time() - begun) > slow_s:
                    slow.append(SlowHandler(spent_s, actor, type(message).__name__))
            if not self._queue:
                run(0)  # a quiet point

        self._run_slice = watched  # type: ignore[method-assign]
        return slow

    def _run_slice(self, most: int = MAX_SENDS_PER_SLICE) -> None:
        queue, registry = self._queue, self.actorRegistry
        for _ in range(most):
            if not queue:
                break
            to, message, sender = queue.popleft()
            ref = registry.get(to._aaddr)
            actor = ref._inst if ref is not None else None
            if actor is None:
                self._count_dead(to, message)
                continue
            kind = type(message)
            handler = actor.handlers.get(kind)
            if handler is None:
                actor.receiveMessage(message, sender)
            else:
                try:
                    handler(actor, message, sender)
                except Exception as error:
                    actor.failed(error, message, sender)
            if kind is ActorExitRequest:
                self._remove(to, ref)
        while self._quiet and not queue:
            owner = self._quiet.popleft()
            queue.append((owner, QuietPoint(), owner))
            while queue:
                self._run_slice()

    def _count_dead(self, to: ActorAddress, message: Any) -> None:
        if isinstance(message, (WakeupMessage, Ready, ChildActorExited)):
            return  # of a life that has ended: nothing is lost
        self.dead_messages += 1
        log.error("a message to an actor that is gone: %s to %s", type(message).__name__, to)

    def _remove(self, address: ActorAddress, ref: Any) -> None:
        del self.actorRegistry[address.actorAddressString]
        ref.instance = None
        for fd in [fd for fd, owner in self._watchers.items() if owner == address]:
            self.unwatch(fd)
        parent = self.actorRegistry.get(ref.parent.actorAddressString)
        if parent is not None:
            parent.removeChild(address)
            if not isinstance(parent._inst, External):
                self._queue.append((ref.parent, ChildActorExited(address), address))

    def _fire_timers(self) -> None:
        try:
            os.read(self._timerfd.fd, 8)
        except BlockingIOError:
            return  # set again meanwhile
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, _, address, payload = heapq.heappop(self._timers)
            self._queue.append((address, WakeupMessage(0, payload), address))
        self._timer_armed = 0.0
        self._arm_timer()

    def _arm_timer(self) -> None:
        if self._timers and (not self._timer_armed or self._timers[0][0] < self._timer_armed):
            self._timer_armed = self._timers[0][0]
            self._timerfd.set(self._timer_armed - time.monotonic())

    # Thespian's outside calls --------------------------------------------------------------------------------------

    def tell(self, anActor: ActorAddress, msg: Any) -> None:
        """Queue a message from outside; it runs in the next turn."""
        self.actor_send(self.actorRegistry["System:ExternalRequester"].address, anActor, msg)

    def ask(self, anActor: ActorAddress, msg: Any, timeout: Any) -> Any:
        """Send from outside and turn until something is answered; None after `timeout` seconds."""
        self.tell(anActor, msg)
        return self.listen(timeout)

    def listen(self, timeout: Any) -> Any:
        """Turn until an answer to the outside arrives; None after `timeout` seconds."""
        requester = self.actorRegistry["System:ExternalRequester"]
        responses = requester.instance.__dict__.setdefault("responses", [])
        deadline = math.inf
        if timeout is not None:
            seconds = timeout if isinstance(timeout, (int, float)) else timeout.total_seconds()
            deadline = time.monotonic() + seconds
            self.wakeupAfter(self.system.systemAddress, seconds, None)  # so that the wait ends
        self.run_until(lambda: bool(responses) or time.monotonic() >= deadline)
        return responses.pop(0) if responses else None

    def shutdown(self) -> None:
        """Close the descriptors; actors are not asked, stop them before."""
        super().shutdown()
        self._epoll.close()
        os.close(self._timerfd.fd)


class ActorSystem(ThespianSystem):
    """An in-process system of its own: `ActorSystem()`; base and system each need the other, hence the override."""

    def __init__(self) -> None:
        super().__init__(transientUnique=True)

    def _startupActorSys(self, _current: Any, _base: Any, capabilities: Any, _log_defs: Any) -> InProcessBase:
        self.systemAddress = ActorAddress("/ActorSys")
        self.capabilities = dict(capabilities or {})
        self._systemBase = InProcessBase(self)
        return self._systemBase

    @property
    def base(self) -> InProcessBase:
        """The base, which has the loop."""
        return self._systemBase
