"""The actor that stands for a runner in a container: starts it, hands messages in and out, ends with it."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
from collections import deque
from datetime import timedelta
from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress, ActorExitRequest, WakeupMessage, WatchMessage

from actors import __version__
from actors.deployment.container.engine import Engine, NoContainerError
from actors.deployment.container.talk import Talk, TalkError
from actors.ends.log_lines import log_settings
from actors.messages.container_to_stand_in import ContainerBegun
from actors.messages.dispatcher_to_runner import HostRunner, StopRunner
from actors.messages.runner_to_dispatcher import RunnerHosted, RunnerStopped
from actors.system.outer import OuterActor

READ_BYTES = 1 << 18
RETRY = timedelta(seconds=0.01)
END_TIMEOUT_S = 40.0  # longer than the own limit of a runner that ends at once
log = logging.getLogger("runner")


class StandInActor(OuterActor):
    """A child of the dispatcher, in place of the runner's process. It knows no message but by whom it is."""

    def __init__(self) -> None:
        super().__init__()
        self.process: subprocess.Popen[bytes] | None = None
        self.addresses: list[Any] = [None, None]  # by number: its own, and ours
        self.talk = Talk(self._number_of, lambda number: self.addresses[number])
        self.begun = False
        self.left: deque[bytes] = deque()  # what the container has not taken yet

    def handle(self, msg: Any, sender: Any) -> None:
        """Whatever is not of ours is for the runner; of one that never was there is nothing to keep."""
        if isinstance(msg, (HostRunner, WatchMessage, WakeupMessage, ActorExitRequest)):
            super().handle(msg, sender)
        elif self.begun:
            self._say(sender, msg)
        elif isinstance(msg, StopRunner):
            self.send(sender, RunnerStopped(name=self.order.name))

    # the container -------------------------------------------------------------------------------------------------

    def receiveMsg_HostRunner(self, message: HostRunner, sender: ActorAddress) -> None:
        """Start it; it gets this as soon as it is there."""
        self.order, self.dispatcher = message, sender
        self.addresses[1] = sender
        try:
            self.engine = Engine()
            self.engine.check(str(message.container))
            command = self.engine.command(message, log_settings())
            self.engine.remove(message)  # of one before, whose end nobody has seen
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except (NoContainerError, OSError, subprocess.SubprocessError) as error:
            self._fail(f"the runner {message.name}: {error}")
            return
        assert self.process.stdin is not None and self.process.stdout is not None
        self.input, self.output = self.process.stdin.fileno(), self.process.stdout.fileno()
        for fd in (self.input, self.output):
            os.set_blocking(fd, False)
        self.death = os.pidfd_open(self.process.pid)
        self.parent = os.pidfd_open(os.getppid())
        self.watched = [self.output, self.death, self.parent]

    def _fail(self, error: str) -> None:
        self.send(self.dispatcher, RunnerHosted(name=self.order.name, pid=os.getpid(), error=error))

    def receiveMsg_WatchMessage(self, message: WatchMessage, _sender: ActorAddress) -> None:
        """It has said something, or has ended."""
        if self.output in message.ready:
            with contextlib.suppress(BlockingIOError):
                self._hear(os.read(self.output, READ_BYTES))
        elif self.death in message.ready:
            self._over()
        elif self.parent in message.ready:
            log.error("the dispatcher has died: the runner %s stops", self.order.name)
            self._over()

    def _hear(self, data: bytes) -> None:
        if not data:
            self._over()
            return
        try:
            for target, said in self.talk.feed(data):
                if isinstance(said, ContainerBegun):
                    self._begun(said)
                elif isinstance(said, RunnerHosted):
                    self.send(target, replace(said, pid=os.getpid()))
                else:
                    self.send(target, said)
        except TalkError as error:
            log.error("the runner %s in its container: %s; it is ended", self.order.name, error)
            self._over()

    def _begun(self, said: ContainerBegun) -> None:
        if said.version != __version__:
            versions = f"has version {said.version} of the runner, the deployment's is {__version__}"
            self._fail(f"the runner {self.order.name}: the image {self.order.container} {versions}")
            return
        self.begun = True
        log.info("the runner %s is in a container of %s (%d)", self.order.name, self.order.container, said.pid)
        self._say(self.dispatcher, self.order)

    def _over(self) -> None:
        """It has ended: so do we, and whoever has begun us hears that."""
        self.watched = []
        if not self.begun:
            text = f"the container of {self.order.container} has ended before the runner in it was there; see the log"
            self._fail(f"the runner {self.order.name}: {text}")
            return
        self._end()
        self.send(self.myAddress, ActorExitRequest())

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """The outer system goes down: there is no later."""
        self._end()

    def _end(self) -> None:
        """It ends in order when its input does, by force if it does not; nothing of it is left."""
        process, self.process, self.watched = self.process, None, []
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        os.set_blocking(self.input, True)
        with contextlib.suppress(OSError):
            process.stdin.close()
            process.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_TIMEOUT_S)
        with contextlib.suppress(subprocess.SubprocessError):
            self.engine.remove(self.order)
        for fd in (self.death, self.parent):
            os.close(fd)

    # what is said --------------------------------------------------------------------------------------------------

    def _number_of(self, address: Any) -> int | None:
        if not isinstance(address, ActorAddress):
            return None
        if address not in self.addresses:  # they have no hash
            self.addresses.append(address)
        return self.addresses.index(address)

    def _say(self, sender: ActorAddress, message: Any) -> None:
        self.left.append(self.talk.packed((sender, message)))
        self._write()

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """It may take more now."""
        self._write()

    def _write(self) -> None:
        """It reads all the time, and what is said to it is little; one that hangs is ended by its dispatcher."""
        while self.left:
            try:
                written = os.write(self.input, self.left[0])
            except BlockingIOError:
                self.wakeupAfter(RETRY)
                return
            except BrokenPipeError:
                self.left.clear()
                return
            if written == len(self.left[0]):
                self.left.popleft()
            else:
                self.left[0] = self.left[0][written:]
