"""The calls about dependencies: all runners that offer the runtime are asked, one after the other where something is
made or removed, since those on one machine share what they make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.deployment.front.answers import FrontAnswers, RefusedError
from actors.deployment.front.runners import Runners
from actors.messages import client_to_runner as api
from actors.messages.front_to_runner import CollectOthers, ListUsed
from actors.messages.runner_to_client import Progress, Reply
from actors.preparation.environment_keeper import OTHERS
from actors.system.job import Steps


class FrontDependencies:
    """Answers for all runners of a deployment."""

    def __init__(self, answers: FrontAnswers, runners: Runners, send: Callable[[ActorAddress, Any], None]) -> None:
        self._answers, self._runners, self._send = answers, runners, send

    def receiveMsg_ListDependencies(self, message: api.ListDependencies, sender: ActorAddress) -> None:
        """Each environment once, with the runners that have it and the flows of all that use it."""
        self._answers.by_steps(message, sender, self._listing(message.runtime_id))

    def _listing(self, runtime_id: str) -> Steps:
        request = api.ListDependencies(runtime_id=runtime_id)
        replies = yield from self._runners.ask_all(dict.fromkeys(self._offering(runtime_id), request))
        found: dict[str, dict[str, Any]] = {}
        for runner, reply in replies.items():
            if not reply.ok:
                return reply
            for row in reply.value:
                known = found.setdefault(row["environmentId"], {**row, "usedBy": [], "runners": []})
                known["usedBy"] += [user for user in row["usedBy"] if user not in known["usedBy"]]
                known["runners"].append(runner)
        for row in found.values():
            row["usedBy"] = [user for user in row["usedBy"] if user != OTHERS] or row["usedBy"]
        return list(found.values())

    def receiveMsg_InstallDependencies(self, message: api.InstallDependencies, sender: ActorAddress) -> None:
        """On all that offer the runtime."""
        progress = lambda said: self._send(sender, replace(said, request_id=message.request_id))  # noqa: E731
        self._answers.by_steps(message, sender, self._installing(message, progress))

    def _installing(self, message: api.InstallDependencies, progress: Callable[[Progress], None]) -> Steps:
        installed: list[str] = []
        for runner in self._offering(message.runtime_id):
            reply: Reply = (yield from self._runners.ask_all({runner: message}, progress=progress))[runner]
            if not reply.ok:
                there = f"; on {', '.join(installed)} it is installed" if installed else ""
                raise RefusedError(f"{runner}: {reply.error}{there}", reply.data)
            installed.append(runner)
        return reply

    def receiveMsg_CancelDependencies(self, message: api.CancelDependencies, sender: ActorAddress) -> None:
        """Wherever it is being installed."""
        self._answers.by_steps(message, sender, self._cancelling(message))

    def _cancelling(self, message: api.CancelDependencies) -> Steps:
        replies = yield from self._runners.ask_all(dict.fromkeys(self._offering(message.runtime_id), message))
        return next((reply for reply in replies.values() if reply.ok), next(iter(replies.values())))

    def receiveMsg_RemoveDependencies(self, message: api.RemoveDependencies, sender: ActorAddress) -> None:
        """Refused while a flow on any runner uses it."""
        self._answers.by_steps(message, sender, self._removing(message))

    def _removing(self, message: api.RemoveDependencies) -> Steps:
        listed = yield from self._listing(message.runtime_id)
        if isinstance(listed, Reply):
            return listed
        row = next((row for row in listed if row["environmentId"] == message.environment_id), None)
        if row is not None and row["usedBy"]:
            raise RefusedError(f"{message.environment_id} is in use by {', '.join(row['usedBy'])}")
        removed: list[str] = []
        refusal: Reply | None = None
        for runner in self._offering(message.runtime_id) if row is None else row["runners"]:
            reply: Reply = yield from self._runners.ask(runner, message)
            if reply.ok:
                removed.append(runner)
            else:  # of one machine: the first has removed it for all
                refusal = refusal or reply
        return True if removed else refusal

    def receiveMsg_CollectDependencies(self, message: api.CollectDependencies, sender: ActorAddress) -> None:
        """What was removed anywhere. A runner does not know what only a stopped flow of another uses; so all say it."""
        self._answers.by_steps(message, sender, self._collecting(message))

    def _collecting(self, message: api.CollectDependencies) -> Steps:
        asked = self._runners.names if message.runtime_id is None else self._offering(message.runtime_id)
        used: set[str] = set()
        question = ListUsed(runtime_id=message.runtime_id)
        replies: dict[str, Reply] = yield from self._runners.ask_all(dict.fromkeys(asked, question))
        for runner, said in replies.items():
            if not said.ok:
                raise RefusedError(f"nothing is removed: {runner}: {said.error}", said.data)
            used.update(said.value)
        removed: list[str] = []
        size = 0
        order = CollectOthers(runtime_id=message.runtime_id, used=tuple(sorted(used)))
        for runner in asked:
            reply: Reply = yield from self._runners.ask(runner, order)
            if not reply.ok:
                raise RefusedError(f"{runner}: {reply.error}", reply.data)
            removed += [id for id in reply.value["removed"] if id not in removed]
            size += reply.value["bytes"]
        return {"removed": removed, "bytes": size}

    def _offering(self, runtime_id: str) -> list[str]:
        """If no runner does, the first one says what is wrong with it."""
        able = [one.name for one in self._runners.all.values() if one.runtimes is None or runtime_id in one.runtimes]
        return able or self._runners.names[:1]
