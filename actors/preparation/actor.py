"""The Preparation actor: makes environments and builds by child processes, each only once. It knows no flows.

A request is a list of recipes; what exists already is held at once, what is being made is waited for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
from collections import deque
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, WakeupMessage

from actors.messages import runner_to_preparation as from_runner
from actors.messages.preparation_to_runner import PreparationClosed, Prepared
from actors.messages.runner_to_client import Progress
from actors.messages.system_to_actor import Ready
from actors.preparation.command import Command
from actors.preparation.environment_keeper import EnvironmentKeeper
from actors.preparation.job import Job, Request
from actors.system.base import BaseActor
from runtimes.environments import Recipe
from runtimes.making import Failure, Making, failure_of, hold, leftovers
from runtimes.sweep import sweep_command

MAX_COMMANDS = max(2, os.cpu_count() or 1)
MAX_COMMAND_S = 3600.0
CANCELLED = "it was cancelled"
log = logging.getLogger("runner.prepare")


class PreparationActor(BaseActor):
    """One per runner: what two flows want is made once."""

    parts = ("keeper",)
    keeper: EnvironmentKeeper

    def receiveMsg_OpenCache(self, message: from_runner.OpenCache, _sender: ActorAddress) -> None:
        """Remove what dead runners have left."""
        self.cache = message.cache
        self.jobs: dict[Path, Job] = {}  # in the order in which they were asked for
        self.keeper = EnvironmentKeeper(self, self.cache, self.jobs, self.delete)
        self.commands: dict[int, tuple[Command, Job | None]] = {}  # by each of their descriptors
        self.closed = False
        self.closers: list[ActorAddress] = []  # those who wait for the end of all commands
        with contextlib.suppress(OSError):  # a cache that is not ours, to be read only
            self.delete(leftovers(self.cache))

    def failed(self, error: Exception, msg: Any, sender: ActorAddress) -> None:
        """A cache that may not be read is no fault of ours: whoever asked gets it in words."""
        if isinstance(error, OSError) and error.filename and hasattr(msg, "request_id"):
            self._answer_failure(msg, sender, f"{error.filename}: {error.strerror}")
        else:
            super().failed(error, msg, sender)

    # requests ------------------------------------------------------------------------------------------------------

    def receiveMsg_Prepare(self, message: from_runner.Prepare, sender: ActorAddress) -> None:
        """Go through the recipes."""
        self._go_on(Request(sender, message.flow, message.key, deque(message.recipes), message.progress))

    def _go_on(self, request: Request) -> None:
        while request.left:
            recipe = request.left[0]
            held = hold(recipe.place)
            if held is None:
                if self.closed:
                    self._refuse(request, recipe, Failure(reason=CANCELLED))
                    return
                job = self.jobs.get(recipe.place)
                if job is None:
                    job = self.jobs[recipe.place] = Job(recipe, [])
                job.waiting.append(request)
                self._begin_jobs()
                return
            with contextlib.suppress(OSError):  # it may be part of an image, and not ours
                os.utime(recipe.place)  # the builds that were used last are kept longest
            request.holds.append(held)
            request.left.popleft()
        self.send(request.client, Prepared(flow=request.flow, key=request.key, holds=tuple(request.holds)))

    def receiveMsg_CancelPreparation(self, message: from_runner.CancelPreparation, _sender: ActorAddress) -> None:
        """For whoever does not want to wait any longer."""
        for job in list(self.jobs.values()):
            for request in list(job.waiting):
                if request.flow == message.flow and message.key in (None, request.key):
                    job.waiting.remove(request)
                    self._refuse(request, job.recipe, Failure(reason=CANCELLED))
            if not job.waiting:
                self._abandon(job)

    def receiveMsg_ClosePreparation(self, _message: from_runner.ClosePreparation, sender: ActorAddress) -> None:
        """The runner ends; answered when no process is left."""
        self.closed = True
        self.closers.append(sender)
        for job in list(self.jobs.values()):
            for request in job.waiting:
                self._refuse(request, job.recipe, Failure(reason=CANCELLED))
            job.waiting = []
            self._abandon(job)
        for command, _ in self.commands.values():
            command.kill()
        self._say_closed()

    def _say_closed(self) -> None:
        if not self.commands:
            for closer in self.closers:
                self.send(closer, PreparationClosed())
            self.closers.clear()

    def _abandon(self, job: Job) -> None:
        """Nobody waits for it any more. Whoever asks from now on begins anew."""
        if job.command is not None:
            del self.jobs[job.recipe.place]
            job.command.kill()  # the rest is done when it has ended
        else:
            self._end(job, Failure(reason=CANCELLED))

    def _refuse(self, request: Request, recipe: Recipe, failure: Failure) -> None:
        for fd in request.holds:
            os.close(fd)
        self.send(request.client, Prepared(flow=request.flow, key=request.key, failed=recipe, failure=failure))

    # jobs ----------------------------------------------------------------------------------------------------------

    def _begin_jobs(self) -> None:
        running = sum(job.command is not None for job in self.jobs.values())
        for job in [job for job in self.jobs.values() if job.making is None]:
            if running < MAX_COMMANDS:
                running += 1
                self._begin(job)

    def _begin(self, job: Job) -> None:
        log.info("%s: preparing", job.recipe.id)
        try:
            job.making = Making(self.cache, job.recipe)
            self._watch(Command(job.making.start), job)
        except OSError as error:
            self._end(job, Failure(reason=f"{error.filename or f'the cache {self.cache}'}: {error.strerror}"))

    def _watch(self, command: Command, job: Job | None) -> None:
        if job is not None:
            job.command = command
            self.wakeupAfter(MAX_COMMAND_S, (command, job))
        for fd in command.fds:
            self.commands[fd] = command, job
            self.system.watch(fd, select.EPOLLIN, self.myAddress)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A command may have taken far too long."""
        command, job = message.payload
        if job.command is command:
            job.stderr.append(f"it was killed: it took longer than {MAX_COMMAND_S:g} s")
            command.kill()

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        """A command has printed something, or ended."""
        found = self.commands.get(message.fd)
        if found is None:
            return
        command, job = found
        if message.fd == command.pid_fd:
            self._ended(command, job)
        else:
            lines, more = command.read(message.fd)
            self._said(command, message.fd, job, lines)
            if not more:
                self.system.unwatch(message.fd)  # the pidfd tells the rest

    def _said(self, command: Command, fd: int, job: Job | None, lines: list[str]) -> None:
        if job is None:
            return
        for line in lines:
            if fd == command.err_fd:
                job.stderr.append(line)
                log.debug("%s: %s", job.recipe.id, line)
            else:
                job.progress = line
                if not job.sizing and not line.startswith('{"errors"'):
                    self._tell(job, line)

    def _tell(self, job: Job, text: str) -> None:
        log.info("%s: %s", job.recipe.id, text)
        for request in job.waiting:
            if request.progress is not None:
                client, request_id = request.progress
                self.send(client, Progress(request_id=request_id, text=text))

    def _ended(self, command: Command, job: Job | None) -> None:
        for fd in (command.out_fd, command.err_fd):
            self._said(command, fd, job, command.read_last(fd))
        for fd in command.fds:
            self.system.unwatch(fd)
            del self.commands[fd]
        status = command.reap()
        if job is None:
            self._say_closed()
            return
        job.command = None
        assert job.making is not None
        if not job.waiting:
            self._end(job, Failure(reason=CANCELLED))
        elif status:
            self._end(job, failure_of(status, [job.progress], list(job.stderr)))
        elif job.sizing:
            self._end(job, job.making.finish(job.progress))
        else:
            job.sizing = True
            self._watch(Command.of(job.making.size_command()), job)

    def _end(self, job: Job, failure: Failure | None) -> None:
        if self.jobs.get(job.recipe.place) is job:
            del self.jobs[job.recipe.place]
        if job.making is not None:
            job.making.release()
            self.delete([job.making.folder])
        if failure is None:
            log.info("%s: prepared", job.recipe.id)
        elif failure.reason != CANCELLED:
            log.info("%s: could not be prepared", job.recipe.id)
        for request in job.waiting:
            if failure is None:
                self._go_on(request)
            else:
                self._refuse(request, job.recipe, failure)
        if failure is None and not job.recipe.has_lock:
            self.keeper.drop_builds()
        self._begin_jobs()
        self._say_closed()

    def delete(self, folders: list[Path]) -> None:
        """Delete folders by a child process: they may be large."""
        if folders and not self.closed:  # else the next runner does it
            self._watch(Command.of(sweep_command(list(map(str, folders)))), None)
