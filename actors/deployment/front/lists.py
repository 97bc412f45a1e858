"""What is asked of the whole: every runner answers for its part, and the parts are put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.deployment.desired import DesiredFlow, DesiredState
from actors.deployment.front.answers import FrontAnswers, RefusedError
from actors.deployment.front.by_module import named
from actors.deployment.front.merged import AWAY, merged_state, state_of
from actors.deployment.front.runners import RunnerAway, Runners
from actors.flow.updates import version_rows
from actors.messages import client_to_runner as api
from actors.messages.runner_to_client import Reply
from actors.state.explain import explain
from actors.system.job import Steps

LOOK_WITHIN_S = 3.0


class Lists:
    """Asks all runners that have anything to say."""

    def __init__(
        self, answers: FrontAnswers, runners: Runners, desired: DesiredState, machines: Mapping[str, str]
    ) -> None:
        self._answers, self._runners, self._desired, self._machines = answers, runners, desired, machines

    # of all flows --------------------------------------------------------------------------------------------------

    def receiveMsg_ListFlows(self, message: api.ListFlows, sender: ActorAddress) -> None:
        """The documents, with the state that a flow has on its runners."""
        self._answers.by_steps(message, sender, self._listing())

    def _listing(self) -> Steps:
        said = yield from self._said_by(self._of_flows(), api.ListFlows())
        states = {name: {flow["id"]: flow["state"] for flow in flows} for name, flows in said.items()}
        found = []
        for flow in self._desired.flows.values():
            its = [states.get(runner, {}).get(flow.id, AWAY) for runner in flow.runners]
            found.append({**flow.document, "state": state_of(its)})
        return found

    def receiveMsg_SaveFlow(self, message: api.SaveFlow, sender: ActorAddress) -> None:
        """Each of its runners has all of the document, and none a file."""
        self._answers.by_runner(message, sender, self._answers.flow(message.flow_id).runners[0])

    def receiveMsg_ListStarters(self, message: api.ListStarters, sender: ActorAddress) -> None:
        """Those of every runner, each once."""
        self._answers.by_steps(message, sender, self._listing_starters())

    def _listing_starters(self) -> Steps:
        said = yield from self._said_by(self._runners.names, api.ListStarters())
        return list({one["name"]: one for rows in said.values() for one in rows}.values())

    def receiveMsg_ListVersions(self, message: api.ListVersions, sender: ActorAddress) -> None:
        """Of the whole flow."""
        flow = self._answers.flow(message.flow_id)
        self._answers.reply(message, sender, version_rows([*flow.earlier, (flow.version, flow.document)]))

    def receiveMsg_ListFlowsForRuntime(self, message: api.ListFlowsForRuntime, sender: ActorAddress) -> None:
        """A runtime that no runner offers is refused as a runner does that."""
        self._answers.by_steps(message, sender, self._listing_for(message))

    def _listing_for(self, message: api.ListFlowsForRuntime) -> Steps:
        replies = yield from self._runners.ask_all(dict.fromkeys(self._runners.all, message))
        if not any(reply.ok for reply in replies.values()):
            return _first_refusal(replies)
        flows = yield from self._listing()
        runtime = message.runtime_id
        return [flow for flow in flows if any(one["runtime"] == runtime for one in flow["modules"].values())]

    def receiveMsg_Audit(self, message: api.Audit, sender: ActorAddress) -> None:
        """The rows of all runners; a runner that is away has none."""
        self._answers.by_steps(message, sender, self._auditing())

    def _auditing(self) -> Steps:
        said = yield from self._said_by(self._of_flows(), api.Audit())
        rows = {id: {**row, "runner": runner} for runner, found in said.items() for id, row in found.items()}
        order = [f"{flow.id}/{module}" for flow in self._desired.flows.values() for module in flow.places]
        return {id: rows[id] for id in order if id in rows}

    def receiveMsg_ListRuntimes(self, message: api.ListRuntimes, sender: ActorAddress) -> None:
        """A row for each runtime of each runner."""
        self._answers.by_steps(message, sender, self._listing_runtimes())

    def _listing_runtimes(self) -> Steps:
        said = yield from self._said_by(self._runners.names, api.ListRuntimes())
        return [{**row, "runner": runner} for runner, rows in said.items() for row in rows]

    def receiveMsg_ListRunners(self, message: api.ListRunners, sender: ActorAddress) -> None:
        """At once, whoever is there."""
        self._answers.by_steps(message, sender, self._listing_runners())

    def _listing_runners(self) -> Steps:
        up = [name for name in self._runners.all if self._runners.is_up(name)]
        replies = yield from self._runners.ask_all(dict.fromkeys(up, api.ListRunners()), within_s=LOOK_WITHIN_S)
        rows = {name: reply.value[0] for name, reply in replies.items() if reply.ok}
        for row in rows.values():  # a link to one that has left is of no use to anybody
            row["links"] = [link for link in row["links"] if link["peer"] in self._runners.all]
        return [(rows.get(name) or self._away(name)) | self._where(name) for name in self._runners.all]

    def _where(self, name: str) -> dict[str, Any]:
        machine = {"machine": self._machines[name]} if name in self._machines else {}
        return {**machine, "drained": name in self._runners.drained}

    def _away(self, name: str) -> dict[str, Any]:
        seen = self._runners.all[name]
        flows = sorted(flow.id for flow in self._desired.of(name))
        return {
            "name": name, "pid": seen.pid if seen.is_up else None, "machine": None, "state": AWAY,
            "incarnation": seen.incarnation, "flows": flows, "links": [],
        }  # fmt: skip

    def receiveMsg_ReadLog(self, message: api.ReadLog, sender: ActorAddress) -> None:
        """In the order of time; each line has its runner. `after` has the place in each runner's log."""
        if message.flow_id is not None:
            self._answers.flow(message.flow_id)
        self._answers.by_steps(message, sender, self._reading(message))

    def _reading(self, message: api.ReadLog) -> Steps:
        after = dict(one.rpartition("=")[::2] for one in (message.after or "").split(";") if "=" in one)
        flow = None if message.flow_id is None else self._answers.flow(message.flow_id)
        names = [name for name in (flow.runners if flow else self._runners.all) if self._runners.is_up(name)]
        asked = {name: replace(message, after=after.get(name)) for name in names}
        replies = yield from self._runners.ask_all(asked, within_s=LOOK_WITHIN_S)
        said = {name: reply.value for name, reply in replies.items() if reply.ok}
        lines = [{**line, "runner": name} for name, its in said.items() for line in its["lines"]]
        after |= {name: its["after"] for name, its in said.items()}
        place = ";".join(f"{name}={number}" for name, number in after.items())
        return {"lines": sorted(lines, key=lambda line: float(line["time"])), "after": place}

    # of one flow ---------------------------------------------------------------------------------------------------

    def receiveMsg_FlowState(self, message: api.FlowState, sender: ActorAddress) -> None:
        """Modules and hosts with their runner."""
        self._answers.by_steps(message, sender, self._state(self._answers.flow(message.flow_id), message))

    def _state(self, flow: DesiredFlow, message: api.FlowState) -> Steps:
        replies = yield from self._runners.ask_all(dict.fromkeys(flow.runners, message))
        if refused := [reply for reply in replies.values() if not reply.ok and not isinstance(reply, RunnerAway)]:
            return refused[0]
        said = {name: reply.value for name, reply in replies.items() if reply.ok}
        away = {name: reply.error or "" for name, reply in replies.items() if not reply.ok}
        return merged_state(flow, said, away)

    def glance(self, flow: DesiredFlow) -> Steps:
        """The state of a flow at once: of a runner that is being started again nothing is waited for."""
        up = [name for name in flow.runners if self._runners.is_up(name)]
        asked = api.FlowState(flow_id=flow.id, rates=False)
        replies = yield from self._runners.ask_all(dict.fromkeys(up, asked), within_s=LOOK_WITHIN_S)
        said = {name: reply.value for name, reply in replies.items() if reply.ok}
        away = {name: f"the runner {name} is not there now" for name in flow.runners if name not in said}
        return merged_state(flow, said, away)

    def receiveMsg_Explain(self, message: api.Explain, sender: ActorAddress) -> None:
        """From the figures of all its runners; of the only flow, if none is named."""
        flow_id = message.flow_id
        if flow_id is None:
            if len(self._desired.flows) != 1:
                raise RefusedError(f"there are {', '.join(self._desired.flows) or 'no flows'}; say which")
            flow_id = next(iter(self._desired.flows))
        self._answers.by_steps(message, sender, self._explaining(self._answers.flow(flow_id)))

    def _explaining(self, flow: DesiredFlow) -> Steps:
        state = yield from self._state(flow, api.FlowState(flow_id=flow.id))
        return state if isinstance(state, Reply) else explain(state)

    def receiveMsg_DeadLetters(self, message: api.DeadLetters, sender: ActorAddress) -> None:
        """The oldest first; each id has its runner."""
        self._answers.by_steps(message, sender, self._letters(self._answers.flow(message.flow_id), message))

    def _letters(self, flow: DesiredFlow, message: api.DeadLetters) -> Steps:
        said = yield from self._whole(flow, message)
        letters = [
            {**letter, "id": named(letter["id"], runner), "runner": runner}
            for runner, some in said.items()
            for letter in some
        ]
        return sorted(letters, key=lambda letter: letter["time"])

    def receiveMsg_ListHeld(self, message: api.ListHeld, sender: ActorAddress) -> None:
        """Module by module, as each runner has them."""
        self._answers.by_steps(message, sender, self._held(self._answers.flow(message.flow_id), message))

    def _held(self, flow: DesiredFlow, message: api.ListHeld) -> Steps:
        said = yield from self._whole(flow, message)
        return [{**held, "runner": runner} for runner, some in said.items() for held in some]

    # asking --------------------------------------------------------------------------------------------------------

    def _of_flows(self) -> list[str]:
        """The runners that have a module of any flow."""
        return [name for name in self._runners.all if self._desired.of(name)]

    def _said_by(self, names: list[str], request: api.Request) -> Steps:
        """Runner -> what it has answered; one that is away is not there."""
        replies = yield from self._runners.ask_all(dict.fromkeys(names, request))
        return {name: reply.value for name, reply in replies.items() if reply.ok}

    def _whole(self, flow: DesiredFlow, request: api.Request) -> Steps:
        """As `_said_by` of the runners of a flow; but without any of them there is no answer."""
        replies = yield from self._runners.ask_all(dict.fromkeys(flow.runners, request))
        if not all(reply.ok for reply in replies.values()):
            refusal = _first_refusal(replies)
            raise RefusedError(refusal.error or "refused", refusal.data)
        return {name: reply.value for name, reply in replies.items()}


def _first_refusal(replies: dict[str, Any]) -> Reply:
    refusal: Reply = next(reply for reply in replies.values() if not reply.ok)
    return replace(refusal)
