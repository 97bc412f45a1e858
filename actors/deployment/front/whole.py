"""What all runners of a flow do, or none: how they are asked, and what is said if one of them does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from actors.deployment.desired import DesiredFlow
from actors.deployment.front.answers import RefusedError
from actors.deployment.front.runners import RunnerAway, Runners
from actors.messages import client_to_runner as api
from actors.messages.runner_to_client import Reply
from actors.system.job import Steps

HURRY_S = 10.0  # beyond drain_timeout_s: then it is asked whether it still turns
DRAIN_TIMEOUT_S = 10.0  # of a flow that does not say


class Whole:
    """The runners of flows, taken together."""

    def __init__(self, runners: Runners) -> None:
        self.runners = runners

    def there(self, names: Iterable[str]) -> Steps:
        """All of them are, or nothing is begun. Returns their incarnations. Raises RefusedError."""
        replies = yield from self.runners.ask_all(dict.fromkeys(names, api.Ping()))
        away = [reply.error or "" for reply in replies.values() if not reply.ok]
        if away:
            raise RefusedError("\n".join(f"nothing is done: {error}" for error in away), away)
        return self.incarnations(replies)

    def incarnations(self, names: Iterable[str]) -> dict[str, int]:
        """Of runners that are up; another one is another runner, which knows nothing of what the first was asked."""
        return {name: self.runners.all[name].incarnation for name in names if self.runners.is_up(name)}

    def ask(self, flow: DesiredFlow, requests: Mapping[str, Any], *, hasty: bool = False) -> Steps:
        """The Reply of each; one that dies or hangs is a RunnerAway. `hasty`: as of `ask_all`."""
        look_s = float(flow.document.get("drain_timeout_s", DRAIN_TIMEOUT_S)) + HURRY_S
        return (yield from self.runners.ask_all(requests, look_s=look_s, hasty=hasty))


def errors_of(replies: Mapping[str, Reply]) -> list[str]:
    """The sentences of those that have not done it."""
    errors: list[str] = []
    for name, reply in replies.items():
        if isinstance(reply, RunnerAway):
            errors.append(f"the runner {name} was lost on the way")
        elif not reply.ok:
            errors += reply.data if isinstance(reply.data, list) else [reply.error or "refused"]
    return list(dict.fromkeys(errors))  # of what is the same for all, each has said the same


def left_out(replies: Mapping[str, Reply]) -> dict[str, str]:
    """What each runner has left out of a flow, and why."""
    return {
        module: reason for reply in replies.values() if isinstance(reply.data, dict)
        for module, reason in reply.data.get("leftOut", {}).items()
    }  # fmt: skip


def merged_receipt(flow: DesiredFlow, replies: Mapping[str, Reply]) -> dict[str, Any]:
    """One for the whole: each module with its runner, in the order of the document; what is gone comes last."""
    receipts = {name: reply.receipt for name, reply in replies.items() if reply.receipt is not None}
    modules = {
        module: {**row, "runner": name} for name, receipt in receipts.items()
        for module, row in receipt["modules"].items() if flow.places.get(module, name) == name
    }  # fmt: skip
    order = [*(name for name in flow.places if name in modules), *(name for name in modules if name not in flow.places)]
    trials = sum(receipt.get("trialCpuMs", 0.0) for receipt in receipts.values())
    return {
        "version": flow.version, "modules": {name: modules[name] for name in order}, "trialCpuMs": round(trials, 1)
    }  # fmt: skip
