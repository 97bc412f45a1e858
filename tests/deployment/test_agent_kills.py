"""kill -9 of an agent in every phase of a move, an update and a restart: its runner ends in order, the next agent has
it started again, and nothing is lost, whatever the delivery.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from actors.console.client import RunnerClient
from actors.deployment.folder import AGENTS, DeploymentFolder
from tests.deployment import test_move_kills as moves
from tests.deployment import test_restart_kills as restarts
from tests.deployment import test_update_kills as updates
from tests.deployment.test_several_runners import until
from tests.machines import Network, network
from tests.shop import Shop, shop

TOTAL = 4_000
GIVER = [phase for phase in moves.RUNNER_PHASES if phase != "starting"]  # it has no other module to start
VERBS = {
    "to edge": GIVER, "to big": moves.RUNNER_PHASES, "update": updates.RUNNER_PHASES,
    "restart": [*restarts.CRASHES, *restarts.IN_ORDER],
}  # fmt: skip
CASES = [(verb, phase, durable) for verb, phases in VERBS.items() for phase in phases for durable in (False, True)]


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    with network("ab") as it:
        yield it


@pytest.mark.full
@pytest.mark.parametrize(("verb", "phase", "durable"), CASES)
def test_killed_on_the_way(tmp_path: Path, net: Network, verb: str, phase: str, durable: bool) -> None:
    marker = tmp_path / "kill"
    killing = [restarts.PROGRAM, "agent"] if verb == "restart" else [moves.PROGRAM, "agent of big"]
    with shop(tmp_path, net, count=TOTAL, pause_s=0.002, durable=durable) as it:
        version(it, 1)
        agent = it.start_agent(runner=[sys.executable, "-c", *killing, phase, str(marker)])
        it.start_leader()
        until(lambda: it.done("sum") > 100)
        if verb == "to big":
            assert does(it, "to edge")
            if durable:
                until(lambda: it.done("sum") > 300)
        marker.touch()
        with ThreadPoolExecutor(1) as beside:
            asked = beside.submit(does, it, verb)  # it may wait for the next agent
            until(lambda: not marker.exists())
            assert agent.wait(60) != 0
            until(lambda: DeploymentFolder(it.state["m2"], "m2", AGENTS).processes() == [])
            it.start_agent()
            ok = asked.result()
        until(lambda: it.rows()["big"]["state"] == "up")
        until(lambda: it.done("sum") >= TOTAL)
        with RunnerClient(state=it.state["m1"]) as client:
            new = 2 if verb == "update" and ok else 1
            place = "edge" if ok == (verb == "to edge") and verb.startswith("to") else "big"
            state = client.flow_state("f")
            assert (state["version"], state["modules"]["count"]["runner"]) == (new, place)
            assert client.get_context("f/count")["version"] == new
            assert it.report() == {"last": TOTAL - 1, "count": TOTAL, "version": new}
            for row in client.audit().values():
                assert row["balanced"], row
        again = {"to edge": "to big", "to big": "to edge"} if ok else {}
        assert does(it, again.get(verb, verb)), "the next one goes"
        assert it.cli("down").returncode == 0


def version(it: Shop, number: int) -> None:
    """Which one has taken a message is in the context."""
    document = json.loads((it.folder / "f.json").read_text())
    for name, module in document["modules"].items():
        module.setdefault("config", {})["version"] = number
        if number == 1 and name != "source":
            first = "    context.set('version', context.config['version'])"
            module["code"] = module["code"].replace(
                "def run(message, context):", f"def run(message, context):\n{first}"
            )
    it.write("f.json", document)


def does(it: Shop, verb: str) -> bool:
    """Whether it says that it has been done."""
    if verb == "update":
        version(it, 2)
    words = {"update": ["apply", str(it.folder / "f.json")], "restart": ["restart", "big"]}
    done = it.cli(*words.get(verb, ["move", "f/count", verb.removeprefix("to ")]))
    print(verb, done.returncode, done.stdout, done.stderr)
    return done.returncode == 0
