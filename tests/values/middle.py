"""Something is done to a flow while messages are under way: another consumer is added, a breakpoint is set."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from actors.flow.record import FlowRecord
from actors.messages import client_to_runner as api
from actors.state.condition import Condition
from tests.harness import Harness, on_phase
from tests.values.cases import Tree
from tests.values.languages import CONSUMERS

PHASES = ("trying", "loading", "draining", "handing", "finishing")
CONDITIONS = (None, None, "has(message.case)", "message != null", "size(context) < 2")
Condition("message == 1")  # its library raises the recursion limit, which hypothesis does not allow while it runs


class Middle:
    """Of one flow, whose feed (None: its root is a source) has sent its first message."""

    def __init__(self, runner: Harness, tree: Tree, flow_id: str, feed: Any, happened: Counter[str]) -> None:
        self._runner, self._tree, self._flow_id, self._feed = runner, tree, flow_id, feed
        self._happened = happened
        self._chance = random.Random(tree.seed + 3)
        self._record = runner.record(flow_id)

    def run(self, variant: str, flow: dict[str, Any]) -> None:
        """`flow`: as it was added. What has been sent is handled at least in part; then it happens; then the rest."""
        if self._feed is not None:
            self._feed.deliver(1 + self._chance.randrange(self._feed.count))
        bridges = [self._runner.actor(bridge) for bridge in self._record.bridges.values()]
        self._runner.wait(lambda: self._over() or any(bridge.commits.number for bridge in bridges), "a commit")
        if variant == "halted":
            self._halt()
        elif self._chance.random() < 0.3:
            self._attach()
        else:
            self._join(flow)
        self._rest()

    def _rest(self) -> None:
        if self._feed is not None:
            self._feed.deliver(self._feed.count)

    def _attach(self) -> None:
        """An output, as of `-o`."""
        module, port = self._place()
        self._runner.collect(self._flow_id, f"{module}.{port}", name="another")
        self._happened["joined: outputs"] += 1

    def _place(self) -> tuple[str, str]:
        """A port, mostly one whose wire is fused."""
        return self._chance.choice([*self._tree.feeders.values(), (self._chance.choice([*self._tree.styles]), "out")])

    def _join(self, flow: dict[str, Any]) -> None:
        """A module, by an update; the rest of the messages comes when it has got as far as some phase."""
        module, port = self._place()
        runtime = self._tree.runtime if self._tree.runtime in CONSUMERS else "python3"
        joined = {"runtime": runtime, "code": CONSUMERS[runtime]}
        wires = [*flow["wires"], f"{module}.{port} -> z"]
        changed = {**flow, "modules": {**flow["modules"], "z": joined}, "wires": wires}
        phase = self._chance.choice(PHASES)

        def entered(record: FlowRecord, now: str) -> None:
            if record is self._record and now == phase:
                self._rest()

        with pytest.MonkeyPatch.context() as patch:
            on_phase(patch, entered)
            self._runner.ok(api.AddOrUpdateFlow, flow=changed)
        self._happened["joined: modules"] += 1

    def _halt(self) -> None:
        """A breakpoint, at which the flow is paused at most three times."""
        module = self._chance.choice([name for name in self._tree.styles if not self._record.feeds_itself(name)])
        place = f"{self._flow_id}/{module}"
        self._runner.ok(
            api.SetBreakPointAtModule, flow_module_id=place, when=self._chance.choice(CONDITIONS),
            scope=self._chance.choice(["flow", "module"]),
        )  # fmt: skip
        self._rest()
        for _ in range(self._chance.randint(1, 3)):
            self._runner.wait(lambda: self._record.debug.hits or self._over(), "a hit")
            self._happened["halted: hits"] += bool(self._record.debug.hits)
            self._runner.ok(api.ResumeFlow, flow_id=self._flow_id)
        self._runner.ok(api.RemoveBreakPointAtModule, flow_module_id=place)
        self._runner.ok(api.ResumeFlow, flow_id=self._flow_id)

    def _over(self) -> bool:
        """Nothing is under way, and nothing will come."""
        return not (self._record.activity.pending or self._record.activity.sources)
