"""Environments and builds: which there are, and which nobody needs any more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from thespian.actors import ActorAddress

from actors.messages import runner_to_preparation as from_runner
from actors.messages.runner_to_client import Reply
from actors.preparation.job import Job
from actors.system.port import Port
from runtimes.environments import finished
from runtimes.making import InUseError, is_used, take_away

MAX_UNUSED_BUILDS = 32
OTHERS = "another runner"


class EnvironmentKeeper:
    """What is in the cache, and what is on its way there: `jobs`. `delete` is told of folders that have no name any
    more.
    """

    def __init__(self, port: Port, cache: Path, jobs: Mapping[Path, Job], delete: Callable[[list[Path]], None]) -> None:
        self._port, self._cache, self._jobs, self._delete = port, cache, jobs, delete

    def receiveMsg_DescribeEnvironments(self, message: from_runner.DescribeEnvironments, _sender: ActorAddress) -> None:
        """Those that are there, and those that are being made."""
        listed = [
            {
                "environmentId": id, "dependencies": about["dependencies"], "locked": about["locked"],
                "state": "ready", "bytes": about["bytes"], "usedBy": self._users(id, message.used_by),
            }
            for id, about in finished(self._cache, "environments").items() if about["runtime"] == message.runtime
        ]  # fmt: skip
        listed += [
            {
                "environmentId": job.recipe.id, "dependencies": job.recipe.about["dependencies"], "locked": [],
                "state": "preparing", "bytes": 0, "usedBy": message.used_by.get(job.recipe.id, []),
                "progress": job.progress,
            }
            for job in self._jobs.values() if job.recipe.has_lock and job.recipe.runtime == message.runtime
        ]  # fmt: skip
        self._port.send(message.client, Reply(request_id=message.request_id, ok=True, value=listed))

    def _users(self, id: str, used_by: dict[str, list[str]]) -> list[str]:
        users = used_by.get(id, [])
        return users if users or not is_used(self._cache / "environments" / id) else [OTHERS]

    def receiveMsg_RemoveEnvironment(self, message: from_runner.RemoveEnvironment, _sender: ActorAddress) -> None:
        """No flow of this runner uses it."""
        place = self._cache / "environments" / message.environment
        here = [id for id, a in finished(self._cache, "environments").items() if a["runtime"] == message.runtime]
        error = None
        if place in self._jobs:
            error = f"{message.environment} is being prepared"
        elif message.environment not in here:
            known = ", ".join(here) or "none"
            error = f"{message.runtime} has no environment {message.environment!r}; it has {known}"
        else:
            try:
                self._delete([take_away(self._cache, place)])
            except InUseError:
                error = f"{message.environment} is in use by {OTHERS}"
            except OSError as problem:
                error = f"{message.environment}: {problem.strerror}"
        self._port.send(
            message.client, Reply(request_id=message.request_id, ok=error is None, value=error is None, error=error)
        )

    def receiveMsg_CollectUnused(self, message: from_runner.CollectUnused, _sender: ActorAddress) -> None:
        """All that nobody needs."""
        removed, size = [], 0
        for kind in ("environments", "builds"):
            for id, about in finished(self._cache, kind).items():
                if about["runtime"] in message.runtimes and id not in message.kept:
                    with contextlib.suppress(InUseError, OSError):
                        self._delete([take_away(self._cache, self._cache / kind / id)])
                        removed.append(id)
                        size += about["bytes"]
        self._port.send(
            message.client, Reply(request_id=message.request_id, ok=True, value={"removed": removed, "bytes": size})
        )

    def drop_builds(self) -> None:
        """Every change of a compiled module makes a build: those that nobody uses do not grow without bound."""
        with contextlib.suppress(OSError):  # another runner may do the same
            places = [self._cache / "builds" / id for id in finished(self._cache, "builds")]
            for place in sorted(places, key=lambda place: place.stat().st_mtime)[:-MAX_UNUSED_BUILDS]:
                with contextlib.suppress(InUseError):
                    self._delete([take_away(self._cache, place)])
