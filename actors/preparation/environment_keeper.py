"""The half of the Preparation actor that knows what there is: it lists and removes environments and builds."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress

from actors.messages import runner_to_preparation as from_runner
from actors.messages.runner_to_client import Reply
from actors.preparation.command import Command
from actors.system.base import BaseActor
from runtimes.environments import Recipe, finished
from runtimes.making import STDERR_LINES, InUseError, Making, is_used, take_away

MAX_UNUSED_BUILDS = 32
OTHERS = "another runner"


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


class EnvironmentKeeper(BaseActor):
    """What is in the cache, and what is on its way there."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = Path()
        self.jobs: dict[Path, Job] = {}  # in the order in which they were asked for

    def delete(self, folders: list[Path]) -> None:
        """Delete folders that have no name any more."""
        raise NotImplementedError

    def failed(self, error: Exception, msg: Any, sender: ActorAddress) -> None:
        """A cache that may not be read is no fault of ours: whoever asked gets it in words."""
        if isinstance(error, OSError) and error.filename and hasattr(msg, "request_id"):
            self._answer_failure(msg, sender, f"{error.filename}: {error.strerror}")
        else:
            super().failed(error, msg, sender)

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
                self.delete([take_away(self.cache, place)])
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
                        self.delete([take_away(self.cache, self.cache / kind / id)])
                        removed.append(id)
                        size += about["bytes"]
        self.send(
            message.client, Reply(request_id=message.request_id, ok=True, value={"removed": removed, "bytes": size})
        )

    def drop_builds(self) -> None:
        """Every change of a compiled module makes a build: those that nobody uses do not grow without bound."""
        with contextlib.suppress(OSError):  # another runner may do the same
            places = [self.cache / "builds" / id for id in finished(self.cache, "builds")]
            for place in sorted(places, key=lambda place: place.stat().st_mtime)[:-MAX_UNUSED_BUILDS]:
                with contextlib.suppress(InUseError):
                    self.delete([take_away(self.cache, place)])
