"""One update of a flow over its runners, under way: prepared everywhere, then decided, then done everywhere."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from msgspec import structs

from actors.deployment.desired import DesiredFlow
from actors.deployment.front.answers import FrontAnswers, RefusedError
from actors.deployment.front.runners import RunnerAway
from actors.deployment.front.whole import Whole, errors_of
from actors.messages.front_to_flow import AdvanceUpdate, DecideUpdate, PrepareUpdate
from actors.messages.runner_to_client import Reply
from actors.system.job import Steps

TRIES = 10  # to tell a runner of the decision that does not take it
log = logging.getLogger("runner.front")


class JointUpdate:
    """From `old` to `new`; `name`: no other update of the deployment has it. If modules have another runner in `new`,
    nothing else is different.
    """

    def __init__(
        self, whole: Whole, answers: FrontAnswers, old: DesiredFlow, new: DesiredFlow, name: str,
        contexts_of: int | None,
    ) -> None:  # fmt: skip
        self._whole, self._answers, self._old, self._new, self._name = whole, answers, old, new, name
        self._contexts_of, self._moves = contexts_of, old.moves_to(new)
        self._runners = [*old.runners, *(runner for runner in new.runners if runner not in old.runners)]
        self._begun = whole.incarnations(self._runners)

    def enter(self, phase: str) -> None:
        """Note how far it has come; tests hook in here."""
        log.debug("%s: update of %s: %s", self._old.id, ", ".join(self._runners), phase)

    def planning(self) -> Steps:
        """Returns what it would do, by runner."""
        prepare = structs.replace(self._prepare(), plan=True)
        return (yield from self._whole.ask(self._old, dict.fromkeys(self._old.runners, prepare)))

    def run(self) -> Steps:
        """All of it. Returns the replies of the runners; raises RefusedError: then everything is as it was."""
        try:
            return (yield from self._running())
        finally:
            self._answers.let_go(self._old.id)

    def _running(self) -> Steps:
        try:
            decided = yield from self._preparing()
            self.enter("deciding")
            if self._begun != self._whole.incarnations(self._runners):
                raise RefusedError("a runner was lost on the way")
            self._answers.decide(decided)
        except RefusedError as error:
            yield from self._giving_up()
            told = f"{self._old.id}: {error}; the version before goes on" if error.data is None else str(error)
            raise RefusedError(told, error.data) from None
        self.enter("committing")
        return (yield from self._telling(commit=True))

    def _preparing(self) -> Steps:
        """Up to where it is sure to work everywhere. Returns what is to be decided."""
        self.enter("preparing")
        said = yield from self._all(dict.fromkeys(self._runners, self._prepare()))
        if all(reply.value["nothing"] for reply in said.values()):
            return replace(self._old, document=self._new.document)
        unsettled = {module for reply in said.values() for module in reply.value["unsettled"]}
        paused = any(reply.value["paused"] for reply in said.values())
        self.enter("loading")
        yield from self._advance("load", tuple(sorted(unsettled)), paused)
        self.enter("holding")
        held = yield from self._advance("hold")
        cover = next((reply.value for reply in held.values() if isinstance(reply.value, list)), [])
        self.enter("draining")
        places = self._old.places
        for runner, modules in groupby((module for module in cover if module in places), lambda module: places[module]):
            dry = AdvanceUpdate(flow_id=self._old.id, update=self._name, step="dry", modules=tuple(modules))
            yield from self._all({runner: dry})
        if self._moves:
            self._answers.hold_back(self._old.id)
        self.enter("switching")
        yield from self._advance("switch")
        return self._new

    def _prepare(self) -> PrepareUpdate:
        return PrepareUpdate(
            flow=self._new.document, update=self._name, number=self._new.version, before=self._old.version,
            contexts_of=self._contexts_of, moves=self._moves,
        )  # fmt: skip

    def _advance(self, step: Any, modules: tuple[str, ...] = (), paused: bool = False) -> Steps:
        order = AdvanceUpdate(flow_id=self._old.id, update=self._name, step=step, modules=modules, paused=paused)
        return (yield from self._all(dict.fromkeys(self._runners, order)))

    def _all(self, requests: Mapping[str, Any]) -> Steps:
        replies: dict[str, Reply] = yield from self._whole.ask(self._old, requests, hasty=bool(self._moves))
        if lost := [name for name, reply in replies.items() if isinstance(reply, RunnerAway)]:
            raise RefusedError(f"{', '.join(lost)}: the runner was lost on the way")
        if errors := errors_of(replies):
            raise RefusedError("\n".join(errors), errors)
        return replies

    # the decision --------------------------------------------------------------------------------------------------

    def _giving_up(self) -> Steps:
        replies = yield from self._telling(commit=False)
        for error in errors_of({name: reply for name, reply in replies.items() if not isinstance(reply, RunnerAway)}):
            log.error("%s", error)

    def _telling(self, *, commit: bool) -> Steps:
        """Until each has it, or is another runner, which comes with what is decided. Returns their replies."""
        order = DecideUpdate(flow_id=self._old.id, update=self._name, commit=commit)
        replies: dict[str, Reply] = {}
        missing: Iterable[str] = self._runners
        for _ in range(TRIES):
            replies |= yield from self._whole.ask(self._old, dict.fromkeys(missing, order))
            same = self._whole.incarnations(self._runners)
            missing = [
                name for name, reply in replies.items()
                if isinstance(reply, RunnerAway) and same.get(name) == self._begun.get(name, 0)
            ]  # fmt: skip
            if not missing:
                break
        return replies
