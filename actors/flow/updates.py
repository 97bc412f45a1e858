"""What asks for an update: another definition, or an earlier one; or that a kept flow goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from thespian.actors import ActorAddress

from actors.counted import counted
from actors.definition.share import Share
from actors.flow.answers import FlowAnswers
from actors.flow.kept import Kept
from actors.flow.moved import Moved
from actors.flow.update.joint import Joint, Order
from actors.flow.update.means import Means
from actors.flow.update.update import Update
from actors.host.load import Context
from actors.messages import client_to_runner as api
from actors.messages.arrival_to_flow import ModulesArrived
from actors.messages.front_to_flow import DecideUpdate
from actors.messages.runner_to_flow import AddFlow, JoinUpdate, UpdateFlow
from actors.system.answers import Answers
from actors.system.job import Steps

log = logging.getLogger("runner.flow")
Told = Callable[[], None]


def version_rows(numbered: Iterable[tuple[int, dict[str, Any]]]) -> list[dict[str, Any]]:
    """What listVersions answers, of number and document; the last is the one that runs."""
    rows = [{"version": number, "current": False, "document": document} for number, document in numbered]
    rows[-1]["current"] = True
    return rows


class Updates:
    """Of one flow, one after the other. `after`: who sees to what has changed, before the client is answered."""

    def __init__(self, means: Means, answers: FlowAnswers, after: tuple[Told, ...]) -> None:
        self._means, self._answers, self._after = means, answers, after
        self._record = means.record
        self._joint: dict[str, Joint] = {}  # those that other runners have parts of, by name

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

    def receiveMsg_ListVersions(self, message: api.ListVersions, sender: ActorAddress) -> None:
        """Those that can be gone back to, and the one of now."""
        record = self._record
        kept = [(version.number, version.share.flow.document) for version in record.versions]
        self._answers.reply(message, sender, version_rows([*kept, (record.version, record.flow.document)]))

    # one that other runners have parts of --------------------------------------------------------------------------

    def receiveMsg_JoinUpdate(self, message: JoinUpdate, _sender: ActorAddress) -> None:
        """Begin the part here."""
        request, port, jobs = message.request, self._means.port, self._means.jobs
        joint = Joint(self._record, jobs, Answers(port), request, message.client)
        self._joint[joint.name] = joint

        def done(result: tuple[tuple[str, ...], dict[str, Any] | None]) -> None:
            del self._joint[joint.name]
            for tell in self._after:
                tell()
            errors = [error for error in result[0] if error != joint.given_up]
            if joint.asked is None:  # it has ended by itself
                return
            if errors or (joint.given_up is not None and not isinstance(joint.asked[0], DecideUpdate)):
                self._answers.refuse(*joint.asked, "\n".join(result[0]), list(result[0]))
            else:
                value = result[1] if request.plan else True
                self._answers.reply(*joint.asked, value, receipt=result[1], data={"leftOut": message.left_out})

        jobs.add(lambda: self._joining(message, joint), done, lambda error: done(((error,), None)))

    def _joining(self, message: JoinUpdate, joint: Joint) -> Steps:
        if joint.given_up is not None:
            return (joint.given_up,), None
        request, contexts = message.request, None
        if request.contexts_of is not None:
            found = [version for version in self._record.versions if version.number == request.contexts_of]
            if not found:
                told = f"{message.share.flow.id}: the contexts of version {request.contexts_of} are not here any more"
                return (told,), None
            contexts = found[-1].contexts
        return (
            yield from self.updating(
                message.share,
                message.left_out,
                contexts=contexts,
                plan_only=request.plan,
                joint=None if request.plan else joint,
            )
        )

    def receiveMsg_AdvanceUpdate(self, message: Order, sender: ActorAddress) -> None:
        """One step more, or the decision."""
        joint = self._joint.get(message.update)
        if joint is not None:
            joint.take(message, sender)
        elif isinstance(message, DecideUpdate) and not message.commit:
            self._answers.reply(message, sender)  # it has been given up already
        else:
            self._answers.refuse(message, sender, f"{self._record.flow.id}: no such update is under way")

    receiveMsg_DecideUpdate = receiveMsg_AdvanceUpdate

    def receiveMsg_ModulesArrived(self, message: ModulesArrived, _sender: ActorAddress) -> None:
        """Another runner has given what moves from there to here."""
        if message.update in self._joint:
            self._joint[message.update].arrives(message)

    def give_up(self, why: str) -> None:
        """Those that wait for others are not to stand here; it may be that others have decided that they do."""
        for joint in list(self._joint.values()):  # one that waits may end here and now
            joint.in_doubt = True
            joint.give_up(why)

    # how -----------------------------------------------------------------------------------------------------------

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
        plan_only: bool = False, joint: Joint | None = None,
    ) -> Steps:  # fmt: skip
        """Returns (errors, receipt): with errors the version before goes on as if nothing had been."""
        fed = {feed.module for feed in self._record.ends("in") if feed.runner is None} - share.modules.keys()
        if fed:
            return (f"{share.flow.id}: {', '.join(sorted(fed))} cannot be removed: it is fed from outside (-i)",), None
        if problem := self._means.journal.problem(share.flow):
            return (problem,), None
        return (yield from Update(self._means, share, left_out, contexts or {}, joint).run(plan_only))

    def _note_moved(self, kept: Kept, moved: Moved) -> None:
        self._means.journal.note_moved(kept.facts.states, moved)
        if moved:
            self._means.wiring.crossings.note()

    def _taking_up(self, share: Share, left_out: dict[str, str], kept: Kept, leave: Told) -> Steps:
        messages = self._record.activity.pending
        self._means.wiring.build(kept.facts.states)
        if (moved := kept.moved) is not None:
            self._means.journal.unit(lambda: self._note_moved(kept, moved))
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
