"""A flow is added, becomes another version, or an earlier one: on all its runners or on none.

An update has two phases. Up to the decision everything can be left as it is; the decision is what stands in the desired
state, and each runner does its part of it, or comes back with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from msgspec import structs
from thespian.actors import ActorAddress

from actors.definition.places import listed
from actors.deployment.desired import DesiredFlow, DesiredState
from actors.deployment.front.answers import FrontAnswers, RefusedError
from actors.deployment.front.joint_update import JointUpdate
from actors.deployment.front.placing import Placing
from actors.deployment.front.turns import Turns
from actors.deployment.front.whole import Whole, errors_of, left_out, merged_receipt
from actors.messages import client_to_runner as api
from actors.messages.front_to_flow import JoinPause
from actors.messages.runner_to_client import Reply
from actors.system.job import Steps

log = logging.getLogger("runner.front")


class Updates:
    """Of all flows, each in its turn."""

    def __init__(
        self, answers: FrontAnswers, whole: Whole, turns: Turns, desired: DesiredState, placing: Placing,
        paused_by: Callable[[str], str | None],
    ) -> None:  # fmt: skip
        self._answers, self._whole, self._turns, self._desired = answers, whole, turns, desired
        self._placing, self._paused_by = placing, paused_by
        self._count = 0
        self._receipts: dict[str, dict[str, Any]] = {}  # by flow

    def receiveMsg_AddOrUpdateFlow(self, message: api.AddOrUpdateFlow, sender: ActorAddress) -> None:
        """Check it; then add it, or let the running one be replaced."""
        flow_id = str(message.flow.get("id"))
        self._answers.by_steps(message, sender, self._turns.of(flow_id, lambda: self._applying(message)))

    def receiveMsg_RollbackFlow(self, message: api.RollbackFlow, sender: ActorAddress) -> None:
        """Update to an earlier version."""
        self._answers.by_steps(message, sender, self._turns.of(message.flow_id, lambda: self._going_back(message)))

    def receiveMsg_LastReceipt(self, message: api.LastReceipt, sender: ActorAddress) -> None:
        """That of the whole; of what no update has touched since the deployment is up, those of the runners."""
        self._answers.by_steps(message, sender, self._receipt(message))

    def last_receipt(self, flow_id: str) -> dict[str, Any] | None:
        """What the last update did, if there was one since the deployment is up."""
        return self._receipts.get(flow_id)

    def _receipt(self, message: api.LastReceipt) -> Steps:
        flow = self._answers.flow(message.flow_id)
        if flow.id in self._receipts:
            return self._receipts[flow.id]
        replies = yield from self._whole.runners.ask_all(dict.fromkeys(flow.runners, message))
        if errors := errors_of(replies):
            raise RefusedError("\n".join(errors), errors)
        return merged_receipt(
            flow, {name: structs.replace(reply, receipt=reply.value) for name, reply in replies.items()}
        )

    # what is asked for ---------------------------------------------------------------------------------------------

    def _applying(self, message: api.AddOrUpdateFlow) -> Steps:
        known = self._desired.flows.get(str(message.flow.get("id")))
        expected = message.expected_version
        if known is None and expected is not None:
            raise RefusedError(f"there is no flow {message.flow.get('id')!r} here: it has no version")
        if known is not None and expected not in (None, known.version):
            told = f"{known.id} is at version {known.version}, not {expected}: it has been changed meanwhile"
            raise RefusedError(told)
        document = self._placing.placed(message.flow, known)
        if known is None:
            return (yield from self._adding(DesiredFlow(document=document, running=False), message.plan))
        return (yield from self._updating(known, document, plan=message.plan))

    def _going_back(self, message: api.RollbackFlow) -> Steps:
        flow = self._answers.flow(message.flow_id)
        wanted = [one for one in flow.earlier if message.version in (None, one[0])]
        if not wanted:
            known = ", ".join(str(number) for number, _ in flow.earlier) or "none"
            what = "earlier version" if message.version is None else f"version {message.version}"
            raise RefusedError(f"{flow.id}: there is no {what} to go back to; kept are {known}")
        number, document = wanted[-1]
        document = flow.places_in(document)
        contexts_of = number if message.context == "snapshot" else None
        return (yield from self._updating(flow, self._placing.placed(document, flow), contexts_of=contexts_of))

    def _adding(self, flow: DesiredFlow, plan: bool) -> Steps:
        """Tried everywhere first, since what a runner has kept of it must not be lost by an error of another."""
        yield from self._whole.there(flow.runners)
        asked = api.AddOrUpdateFlow(flow=flow.document, plan=True)
        replies = yield from self._whole.ask(flow, dict.fromkeys(flow.runners, asked))
        if not plan and not errors_of(replies):
            replies = yield from self._whole.ask(flow, dict.fromkeys(flow.runners, structs.replace(asked, plan=False)))
        if errors := errors_of(replies):
            added = [] if plan else [name for name, reply in replies.items() if reply.ok]
            yield from self._whole.ask(flow, dict.fromkeys(added, api.RemoveFlow(flow_id=flow.id)))
            raise RefusedError("\n".join(errors), errors)
        receipt = merged_receipt(flow, replies)
        if not plan:
            self._answers.decide(flow)
            self._receipts[flow.id] = receipt
        return _done(receipt, replies, plan)

    # an update -----------------------------------------------------------------------------------------------------

    def _updating(
        self, known: DesiredFlow, document: dict[str, Any], *, plan: bool = False, contexts_of: int | None = None
    ) -> Steps:
        flow = known.followed_by(document)
        moves = known.moves_to(flow)
        if not moves or plan:
            return (yield from self.becoming(known, flow, plan=plan, contexts_of=contexts_of))
        moved = known.moved(flow.places)
        reply: Reply = yield from self.becoming(
            known, moved
        )  # with what they are, then they become what they are to be
        if moved.document == document:
            return reply
        try:
            reply = yield from self.becoming(moved, moved.followed_by(document), contexts_of=contexts_of)
        except RefusedError as error:
            data = error.data if isinstance(error.data, list) else [str(error)]
            there = f"{flow.id}: before that {listed(moves)} moved, and stays there"
            raise RefusedError("\n".join([*data, there]), [*data, there]) from None
        assert reply.receipt is not None
        self._receipts[known.id] = receipt = _with_moves(reply.receipt, moves)
        return structs.replace(reply, receipt=receipt)

    def becoming(
        self, known: DesiredFlow, flow: DesiredFlow, *, plan: bool = False, contexts_of: int | None = None
    ) -> Steps:
        """On all runners, or on none."""
        fresh = [name for name in flow.runners if name not in known.runners]
        yield from self._whole.there([*known.runners, *fresh])
        if plan:
            return (yield from self._planning(known, flow, fresh))
        self._count += 1
        joint = JointUpdate(self._whole, self._answers, known, flow, f"{flow.id}-{self._count}", contexts_of)
        try:
            yield from self._bringing(known, fresh)  # they have an empty part of it until it stands
            replies = yield from joint.run()
        except RefusedError:
            yield from self._whole.ask(known, dict.fromkeys(fresh, api.RemoveFlow(flow_id=flow.id)))
            raise
        left = [name for name in known.runners if name not in flow.runners]
        yield from self._whole.ask(flow, dict.fromkeys(left, api.RemoveFlow(flow_id=flow.id)))
        receipt = _with_moves(merged_receipt(self._desired.flows[flow.id], replies), known.moves_to(flow))
        self._receipts[flow.id] = receipt
        log.info("%s: version %d on %s", flow.id, receipt["version"], ", ".join(flow.runners))
        return _done(receipt, replies)

    def _planning(self, known: DesiredFlow, flow: DesiredFlow, fresh: list[str]) -> Steps:
        joint = JointUpdate(self._whole, self._answers, known, flow, "plan", None)
        replies = yield from joint.planning()
        first = api.AddOrUpdateFlow(flow=flow.document, plan=True)
        replies |= yield from self._whole.ask(flow, dict.fromkeys(fresh, first))
        if errors := errors_of(replies):
            raise RefusedError("\n".join(errors), errors)
        receipt = merged_receipt(replace(flow, version=known.version), replies)
        return _done(_with_moves(receipt, known.moves_to(flow)), replies, plan=True)

    def _bringing(self, known: DesiredFlow, fresh: list[str]) -> Steps:
        requests: list[api.Request] = [api.AddOrUpdateFlow(flow=known.document)]
        if known.running:
            requests.append(api.StartFlow(flow_id=known.id))
        if (by := self._paused_by(known.id)) is not None:
            requests.append(JoinPause(flow_id=known.id, by=by))
        for request in requests:
            replies = yield from self._whole.ask(known, dict.fromkeys(fresh, request))
            if errors := errors_of(replies):
                raise RefusedError("\n".join(errors), errors)


def _with_moves(receipt: dict[str, Any], moves: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    rows = {name: _moved_row(row, moves[name][0]) if name in moves else row for name, row in receipt["modules"].items()}
    return {**receipt, "modules": rows}


def _moved_row(row: dict[str, Any], before: str) -> dict[str, Any]:
    """What is new to the runner that it is on now is not new."""
    did = "moved" if row["did"] in ("added", "untouched") else row["did"]
    return {**row, "did": did, "movedFrom": before}


def _done(receipt: dict[str, Any], replies: dict[str, Reply], plan: bool = False) -> Reply:
    data = {"leftOut": left_out(replies)}
    return Reply(request_id="", ok=True, value=receipt if plan else True, receipt=receipt, data=data)
