"""The deployment under test: two runners of its own in a folder of its own. `edge` feeds and collects, `main` works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.chaos.looking import faults_in, reported_lost
from actors.console.live_runners import live_runners
from actors.console.own_deployment import OwnDeployment

EDGE, MAIN = "edge", "main"
UP_S, CALL_S = 90.0, 25.0


class Plant:
    """For one flow. `durable`: what it has outlives each of its runners."""

    def __init__(self, folder: Path, flow_id: str, *, durable: bool) -> None:
        self.flow_id, self.durable = flow_id, durable
        deployment = {
            "name": "chaos", "runners": {EDGE: {}, MAIN: {}}, "restart": {"times": 1000, "period_s": 60}, "flows": [],
        }  # fmt: skip
        self.own = OwnDeployment(folder, deployment)
        try:
            self.client = self.own.reached(UP_S)
        except BaseException:
            self.own.kill()
            raise

    # what faults need ----------------------------------------------------------------------------------------------

    def hosts(self) -> dict[str, int]:
        """The hosts that live, and their process ids."""
        hosts = self.client.flow_state(self.flow_id, rates=False, timeout=CALL_S)["hosts"]
        return {key: figures["pid"] for key, figures in hosts.items() if figures["pid"]}

    def members(self) -> dict[str, int]:
        """The runners that live, and their process ids."""
        return {runner.name: runner.pid for runner in live_runners(self.own.state) if runner.deployment is not None}

    def mortals(self) -> dict[str, int]:
        """Those of them that may die: what has no journal is counted by its neighbours, so one stays."""
        return {name: pid for name, pid in self.members().items() if self.durable or name == MAIN}

    # what is found -------------------------------------------------------------------------------------------------

    def audit(self) -> dict[str, dict[str, Any]]:
        """The accounts of every module."""
        return {place.partition("/")[2]: row for place, row in self.client.audit(timeout=CALL_S).items()}

    def reported_lost(self) -> dict[str, int]:
        """By wire: how many messages the deaths of runners have cost at most, as their neighbours have said."""
        return reported_lost(self.own.said())

    def faults(self) -> list[str]:
        """What the runners have written that no user's module can have caused."""
        return faults_in(self.own.said())

    def end(self) -> list[str]:
        """In order; what was wrong with that."""
        self.client.close()
        return [] if self.own.end() else ["the runners did not end in time"]
