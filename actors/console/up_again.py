"""`runner up` of a deployment that is up already: what has changed in its files is applied, nothing else is touched."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from actors.console.calls import calling
from actors.console.client import Outcome, RunnerClient
from actors.console.errors import UserError
from actors.console.live_runners import LiveRunner, live_runners, state_folder
from actors.console.runner_changes import RunnerChange, RunnerChanges, rough_plan
from actors.console.update_verbs import receipt_text
from actors.definition.deployment import Deployment, read_deployment
from actors.deployment.folder import DeploymentFolder
from actors.deployment.staying import orders
from actors.deployment.wanted import FILE as WANTED
from actors.deployment.wanted import write_wanted
from runtimes.manifest import load_runtimes, runtime_folders


class Change(NamedTuple):
    """`does`: add, update, start or remove; `document`: as it is to be; `before`: as it is, if it is."""

    does: str
    flow: str
    document: dict[str, Any]
    before: dict[str, Any] | None = None


def up_again(deployment: Deployment, folder: DeploymentFolder, options: argparse.Namespace) -> int:
    """Apply the files of `deployment` to what is up; with `--plan` only say what that would do."""
    with folder.changing() as alone:
        if not alone and not options.plan:
            raise UserError(f"{folder.name}: another `runner up` applies its files now: wait until it has")
        return _apply(deployment, folder, options)


def _apply(deployment: Deployment, folder: DeploymentFolder, options: argparse.Namespace) -> int:
    facts = folder.read()
    if "runners" not in facts:
        raise UserError(f"{folder.name} is being started ({facts.get('pid', 'no process yet')}): wait until it is up")
    other = _other_settings(facts["settings"], deployment.settings)
    runners = RunnerChanges(facts["settings"]["runners"], deployment.settings["runners"])
    if runners and not facts["several"]:
        other = [*runners.said(), "it was started with one runner, which knows of no others", *other]
        runners = RunnerChanges({}, {})
    if other and not options.plan:
        end = f"`runner down {folder.name}` and then `runner up` do; the flows go on from there"
        raise UserError(*other, f"nothing was changed: this does not change while a deployment is up. {end}")
    with calling(_door(facts, options)) as client:
        there = {flow["id"]: flow for flow in client.list_flows()}
        places = {
            id: {name: module["runner"] for name, module in flow["modules"].items() if "runner" in module}
            for id, flow in there.items()
        }
        known = load_runtimes(runtime_folders()).keys()
        deployment = read_deployment(Path(options.deployment), known, places, spread=facts["several"])
        drained = [row["name"] for row in client.call("listRunners") if row.get("drained")]
        for name in () if options.plan else drained:
            client.call("drainRunner", name, end=True)
        lines = [*other, *(f"{name}: {_UNDRAINED[options.plan]}" for name in drained)]
        doing = Doing(client, folder, facts, options.plan, lines)
        if runners and not options.plan:
            state = state_folder(options.state).resolve()
            write_wanted(state / "kept" / folder.name / WANTED, orders(deployment, state))
        doing.runners((*runners.fresh, *runners.wider), there)
        doing.flows(deployment, _changes(deployment, there, facts["flows"]), runners)
        doing.runners((*runners.narrower, *runners.gone), there)
        doing.record()
    if not lines:
        lines = [f"{folder.name} is up, and is as its files say: nothing to change"]
    if options.json:
        changes = {"runners": doing.changed, "changes": doing.done}
        print(json.dumps({"ok": True, "name": folder.name, **changes, "settings": other}))
    else:
        print("\n".join(lines))
    return 0


class Doing:
    """What is done, a step after the other, and written down after each: what comes after one that is refused is not.

    `lines`: what there is to say of it.
    """

    def __init__(
        self, client: RunnerClient, folder: DeploymentFolder, facts: dict[str, Any], plan: bool, lines: list[str]
    ) -> None:
        self._client, self._folder, self._facts, self._plan, self._lines = client, folder, facts, plan, lines
        self._files = {id: facts["files"][id] for id in facts["flows"]}  # as far as they are applied
        self.done: list[dict[str, Any]] = []
        self.changed: list[dict[str, Any]] = []

    def runners(self, changes: Iterable[RunnerChange], flows: dict[str, dict[str, Any]]) -> None:
        """Each in its turn, so that of several one is away at a time. Raises UserError."""
        for change in changes:
            if not self._plan:
                does = ("restartRunner", {"changed": True}) if change.now else ("drainRunner", {"remove": True})
                outcome = self._client.call(does[0], change.name, **does[1], timeout=None)
                self._check(f"the runner {change.name}", outcome)
                change.keep_in(self._facts["settings"]["runners"])
                self.record()
            self.changed.append({"runner": change.name, "did": change.does})
            self._lines.append(f"the runner {change.name}: {change.words(self._plan)}")
            if self._plan and not change.now:
                done = {one["flow"] for one in self.done}  # these have moved, or are removed, before
                others = {id: flow for id, flow in flows.items() if id not in done}
                self._lines += [f"  {module}: would move" for module in _on(change.name, others)]

    def flows(self, deployment: Deployment, changes: Iterable[Change], runners: RunnerChanges) -> None:
        """In the order of the file. Raises UserError."""
        for change in changes:
            if self._plan and runners.concern(change.document):
                outcome = rough_plan(change.before, change.document)
            else:
                outcome = _do(self._client, change, plan=self._plan)
            self._check(change.flow, outcome)
            if change.does == "remove":
                self._files.pop(change.flow)
            else:
                self._files[change.flow] = deployment.fingerprints[change.flow]
            self.done.append({"flow": change.flow, "did": change.does, "receipt": outcome.receipt})
            self._lines.append(receipt_text(f"{change.flow}: {_WORDS[change.does][self._plan]}", outcome))
        self._files = {**self._files, **deployment.fingerprints}

    def _check(self, what: str, outcome: Outcome) -> None:
        if not outcome:
            self.record()
            done = [*(one["runner"] for one in self.changed), *(one["flow"] for one in self.done)]
            before = [f"{self._folder.name}: done before that: {', '.join(done)}"] if done else []
            problems = outcome.data if isinstance(outcome.data, list) else [outcome.error]
            raise UserError(*(f"{what}: {problem}" for problem in problems), *before)

    def record(self) -> None:
        """What has been done is so, whatever comes next."""
        if not self._plan:
            named = dict.fromkeys(self._facts["files"]) | self._files
            pids = {row["name"]: row["pid"] for row in self._client.call("listRunners")}
            self._folder.record(self._facts | {"flows": [*self._files], "files": named, "runners": pids})


def _on(runner: str, flows: dict[str, dict[str, Any]]) -> list[str]:
    """The modules that a runner has."""
    return [
        f"{id}/{name}" for id, flow in flows.items() for name, module in flow["modules"].items()
        if module.get("runner") == runner
    ]  # fmt: skip


_UNDRAINED = "may be used again", "is drained; it could be used again"
_WORDS = {
    "add": ("added, running", "would be added"), "update": ("updated", "would be updated"),
    "start": ("running", "would be started"), "remove": ("removed", "would be removed, with what it holds"),
}  # fmt: skip


def _door(facts: dict[str, Any], options: argparse.Namespace) -> LiveRunner:
    """That of several runners is the dispatcher's."""
    wanted = facts["dispatcherPid" if facts["several"] else "runnerPid"]
    for live in live_runners(options.state):
        if live.pid == wanted:
            return live
    raise UserError(f"{facts['name']} takes no requests now: its runner is being started again, or it ends")


def _other_settings(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What cannot be changed while it is up."""
    return [f"`{name}` has changed" for name in now if name != "runners" and before[name] != now[name]]


def _changes(deployment: Deployment, there: dict[str, dict[str, Any]], before: list[str]) -> list[Change]:
    """In the order of the file; then what its flows were and it does not name any more. Others are not its affair."""
    found: list[Change] = []
    for source in deployment.flows:
        document, id = source.sent, source.document["id"]
        known = there.get(id)
        if known is None:
            found.append(Change("add", id, document))
        elif {**known, "state": None} != {**document, "state": None}:
            found.append(Change("update", id, document, known))
        elif known["state"] == "stopped":
            found.append(Change("start", id, document))
    named = {source.document["id"] for source in deployment.flows}
    return [*found, *(Change("remove", id, there[id]) for id in before if id in there and id not in named)]


def _do(client: RunnerClient, change: Change, plan: bool) -> Outcome:
    """One change, or what it would do."""
    if change.does in ("add", "update"):
        outcome: Outcome = client.call("addOrUpdateFlow", change.document, plan, timeout=None)
        if plan or not outcome:
            return outcome
        started: Outcome = client.call("startFlow", change.flow, timeout=None)
        return outcome if started else started
    if plan:
        return Outcome(ok=True)
    method = "removeFlow" if change.does == "remove" else "startFlow"
    done: Outcome = client.call(method, change.flow, timeout=None)
    return done
