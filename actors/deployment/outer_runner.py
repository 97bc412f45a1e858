"""The process of a runner under `runner up`: an actor between processes that turns a whole in-process system.

Requests that come as actor messages go to the inner Runner actor, whose replies go back out; the same API is on a Unix
socket (doors/door.py).
"""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, WakeupMessage, WatchMessage

from actors.deployment.doors import open_doors
from actors.deployment.inner_system import InnerSystem
from actors.deployment.member import MemberActor
from actors.deployment.pulse import BEAT_S
from actors.doors.door import be_member
from actors.flow.journalled import flows_in
from actors.messages.client_to_runner import Request
from actors.messages.dispatcher_to_runner import (
    AskRunner,
    HostRunner,
    RegistryAt,
    RelayRequests,
    StopRunner,
)
from actors.messages.owner_to_member import BeMember
from actors.messages.owner_to_runner import CloseJournals, ConfigureRunner, OpenLinks, RunnersKnown, ShutDown
from actors.messages.registry_to_runner import RunnerFenced, RunnersRegistered
from actors.messages.runner_to_client import Progress, Reply
from actors.messages.runner_to_dispatcher import (
    FlowPaused,
    RunnerHosted,
    RunnerSaid,
    RunnerStopped,
    RunnerTurns,
)
from actors.messages.runner_to_registry import RegisterRunner
from actors.preparation.state_folder import RunFolder, next_incarnation
from actors.runner.runner import RunnerActor
from actors.system.outer import OuterActor
from runtimes.manifest import find_versions, load_runtimes, runtime_folders

STOP_TIMEOUT_S = 30.0
LINKS_TIMEOUT_S = 10.0
HEARTBEAT = timedelta(seconds=BEAT_S)
log = logging.getLogger("runner")


class OuterRunner(OuterActor):
    """Between the two systems."""

    def __init__(self) -> None:
        super().__init__()
        self.inner: InnerSystem | None = None
        self.name = ""
        self.registry: ActorAddress | None = None
        self.stopped = False
        self.said: list[Reply | Progress] = []  # to the front, in this turn
        self.errors: tuple[str, ...] = ()
        self.stopper: ActorAddress | None = None

    def receiveMsg_HostRunner(self, message: HostRunner, sender: ActorAddress) -> None:
        """Make the in-process system."""
        self.name = message.name
        try:
            folder = RunFolder(Path(message.state))
            self.incarnation = next_incarnation(Path(f"{message.kept}.incarnation"))
        except OSError as error:
            problem = f"{error.filename or message.state}: {error.strerror}"
            self.send(sender, RunnerHosted(name=message.name, pid=os.getpid(), error=problem))
            return
        runtimes = load_runtimes(runtime_folders())
        find_versions(runtimes[id] for id in message.runtimes or runtimes if id in runtimes)
        self.inner, self.parent_fd = InnerSystem(folder), os.pidfd_open(os.getppid())
        self.watched, system = [*self.inner.descriptors, self.parent_fd], self.inner.system
        self.runner = system.createActor(RunnerActor)
        configure = ConfigureRunner(
            run_folder=folder.path, name=message.name, incarnation=self.incarnation, runtimes=message.runtimes,
            kept=Path(message.kept), journals=Path(message.journals), accept_loss=message.accept_loss,
            journal_lost=_end_at_once, keys=Path(message.keys), traces=message.traces, life=message.life,
        )  # fmt: skip
        system.tell(self.runner, configure)
        failed = self._open_links(message, sender) or open_doors(
            self.inner, self._behind_the_door(message), message.name, Path(message.state), message.gateway
        )
        flows = flows_in(Path(message.journals), message.life) if message.again and message.links is None else None
        hosted = RunnerHosted(
            name=message.name, pid=os.getpid(), incarnation=self.incarnation, error=failed, flows=flows
        )  # fmt: skip
        self.send(sender, hosted)
        self.dispatcher = sender
        self._beat()

    def _behind_the_door(self, message: HostRunner) -> ActorAddress:
        """Whom clients ask who come to this runner."""
        if message.links is None or self.inner is None:
            return self.runner
        member = self.inner.system.createActor(MemberActor)
        be = BeMember(runner=self.runner, name=message.name, deployment=message.links.deployment)
        self.inner.system.tell(member, be)
        return member

    def _open_links(self, message: HostRunner, owner: ActorAddress) -> str | None:
        """To the other runners, if there are any; returns why it cannot be."""
        order = message.links
        if order is None or self.inner is None:
            return None
        be_member(self.inner.folder.path, order.deployment)

        def paused(flow: str, by: str | None) -> None:
            self.send(owner, FlowPaused(runner=message.name, flow=flow, by=by))

        opening = OpenLinks(request_id="links", place=order.place, keys=Path(message.keys), paused=paused)
        reply = self.inner.system.ask(self.runner, opening, LINKS_TIMEOUT_S)
        if not isinstance(reply, Reply) or not reply.ok:
            return reply.error if isinstance(reply, Reply) else "its links are not open in time"
        place = (order.place[0], reply.value)
        self.registry = order.registry
        self.registration = RegisterRunner(name=message.name, incarnation=self.incarnation, place=place)
        return None

    def _beat(self) -> None:
        self.send(self.dispatcher, RunnerTurns(name=self.name))
        if self.registry is not None:
            self.send(self.registry, self.registration)
        self.wakeupAfter(HEARTBEAT)

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """A second has passed."""
        if self.inner is not None:
            self._beat()

    def receiveMsg_RegistryAt(self, message: RegistryAt, _sender: ActorAddress) -> None:
        """The old one has died."""
        self.registry = message.registry

    def receiveMsg_RunnersRegistered(self, message: RunnersRegistered, _sender: ActorAddress) -> None:
        """Where the others are."""
        if self.inner is not None:
            self.inner.system.tell(self.runner, RunnersKnown(places=message.places))

    def receiveMsg_RunnerFenced(self, message: RunnerFenced, _sender: ActorAddress) -> None:
        """Another has taken our place."""
        log.critical("there is a newer incarnation of this runner (%d): it ends", message.incarnation)
        self._stop_now()
        self.send(self.myAddress, ActorExitRequest())

    # between the systems -------------------------------------------------------------------------------------------

    def handled(self) -> None:
        """Turn the inner system for a while."""
        if self.inner is not None:
            self.inner.turn()
            if self.stopped:
                self._close()
        if self.said:
            said, self.said[:] = tuple(self.said), []
            self.send(self.front, RunnerSaid(said=said))

    def receiveMsg_WatchMessage(self, message: WatchMessage, _sender: ActorAddress) -> None:
        """The inner system has something to do, or the dispatcher is dead."""
        if self.inner is None:
            return
        self.inner.woken(message.ready)
        if self.parent_fd in message.ready:
            log.error("the dispatcher has died: the runner stops")
            self._stop_now()
            self.send(self.myAddress, ActorExitRequest())

    def request(self, request: Request, sender: ActorAddress) -> None:
        """Into the inner system, and the reply back out."""
        if self.inner is None:
            self.send(sender, _stopped(request))
        else:
            out = partial(self.send, sender)
            self.inner.carry(self.runner, request, out, out)

    def receiveMsg_RelayRequests(self, message: RelayRequests, _sender: ActorAddress) -> None:
        """A client has asked the dispatcher."""
        for request in message.requests:
            self.request(request, message.client)

    def receiveMsg_AskRunner(self, message: AskRunner, sender: ActorAddress) -> None:
        """The front of the deployment."""
        for request in message.requests:
            if self.inner is not None:
                self.inner.carry(self.runner, request, self.said.append, self.said.append)
            else:
                self.said.append(_stopped(request))
        self.front = sender

    # the end -------------------------------------------------------------------------------------------------------

    def receiveMsg_StopRunner(self, _message: StopRunner, sender: ActorAddress) -> None:
        """Stop in order; `handled` sees the end of it."""
        self.stopper = sender
        if self.inner is None:
            self.send(sender, RunnerStopped(name=self.name))
        else:
            self._shut_down()

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """The outer system goes down: there is no later."""
        if self.inner is not None:
            self._stop_now()

    def _shut_down(self) -> None:
        assert self.inner is not None
        carry = partial(self.inner.carry, self.runner)

        def shut_down(reply: Reply) -> None:
            self.errors = tuple(reply.data or ())
            carry(CloseJournals(request_id=""), closed)

        def closed(_reply: Reply) -> None:
            self.stopped = True

        carry(ShutDown(request_id=""), shut_down)

    def _stop_now(self) -> None:
        assert self.inner is not None
        self._shut_down()
        self.inner.turn_until(lambda: self.stopped, STOP_TIMEOUT_S)
        self._close()

    def _close(self) -> None:
        assert self.inner is not None
        self.watched = []
        self.inner.close()
        self.inner = None
        os.close(self.parent_fd)
        if self.stopper is not None:
            self.send(self.stopper, RunnerStopped(name=self.name, errors=self.errors))


def _stopped(request: Any) -> Reply:
    return Reply(request_id=request.request_id, ok=False, value=False, error="the runner is stopped")


def _end_at_once(sentence: str) -> None:
    """What was acknowledged is durable; of the rest nothing is. Hosts die with us, the dispatcher starts us again."""
    log.critical("%s: the runner ends", sentence)
    os._exit(os.EX_TEMPFAIL)
