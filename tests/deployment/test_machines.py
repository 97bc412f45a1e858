"""A deployment over two machines: network namespaces, joined by a cable that can be cut."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from actors.console.client import RunnerClient
from actors.deployment import key_folder
from actors.deployment.folder import AGENTS, DeploymentFolder
from tests.deployment.test_foreign import ATTACK, Bomb, _listening
from tests.deployment.test_several_runners import until
from tests.deployments import TIMEOUT_S, gone
from tests.machines import Network, network
from tests.shop import shop


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    with network("abc") as it:
        yield it


def test_a_flow_over_two_machines(tmp_path: Path, net: Network) -> None:
    with shop(tmp_path, net, count=20_000) as it:
        agent = it.start_agent()
        facts = it.start_leader()
        assert set(facts["runners"]) == {"edge", "big"}, it.log("up")
        until(lambda: it.done("sum") == it.count)
        assert it.report() == {"last": it.count - 1, "count": it.count}
        rows = it.rows()
        assert {name: (row["machine"], row["incarnation"]) for name, row in rows.items()} == {
            "edge": ("m1", 1), "big": ("m2", 1)
        }  # fmt: skip
        assert {link["peer"] for row in rows.values() for link in row["links"]} == {"edge", "big"}
        done = it.cli("restart", "big")
        assert (done.returncode, done.stderr) == (0, "")
        assert it.rows()["big"]["incarnation"] == 2
        assert it.done("count") == it.count  # kept where it was
        pids = it.processes()
        done = it.cli("down")
        assert (done.returncode, done.stderr) == (0, "")
        assert it.up.wait(60) == 0
        assert agent.poll() is None and len(it.processes()) == 4, "`runner agent` and its actors: system, log, agent"
        agent.terminate()
        assert agent.wait(60) == 0, it.log("agent")
        assert gone(sorted(pids))
        assert list((tmp_path / "m2" / "runs").iterdir()) == []


@pytest.mark.full
@pytest.mark.parametrize("cut_s", [4.0, 12.0])
def test_a_cut_of_the_network_costs_nothing(tmp_path: Path, net: Network, cut_s: float) -> None:
    """Of flows in memory, too: before and after the machine is given up."""
    with shop(tmp_path, net, count=20_000, pause_s=0.001) as it:
        it.start_agent()
        pids = it.start_leader()["runners"]
        until(lambda: it.done("sum") > 1000)
        net.cut("b")
        try:
            time.sleep(cut_s)
            if cut_s > 6:
                assert it.rows()["big"]["state"] == "away"
                done = it.cli("restart", "big")
                assert done.returncode == 1 and "big" in done.stderr
        finally:
            net.heal("b")
        until(lambda: it.rows()["big"]["state"] == "up")
        assert it.rows()["big"]["pid"] == pids["big"], it.log("up")  # the same
        until(lambda: it.done("sum") == it.count)
        assert it.report() == {"last": it.count - 1, "count": it.count}
        assert it.cli("restart", "big").returncode == 0
        assert it.cli("down").returncode == 0


@pytest.mark.full
@pytest.mark.parametrize("who", ["runner", "agent", "runner agent", "system"])
def test_a_death_on_the_other_machine(tmp_path: Path, net: Network, who: str) -> None:
    """A durable flow goes on from its journal; one in memory is kept when its runner ends in order."""
    with shop(tmp_path, net, count=20_000, pause_s=0.003, durable=who == "runner") as it:
        agent = it.start_agent()
        it.start_leader()
        for _ in range(2):
            before = it.done("sum")
            until(lambda: it.done("sum") > before + 1000)  # noqa: B023
            facts = DeploymentFolder(it.state["m2"], "m2", AGENTS).read()
            pids = {"runner": it.rows()["big"]["pid"], "agent": facts["agentPid"], "system": facts["adminPid"]}
            os.kill(pids.get(who, facts["pid"]), signal.SIGKILL)
            if who != "runner":
                assert agent.wait(60) != 0
                until(lambda: DeploymentFolder(it.state["m2"], "m2", AGENTS).processes() == [])
                agent = it.start_agent()
            until(lambda: it.rows()["big"]["state"] == "up" and it.rows()["big"]["pid"] != pids["runner"])  # noqa: B023
        until(lambda: it.done("sum") >= it.count)
        assert it.report() == {"last": it.count - 1, "count": it.count}
        assert it.cli("down").returncode == 0


@pytest.mark.full
@pytest.mark.parametrize("who", ["dispatcher", "machine", "end"])
def test_the_leader_dies_and_the_next_takes_over(tmp_path: Path, net: Network, who: str) -> None:
    """The runner of the other machine is the same as before, unless it was told to end before that (`end`)."""
    with shop(tmp_path, net, count=20_000, pause_s=0.001, durable=True) as it:
        agent = it.start_agent()
        for _ in range(2):
            facts = it.start_leader()
            before = it.done("sum")
            until(lambda: it.done("sum") > before + 1000)  # noqa: B023
            if who != "end":
                os.kill(facts["dispatcherPid"], signal.SIGKILL)
            if who != "dispatcher":
                DeploymentFolder(it.state["m1"], "shop").kill()
            assert it.up.wait(60) != 0
            until(lambda: DeploymentFolder(it.state["m1"], "shop").processes() == [])
            assert who == "end" or psutil.pid_exists(facts["runners"]["big"])
        facts = it.start_leader()
        assert who == "end" or it.rows()["big"]["incarnation"] == 1, it.log("up")
        until(lambda: it.done("sum") >= it.count)
        assert it.report() == {"last": it.count - 1, "count": it.count}
        assert it.cli("down").returncode == 0
        agent.terminate()
        assert agent.wait(60) == 0


def test_an_agent_that_is_not_wanted_says_why(tmp_path: Path, net: Network) -> None:
    with shop(tmp_path, net, count=10) as it:
        it.agent_file["name"] = "m3"
        wrong_name = it.start_agent()
        waits = "the leader 10.77.0.1:7100 is not there (Connection refused); m3 waits for it"
        until(lambda: waits in it.log("agent"))
        assert set(it.start_leader()["runners"]) == {"edge", "big"}  # it does not wait for ever
        assert "not there yet: m2" in it.log("up")
        assert wrong_name.wait(60) == 1
        said = "the deployment shop has no other machine 'm3'; there is m2"
        assert said in it.log("agent") and said in it.log("up")
        it.agent_file |= {"name": "m2", "address": net.machines["c"].address}
        assert it.start_agent(net.machines["c"]).wait(60) == 1
        assert "has the machine m2 at 10.77.0.2, not at 10.77.0.3" in it.log("agent")
        it.agent_file |= {"address": "10.77.0.9"}
        assert it.start_agent().wait(60) == 1
        assert "10.77.0.9 is no address of this machine" in it.log("agent")
        it.agent_file |= {"address": it.other.address}
        good = it.start_agent()
        until(lambda: it.done("count") == it.count)
        it.agent_file["state"] = "elsewhere"
        assert it.start_agent().wait(60) == 1
        assert "10.77.0.2:7100: Address already in use" in it.log("agent")
        assert good.poll() is None and it.cli("down").returncode == 0


@pytest.mark.full
def test_who_has_no_keys_gets_nowhere(tmp_path: Path, net: Network) -> None:
    """A third machine: without keys it attacks both, with other ones it wants to be the second."""
    with shop(tmp_path, net, count=1_000_000, pause_s=0.001) as it:
        key_folder.make_keys(tmp_path / "others", "shop", ["big"])
        keys, it.agent_file["keys"] = it.agent_file["keys"], "others"
        it.start_leader()
        stranger = it.start_agent()
        until(lambda: "a control message from 10.77.0.2 was refused" in it.log("up"))
        until(lambda: "does not know this machine" in it.log("agent"))
        assert it.rows()["big"]["state"] == "away"
        stranger.terminate()
        assert stranger.wait(60) == 0
        it.agent_file["keys"] = keys
        it.start_agent()
        until(lambda: it.done("sum") > 100)
        for machine in (it.leader, it.other):
            proof = tmp_path / "proof"
            ports = [str(port) for address, port in _listening(machine.namespace) if address == machine.address]
            assert len(ports) >= 4
            script = ATTACK.replace("10.77.0.1", machine.address)
            words = [sys.executable, "-c", script, pickle.dumps((None, Bomb(proof))).hex(), *ports]
            command = [*net.machines["c"].command, *words]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as attack:
                assert attack.stdout is not None and attack.stdout.readline() == "attacked\n"
                before = it.done("sum")
                until(lambda: it.done("sum") > before + 100)  # noqa: B023
                attack.communicate(timeout=60)
            assert not proof.exists()
        assert "a control message from 10.77.0.3 was refused" in it.log("up")
        assert "a control message from 10.77.0.3 was refused" in it.log("agent")
        assert {row["incarnation"] for row in it.rows().values()} == {1}
        assert it.cli("down").returncode == 0


@pytest.mark.full
def test_verbs_reach_over_machines(tmp_path: Path, net: Network) -> None:
    with shop(tmp_path, net, count=1_000_000, pause_s=0.001) as it:
        it.start_agent()
        it.start_leader()
        until(lambda: it.done("sum") > 100)
        assert it.cli("break", "f/count", "--when", "message % 1000 == 0").returncode == 0
        with RunnerClient(state=it.state["m1"]) as client:
            until(lambda: client.flow_state("f")["debug"]["pausedBy"])
            result = client.call("singleStepFlow", "f")
            assert result["f/count"]["runner"] == "big", result
        assert it.cli("unbreak", "f/count").returncode == it.cli("resume", "f").returncode == 0
        for place in ("edge", "big"):
            done = it.cli("move", "f/count", place)
            assert (done.returncode, done.stderr) == (0, "")
            before = it.done("sum")
            until(lambda: it.done("sum") > before + 100)  # noqa: B023
        document = json.loads((tmp_path / "f.json").read_text())
        document["modules"]["count"]["config"] = {"new": True}
        document["modules"]["sum"]["config"] = {"new": True}
        it.write("f.json", document)
        done = it.cli("apply", str(tmp_path / "f.json"))
        assert done.returncode == 0, done.stderr
        report = it.report()
        assert "wrong" not in report and report["last"] == report["count"] - 1 > 0
        assert it.cli("down").returncode == 0


def test_another_version_is_refused(tmp_path: Path, net: Network) -> None:
    with shop(tmp_path, net, count=10) as it:
        other = (
            "import actors, sys; actors.__version__ = '0.0.1'; from actors.console.cli import main; main(sys.argv[1:])"
        )
        file = it.write("agent.json", it.agent_file)
        it.start_leader()
        command = [*it.other.command, sys.executable, "-c", other, "agent", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert "it is version 0.0.1, the deployment's is" in done.stderr
        assert it.cli("down").returncode == 0
