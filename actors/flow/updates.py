"""What asks for an update: another definition, or an earlier one; or that a kept flow goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress

from actors.counted import counted
from actors.definition.share import Share
from actors.flow.answers import FlowAnswers
from actors.flow.kept import Kept
from actors.flow.update.means import Means
from actors.flow.update.update import Update
from actors.host.load import Context
from actors.messages import client_to_runner as api
from actors.messages.runner_to_flow import AddFlow, UpdateFlow
from actors.system.job import Steps

log = logging.getLogger("runner.flow")
Told = Callable[[], None]


class Updates:
    """Of one flow, one after the other. `after`: who sees to what has changed, before the client is answered."""

    def __init__(self, means: Means, answers: FlowAnswers, after: tuple[Told, ...]) -> None:
        self._means, self._answers, self._after = means, answers, after
        self._record = means.record

    def receiveMsg_UpdateFlow(self, message: UpdateFlow, sender: ActorAddress) -> None:
        """Become another version, or only say what that would do."""
        share, left_out, plan_only = message.share, message.left_out, message.request.plan
        steps = lambda: self._expecting(message.request.expected_version, share, left_out, plan_only)  # noqa: E731
        self._add(steps, message.request, sender, left_out, plan_only)

    def _expecting(self, version: int | None, share: Share, left_out: dict[str, str], plan_only: bool) -> Steps:
        """Nobody else's update is undone by one who has not seen it."""
        now = self._record.version
        if version not in (None, now):
            return (f"{share.flow.id} is at version {now}, not {version}: it has been changed meanwhile",), None
        return (yield from self.updating(share, left_out, plan_only=plan_only))

    def receiveMsg_RollbackFlow(self, message: api.RollbackFlow, sender: ActorAddress) -> None:
        """Update to an earlier version."""
        record = self._record
        wanted = [v for v in record.versions if message.version in (None, v.number)]
        if not wanted:
            known = ", ".join(str(version.number) for version in record.versions) or "none"
            what = "earlier version" if message.version is None else f"version {message.version}"
            said = f"{record.flow.id}: there is no {what} to go back to; kept are {known}"
            self._answers.refuse(message, sender, said)
            return
        version = wanted[-1]
        contexts = version.contexts if message.context == "snapshot" else None
        steps = lambda: self.updating(version.share, version.left_out, contexts=contexts)  # noqa: E731
        self._add(steps, message, sender, version.left_out)

    def take_up(self, message: AddFlow, sender: ActorAddress, kept: Kept, settle: Told, leave: Told) -> None:
        """Go on from what was kept; what has changed since is an update. Then `settle`."""
        steps = lambda: self._taking_up(message.share, message.left_out, kept, leave)  # noqa: E731
        self._add(steps, message.request, sender, message.left_out, settle=settle)

    def _add(
        self, steps: Callable[[], Steps], request: Any, client: ActorAddress, left_out: dict[str, str],
        plan_only: bool = False, settle: Told | None = None,
    ) -> None:  # fmt: skip
        def done(result: tuple[tuple[str, ...], dict[str, Any] | None]) -> None:
            errors, receipt = result
            for tell in self._after:
                tell()
            if errors:
                self._answers.refuse(request, client, "\n".join(errors), list(errors))
            else:
                value = receipt if plan_only else True
                self._answers.reply(request, client, value, receipt=receipt, data={"leftOut": left_out})
            if settle is not None:
                settle()

        self._means.jobs.add(steps, done, lambda error: done(((error,), None)))

    def updating(
        self, share: Share, left_out: dict[str, str], *, contexts: dict[str, Context] | None = None,
        plan_only: bool = False,
    ) -> Steps:  # fmt: skip
        """Returns (errors, receipt): with errors the version before goes on as if nothing had been."""
        fed = {feed.module for feed in self._record.ends("in")} - share.modules.keys()
        if fed:
            return (f"{share.flow.id}: {', '.join(sorted(fed))} cannot be removed: it is fed from outside (-i)",), None
        if problem := self._means.journal.problem(share.flow):
            return (problem,), None
        return (yield from Update(self._means, share, left_out, contexts or {}).run(plan_only))

    def _taking_up(self, share: Share, left_out: dict[str, str], kept: Kept, leave: Told) -> Steps:
        messages = self._record.activity.pending
        self._means.wiring.build(kept.facts.states)
        try:
            errors, receipt = yield from self.updating(share, left_out)
        except Exception as error:
            errors, receipt = (self._means.jobs.sentence(error),), None
        if errors:
            yield from self._means.life.take_states()
            yield from self._means.journal.leaving()
            leave()
            return (*errors, kept.still), receipt
        log.info("%s: goes on from where it was stopped, with %s", share.flow.id, counted(messages, "message"))
        return (), receipt
