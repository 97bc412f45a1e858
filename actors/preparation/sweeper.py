"""The Sweeper actor: removes what hosts and commands have left, and ends what still runs of them.

Mostly that is next to nothing, and done here in slices. If it is more, or if a process is left, a child process does
it: it may be a million files, and processes that fork.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from thespian.actors import ActorAddress, WakeupMessage

from actors.messages.sweeper_to_runner import SweeperClosed
from actors.messages.system_to_actor import Ready
from actors.messages.to_sweeper import CloseSweeper, SweepFolders
from actors.preparation.command import Command
from actors.preparation.watched import Watched
from actors.system.base import BaseActor
from runtimes.sweep import marked, remove, sweep_command

MAX_FOLDERS = 500  # at a time: they are words of a command
SLICE_S, PAUSE_S = 0.001, 0.01
log = logging.getLogger("runner.sweep")


class SweeperActor(BaseActor):
    """One per runner: a slice at a time, or a child process for what takes longer."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Path] = []
        self.steps: Iterator[None] | None = None  # of the work under way
        self.command: Watched | None = None  # the child process
        self.closed = False
        self.closers: list[ActorAddress] = []  # those who wait for the end of the process

    def receiveMsg_SweepFolders(self, message: SweepFolders, _sender: ActorAddress) -> None:
        """At once, or together with others when what is under way has ended."""
        self.waiting += message.folders
        if self.steps is None and self.command is None:
            self._go_on()

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """Time for the next slice."""
        self._go_on()

    def _go_on(self) -> None:
        until = time.monotonic() + SLICE_S
        while self.command is None and not self.closed:
            if self.steps is None:
                if not self.waiting:
                    return
                some, self.waiting = self.waiting[:MAX_FOLDERS], self.waiting[MAX_FOLDERS:]
                self.steps = self._sweeping(list(map(str, some)))
            for _ in self.steps:
                if time.monotonic() > until:
                    self.wakeupAfter(PAUSE_S)
                    return
            self.steps = None

    def _sweeping(self, folders: list[str]) -> Iterator[None]:
        for is_left in marked(folders):
            if is_left:
                self._begin(folders)
                return
            yield
        large = []
        for folder in folders:
            if not remove(folder, time.monotonic() + SLICE_S):
                large.append(folder)
            yield
        if large:
            self._begin(large)

    def _begin(self, folders: list[str]) -> None:
        try:
            command = Command.of(sweep_command(folders))
        except OSError as error:  # the end of the run folder, or the next runner, does it
            log.error("what hosts have left cannot be removed: %s", error.strerror)
            return
        self.command = Watched(command, self.system, self.myAddress, _say)

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        """It has said something, or ended."""
        if self.command is None or not self.command.ready(message.fd):
            return
        self.command = None
        self._go_on()
        self._tell_closed()

    def receiveMsg_CloseSweeper(self, _message: CloseSweeper, sender: ActorAddress) -> None:
        """What has begun is given up: the rest goes faster with the run folder as a whole."""
        self.closed = True
        self.closers.append(sender)
        if self.command is not None:
            self.command.kill()
        self._tell_closed()

    def _tell_closed(self) -> None:
        if self.command is None:
            for closer in self.closers:
                self.send(closer, SweeperClosed())
            self.closers.clear()


def _say(lines: list[str]) -> None:
    for line in lines:
        log.warning("%s", line)
