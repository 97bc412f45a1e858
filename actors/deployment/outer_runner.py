"""The process of a runner under `runner up`: an actor between processes that turns a whole in-process system.

Its one descriptor is the inner system's epoll, so both systems turn in one thread. Requests that come as actor
messages go to the inner Runner actor, whose replies go back out; the same API is on a Unix socket (doors/door.py).
"""

from __future__ import annotations

import logging
import os
import select
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, WakeupMessage, WatchMessage

from actors.doors.door import open_door
from actors.messages.client_to_runner import Request
from actors.messages.dispatcher_to_runner import HaltRunner, HostRunner, RegistryAt, RelayRequest, StopRunner
from actors.messages.outer_to_porter import Carry
from actors.messages.owner_to_runner import CloseJournals, ConfigureRunner, Halt, OpenLinks, RunnersKnown, ShutDown
from actors.messages.registry_to_runner import RunnerFenced, RunnersRegistered
from actors.messages.runner_to_client import Progress, Reply
from actors.messages.runner_to_dispatcher import RunnerHalted, RunnerHosted, RunnerStopped
from actors.messages.runner_to_registry import RegisterRunner
from actors.preparation.state_folder import RunFolder, next_incarnation
from actors.runner.runner import RunnerActor
from actors.system.base import BaseActor
from actors.system.in_process import ActorSystem
from actors.system.outer import OuterActor
from runtimes.manifest import find_versions, load_runtimes, runtime_folders

SLICE_S = 0.02  # then the outer system has its turn
STOP_TIMEOUT_S = 30.0
LINKS_TIMEOUT_S = 10.0
HEARTBEAT = timedelta(seconds=1)
log = logging.getLogger("runner")


class PorterActor(BaseActor):
    """Inside the in-process system: asks the Runner actor on behalf of the outside."""

    def receiveMsg_Carry(self, message: Carry, _sender: ActorAddress) -> None:
        """A request comes in."""
        self._carried: dict[str, Carry] = getattr(self, "_carried", {})
        self._carried[message.request.request_id] = message
        self.send(message.runner, message.request)

    def receiveMsg_Progress(self, message: Progress, _sender: ActorAddress) -> None:
        """Nobody outside asks for it yet: it is in the log."""

    def receiveMsg_Reply(self, message: Reply, _sender: ActorAddress) -> None:
        """A reply goes out."""
        self._carried.pop(message.request_id).done(message)


class OuterRunner(OuterActor):
    """Between the two systems."""

    def __init__(self) -> None:
        super().__init__()
        self.system: ActorSystem | None = None
        self.name = ""
        self.count = 0
        self.stopped = False
        self.errors: tuple[str, ...] = ()
        self.stopper: ActorAddress | None = None

    def receiveMsg_HostRunner(self, message: HostRunner, sender: ActorAddress) -> None:
        """Make the in-process system."""
        try:
            self.name, self.folder = message.name, RunFolder(Path(message.state))
        except OSError as error:
            problem = f"{message.state}: {error.strerror}"
            self.send(sender, RunnerHosted(name=message.name, pid=os.getpid(), error=problem))
            return
        runtimes = load_runtimes(runtime_folders())
        find_versions(runtimes[id] for id in message.runtimes or runtimes if id in runtimes)
        self.system = ActorSystem()
        self.parent_fd = os.pidfd_open(os.getppid())
        # Readable while inner messages are pending: the epoll alone does not tell.
        self.busy_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.watched = [self.system.base.fileno(), self.busy_fd, self.parent_fd]
        self.runner = self.system.createActor(RunnerActor)
        configure = ConfigureRunner(
            run_folder=self.folder.path, name=message.name, runtimes=message.runtimes, kept=Path(message.kept),
            journals=Path(message.journals), accept_loss=message.accept_loss, journal_lost=_end_at_once,
        )  # fmt: skip
        self.system.tell(self.runner, configure)
        self.porter = self.system.createActor(PorterActor)
        failed = self._open_links(message) or open_door(self.system, self.runner, self.folder.path, message.name)
        self.send(sender, RunnerHosted(name=message.name, pid=os.getpid(), error=failed))

    def _open_links(self, message: HostRunner) -> str | None:
        """To the other runners, if there are any; returns why it cannot be."""
        order = message.links
        if order is None or self.system is None:
            return None
        try:
            incarnation = next_incarnation(Path(f"{message.kept}.incarnation"))
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        opening = OpenLinks(
            request_id="links", place=(order.bind, 0), keys=Path(order.keys), incarnation=incarnation
        )  # fmt: skip
        reply = self.system.ask(self.runner, opening, LINKS_TIMEOUT_S)
        if not isinstance(reply, Reply) or not reply.ok:
            return reply.error if isinstance(reply, Reply) else "its links are not open in time"
        place = (order.bind, reply.value)
        self.registry = order.registry
        self.registration = RegisterRunner(name=message.name, incarnation=incarnation, place=place)
        self._register()
        return None

    def _register(self) -> None:
        self.send(self.registry, self.registration)
        self.wakeupAfter(HEARTBEAT)

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """A second has passed."""
        if self.system is not None:
            self._register()

    def receiveMsg_RegistryAt(self, message: RegistryAt, _sender: ActorAddress) -> None:
        """The old one has died."""
        self.registry = message.registry

    def receiveMsg_RunnersRegistered(self, message: RunnersRegistered, _sender: ActorAddress) -> None:
        """Where the others are."""
        if self.system is not None:
            self.system.tell(self.runner, RunnersKnown(places=message.places))

    def receiveMsg_RunnerFenced(self, message: RunnerFenced, _sender: ActorAddress) -> None:
        """Another has taken our place."""
        log.critical("there is a newer incarnation of this runner (%d): it ends", message.incarnation)
        self._stop_now()
        self.send(self.myAddress, ActorExitRequest())

    # between the systems -------------------------------------------------------------------------------------------

    def handled(self) -> None:
        """Turn the inner system for a while."""
        if self.system is None:
            return
        base, until = self.system.base, time.monotonic() + SLICE_S
        base.turn()
        while base.busy and time.monotonic() < until:
            base.turn()
        if base.busy:
            os.eventfd_write(self.busy_fd, 1)
        if self.stopped:
            self._close()

    def receiveMsg_WatchMessage(self, message: WatchMessage, _sender: ActorAddress) -> None:
        """The inner system has something to do, or the dispatcher is dead."""
        if self.system is None:
            return
        if self.busy_fd in message.ready:
            os.eventfd_read(self.busy_fd)
        if self.parent_fd in message.ready:
            log.error("the dispatcher has died: the runner stops")
            self._stop_now()
            self.send(self.myAddress, ActorExitRequest())

    def request(self, request: Request, sender: ActorAddress) -> None:
        """Into the inner system, and the reply back out."""
        if self.system is None:
            self.send(
                sender, Reply(request_id=request.request_id, ok=False, value=False, error="the runner is stopped")
            )
            return
        self._carry(request, lambda reply: self.send(sender, replace(reply, request_id=request.request_id)))

    def receiveMsg_RelayRequest(self, message: RelayRequest, _sender: ActorAddress) -> None:
        """A client has asked the dispatcher."""
        self.request(message.request, message.client)

    def _carry(self, request: Any, done: Callable[[Reply], None]) -> None:
        assert self.system is not None
        self.count += 1
        inner = replace(request, request_id=f"outer-{self.count}")
        self.system.tell(self.porter, Carry(request=inner, runner=self.runner, done=done))

    # the end -------------------------------------------------------------------------------------------------------

    def receiveMsg_HaltRunner(self, _message: HaltRunner, sender: ActorAddress) -> None:
        """The others end as well."""
        self._carry(Halt(request_id=""), lambda _: self.send(sender, RunnerHalted(name=self.name)))

    def receiveMsg_StopRunner(self, _message: StopRunner, sender: ActorAddress) -> None:
        """Stop in order; `handled` sees the end of it."""
        self.stopper = sender
        if self.system is None:
            self.send(sender, RunnerStopped(name=self.name))
        else:
            self._shut_down()

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """The outer system goes down: there is no later."""
        if self.system is not None:
            self._stop_now()

    def _shut_down(self) -> None:
        def shut_down(reply: Reply) -> None:
            self.errors = tuple(reply.data or ())
            self._carry(CloseJournals(request_id=""), closed)

        def closed(_reply: Reply) -> None:
            self.stopped = True

        self._carry(ShutDown(request_id=""), shut_down)

    def _stop_now(self) -> None:
        assert self.system is not None
        base, until = self.system.base, time.monotonic() + STOP_TIMEOUT_S
        self._shut_down()
        while not self.stopped and (left := until - time.monotonic()) > 0:
            if not base.busy:
                select.select([base.fileno()], [], [], left)
            base.turn()
        self._close()

    def _close(self) -> None:
        assert self.system is not None
        self.watched = []
        self.system.shutdown()
        self.system = None
        self.folder.close()
        os.close(self.busy_fd)
        os.close(self.parent_fd)
        if self.stopper is not None:
            self.send(self.stopper, RunnerStopped(name=self.name, errors=self.errors))


def _end_at_once(sentence: str) -> None:
    """What was acknowledged is durable; of the rest nothing is. Hosts die with us, the dispatcher starts us again."""
    log.critical("%s: the runner ends", sentence)
    os._exit(os.EX_TEMPFAIL)
