"""The Preparation actor: makes environments and builds by child processes, each only once. It knows no flows.

A request is a list of recipes; what exists already is held at once, what is being made is waited for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from thespian.actors import ActorAddress, WakeupMessage

from actors.base import BaseActor
from actors.command import Command
from actors.messages import runner_to_preparation as from_runner
from actors.messages.preparation_to_runner import PreparationClosed, Prepared
from actors.messages.runner_to_client import Progress, Reply
from actors.messages.system_to_actor import Ready
from runtimes.environments import Recipe, finished
from runtimes.making import STDERR_LINES, Failure, InUseError, Making, failure_of, hold, is_used, leftovers, take_away

MAX_COMMANDS = max(2, os.cpu_count() or 1)
MAX_COMMAND_S = 3600.0
MAX_UNUSED_BUILDS = 32
CANCELLED = "it was cancelled"
OTHERS = "another runner"
log = logging.getLogger("runner.prepare")


@dataclass(slots=True, eq=False)
class Request:
    """Somebody who waits."""

    client: ActorAddress
    flow: str
    key: str
    left: deque[Recipe]
    progress: tuple[ActorAddress, str] | None  # who is told what the command prints
    holds: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Job:
    """One folder that is to be made, and who waits for it."""

    recipe: Recipe
    waiting: list[Request]
    making: Making | None = None  # None: it has not begun
    command: Command | None = None
    sizing: bool = False  # the command has succeeded, its result is being measured
    stderr: deque[str] = field(default_factory=lambda: deque(maxlen=STDERR_LINES))
    progress: str = ""  # its last line


class PreparationActor(BaseActor):
    """One per runner."""

    def receiveMsg_OpenCache(self, message: from_runner.OpenCache, _sender: ActorAddress) -> None:
        """Remove what dead runners have left."""
        self.cache = message.cache
        self.jobs: dict[Path, Job] = {}  # in the order in which they were asked for
        self.commands: dict[int, tuple[Command, Job | None]] = {}  # by each of their descriptors
        self.closing: ActorAddress | None = None
        self._delete(leftovers(self.cache))

    # requests ------------------------------------------------------------------------------------------------------

    def receiveMsg_Prepare(self, message: from_runner.Prepare, sender: ActorAddress) -> None:
        """Go through the recipes."""
        self._go_on(Request(sender, message.flow, message.key, deque(message.recipes), message.progress))

    def _go_on(self, request: Request) -> None:
        while request.left:
            recipe = request.left[0]
            held = hold(recipe.place)
            if held is None:
                if self.closing is not None:
                    self._refuse(request, recipe, Failure(reason=CANCELLED))
                    return
                job = self.jobs.get(recipe.place)
                if job is None:
                    job = self.jobs[recipe.place] = Job(recipe, [])
                job.waiting.append(request)
                self._begin_jobs()
                return
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
        self.closing = sender
        for job in list(self.jobs.values()):
            for request in job.waiting:
                self._refuse(request, job.recipe, Failure(reason=CANCELLED))
            job.waiting = []
            self._abandon(job)
        for command, _ in self.commands.values():
            command.kill()
        self._say_closed()

    def _say_closed(self) -> None:
        if self.closing is not None and not self.commands:
            self.send(self.closing, PreparationClosed())

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
            self._end(job, Failure(reason=f"{job.recipe.command[0]} cannot be started: {error}"))

    def _watch(self, command: Command, job: Job | None) -> None:
        if job is not None:
            job.command = command
            self.wakeupAfter(MAX_COMMAND_S, command)
        for fd in command.fds:
            self.commands[fd] = command, job
            self.system.watch(fd, select.EPOLLIN, self.myAddress)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A command has taken far too long."""
        message.payload.kill()

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        """A command has printed something, or ended."""
        found = self.commands.get(message.fd)
        if found is None:
            return
        command, job = found
        if message.fd == command.pid_fd:
            self._ended(command, job)
        elif not self._read(command, message.fd, job):
            self.system.unwatch(message.fd)  # the pidfd tells the rest

    def _read(self, command: Command, fd: int, job: Job | None) -> bool:
        lines, more = command.read(fd)
        if job is None:
            return more
        for line in lines:
            if fd == command.err_fd:
                job.stderr.append(line)
                log.debug("%s: %s", job.recipe.id, line)
            else:
                job.progress = line
                if not job.sizing and not line.startswith('{"errors"'):
                    self._tell(job, line)
        return more

    def _tell(self, job: Job, text: str) -> None:
        log.info("%s: %s", job.recipe.id, text)
        for request in job.waiting:
            if request.progress is not None:
                client, request_id = request.progress
                self.send(client, Progress(request_id=request_id, text=text))

    def _ended(self, command: Command, job: Job | None) -> None:
        for fd in (command.out_fd, command.err_fd):
            while self._read(command, fd, job):
                pass
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
            self._delete([job.making.folder])
        if failure is None:
            log.info("%s: prepared", job.recipe.id)
            if not job.recipe.has_lock:
                self._drop_builds()
        elif failure.reason != CANCELLED:
            log.info("%s: could not be prepared", job.recipe.id)
        for request in job.waiting:
            if failure is None:
                self._go_on(request)
            else:
                self._refuse(request, job.recipe, failure)
        self._begin_jobs()
        self._say_closed()

    # taking away ---------------------------------------------------------------------------------------------------

    def receiveMsg_DescribeEnvironments(self, message: from_runner.DescribeEnvironments, _sender: ActorAddress) -> None:
        """Those that are there, and those that are being made."""
        listed = [
            {
                "environmentId": id, "dependencies": about["dependencies"], "locked": about["locked"],
                "state": "ready", "bytes": about["bytes"], "usedBy": self._users(id, message.used_by),
            }
            for id, about in finished(self.cache, "environments").items() if about["runtime"] == message.runtime
        ]  # fmt: skip
        listed += [
            {
                "environmentId": job.recipe.id, "dependencies": job.recipe.about["dependencies"], "locked": [],
                "state": "preparing", "bytes": 0, "usedBy": message.used_by.get(job.recipe.id, []),
                "progress": job.progress,
            }
            for job in self.jobs.values() if job.recipe.has_lock and job.recipe.runtime == message.runtime
        ]  # fmt: skip
        self.send(message.client, Reply(request_id=message.request_id, ok=True, value=listed))

    def _users(self, id: str, used_by: dict[str, list[str]]) -> list[str]:
        users = used_by.get(id, [])
        return users if users or not is_used(self.cache / "environments" / id) else [OTHERS]

    def receiveMsg_RemoveEnvironment(self, message: from_runner.RemoveEnvironment, _sender: ActorAddress) -> None:
        """No flow of this runner uses it."""
        place = self.cache / "environments" / message.environment
        here = [id for id, a in finished(self.cache, "environments").items() if a["runtime"] == message.runtime]
        error = None
        if place in self.jobs:
            error = f"{message.environment} is being prepared"
        elif message.environment not in here:
            known = ", ".join(here) or "none"
            error = f"{message.runtime} has no environment {message.environment!r}; it has {known}"
        else:
            try:
                self._delete([take_away(self.cache, place)])
            except InUseError:
                error = f"{message.environment} is in use by {OTHERS}"
            except OSError as problem:
                error = f"{message.environment}: {problem.strerror}"
        self.send(
            message.client, Reply(request_id=message.request_id, ok=error is None, value=error is None, error=error)
        )

    def receiveMsg_CollectUnused(self, message: from_runner.CollectUnused, _sender: ActorAddress) -> None:
        """All that nobody needs."""
        removed, size = [], 0
        for kind in ("environments", "builds"):
            for id, about in finished(self.cache, kind).items():
                if about["runtime"] in message.runtimes and id not in message.kept:
                    with contextlib.suppress(InUseError, OSError):
                        self._delete([take_away(self.cache, self.cache / kind / id)])
                        removed.append(id)
                        size += about["bytes"]
        self.send(
            message.client, Reply(request_id=message.request_id, ok=True, value={"removed": removed, "bytes": size})
        )

    def _delete(self, folders: list[Path]) -> None:
        """Delete folders by a child process: they may be large."""
        if folders and self.closing is None:  # else the next runner does it
            self._watch(Command.of(["rm", "-rf", *map(str, folders)]), None)

    def _drop_builds(self) -> None:
        """Every change of a compiled module makes a build: those that nobody uses do not grow without bound."""
        ids = finished(self.cache, "builds")
        places = sorted((self.cache / "builds" / id for id in ids), key=lambda place: place.stat().st_mtime)
        for place in places[:-MAX_UNUSED_BUILDS]:
            with contextlib.suppress(InUseError, OSError):
                self._delete([take_away(self.cache, place)])
