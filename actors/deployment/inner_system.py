"""An in-process system inside an actor between processes: its one descriptor is the epoll of the inner system, so both
turn in one thread. With it goes the run folder, where clients find its door.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
import weakref
from collections.abc import Callable, Collection
from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.messages.outer_to_porter import Carry
from actors.messages.runner_to_client import Notification, Progress, Reply
from actors.preparation.state_folder import RunFolder
from actors.system.base import BaseActor
from actors.system.in_process import ActorSystem

SLICE_S = 0.02  # then the outer system has its turn


class PorterActor(BaseActor):
    """Inside: asks an actor on behalf of the outside."""

    def receiveMsg_Carry(self, message: Carry, _sender: ActorAddress) -> None:
        """A request comes in."""
        self._carried: dict[str, Carry] = getattr(self, "_carried", {})
        self._carried[message.request.request_id] = message
        self.send(message.to, message.request)

    def receiveMsg_Progress(self, message: Progress, _sender: ActorAddress) -> None:
        """How far it is."""
        self._carried[message.request_id].progress(message)

    def receiveMsg_Notification(self, message: Notification, _sender: ActorAddress) -> None:
        """Subscriptions are for those that come by a door."""

    def receiveMsg_Reply(self, message: Reply, _sender: ActorAddress) -> None:
        """A reply goes out."""
        self._carried.pop(message.request_id).done(message)


class InnerSystem:
    """The outer actor watches `descriptors`, tells `woken` which are ready, and calls `turn` after every handler."""

    def __init__(self, folder: RunFolder) -> None:
        self.system, self.folder = ActorSystem(), folder
        self._base = self.system.base
        # Readable while inner messages are pending: the epoll alone does not tell.
        self._busy_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._porter = self.system.createActor(PorterActor)
        self._count = 0
        _live.add(self)

    @property
    def descriptors(self) -> list[int]:
        """Those that the outer actor is to watch."""
        return [self._base.fileno(), self._busy_fd]

    def woken(self, ready: Collection[int]) -> None:
        """These descriptors are ready."""
        if self._busy_fd in ready:
            os.eventfd_read(self._busy_fd)

    def turn(self) -> None:
        """For a while; what is left wakes the outer actor again."""
        base, until = self._base, time.monotonic() + SLICE_S
        base.turn()
        while base.busy and time.monotonic() < until:
            base.turn()
        if base.busy:
            os.eventfd_write(self._busy_fd, 1)

    def turn_until(self, done: Callable[[], bool], limit_s: float) -> None:
        """Without the outer system, which has to wait."""
        base, until = self._base, time.monotonic() + limit_s
        while not done() and (left := until - time.monotonic()) > 0:
            if not base.busy:
                select.select([base.fileno()], [], [], left)
            base.turn()

    def carry(
        self, to: ActorAddress, request: Any, done: Callable[[Reply], None],
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:  # fmt: skip
        """Ask an inner actor; the answers have the id that the request has outside."""
        self._count += 1
        outside = request.request_id
        carry = Carry(
            request=replace(request, request_id=f"outer-{self._count}"), to=to,
            done=lambda reply: done(replace(reply, request_id=outside)),
            progress=lambda said: progress(replace(said, request_id=outside)),
        )  # fmt: skip
        self.system.tell(self._porter, carry)

    def close(self) -> None:
        """In order: also the folder."""
        _live.discard(self)
        self.system.shutdown()
        self.folder.close()
        os.close(self._busy_fd)

    def forget(self) -> None:
        """In a process that has been forked: it has nothing of this."""
        for fd in (*self._base.descriptors(), self._busy_fd):
            with contextlib.suppress(OSError):
                os.close(fd)
        self.folder.forget()


_live: weakref.WeakSet[InnerSystem] = weakref.WeakSet()
_forgotten: list[InnerSystem] = []  # kept: its sockets would close what has their numbers by then


def _forget_all() -> None:
    for inner in list(_live):
        _live.discard(inner)
        _forgotten.append(inner)
        inner.forget()


os.register_at_fork(after_in_child=_forget_all)
