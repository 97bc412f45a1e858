"""`runner up` and `down`: the whole life of a deployment, and the deaths of each of its processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil

from actors.deployment.folder import deployments
from tests.deployments import RUNNER, Plant, cli, flow, gone, is_fifo_free, plant
from tests.test_run import wait_for

ASK = """
import sys
from pathlib import Path
from actors.system import signing
signing.install(Path(sys.argv[1]))
from thespian.actors import ActorSystem
from actors.deployment.dispatcher import DispatcherActor
from actors.messages.client_to_runner import ListFlows, StopFlow
system = ActorSystem("multiprocTCPBase", capabilities={"Admin Port": int(sys.argv[2])}, transientUnique=True)
dispatcher = system.createActor(DispatcherActor, globalName="dispatcher")
reply = system.ask(dispatcher, ListFlows(request_id="mine"), 20)
print(reply.request_id, reply.ok, [flow["id"] for flow in reply.value])
reply = system.ask(dispatcher, StopFlow(request_id="other", flow_id="nope"), 20)
print(reply.request_id, reply.ok, reply.error)
"""


def test_the_whole_life(tmp_path: Path) -> None:
    (tmp_path / "more.json").write_text(json.dumps(flow("more")))
    with plant(tmp_path) as up:
        facts = up.wait_until_up()
        assert facts["name"] == "plant" and facts["flows"] == ["echo"]
        pids = up.pids()
        assert {facts["runnerPid"], facts["adminPid"], facts["dispatcherPid"], facts["pid"]} <= set(pids)
        assert up.cli("apply", str(tmp_path / "more.json")).stdout.startswith("more: running")
        assert up.cli("send", "more/a", '{"x": 1}').returncode == 0
        with up.client() as client:
            while client.flow_state("more")["modules"]["a"]["completed"] < 1:
                pass
        state = json.loads(up.cli("state", "more", "--json").stdout)
        assert state["state"] == "running" and state["modules"]["a"]["accepted"] == 1
        pids += up.pids()
        down = up.cli("down")
        assert (down.returncode, down.stdout) == (0, "plant is down\n"), down.stderr
        assert up.process.wait(60) == 0
        assert gone(pids)
        assert is_fifo_free(up.state) and not list(up.state.glob("runs/*"))
        assert not up.folder.path.exists() or not (up.folder.path / "keys" / "control.key").exists()
        assert up.cli("down").returncode == 1


def test_a_signal_ends_it_in_order(tmp_path: Path) -> None:
    stop = "def run(m, c): pass\ndef stop(c): print('stop was called')\n"
    for number in (signal.SIGINT, signal.SIGTERM):
        with plant(tmp_path, name="plant") as up:
            (tmp_path / "stop.json").write_text(json.dumps(flow("stop", stop)))
            up.wait_until_up()
            assert up.cli("apply", str(tmp_path / "stop.json")).returncode == 0
            pids = up.pids()
            up.process.send_signal(number)
            assert up.process.wait(60) == 0
            assert gone(pids)
            assert "stop was called" in up.log.read_text()


def test_detached(tmp_path: Path) -> None:
    up = Plant(tmp_path)  # for its files
    up.wait_until_up()
    assert "nothing to change" in cli(up.state, "up", "-d", str(up.file)).stdout  # it is up already
    assert up.cli("down").returncode == 0
    up.end()
    started = cli(up.state, "up", "--detach", str(up.file))
    try:
        assert (started.returncode, started.stderr) == (0, "")
        assert started.stdout.startswith("plant is up: runner edge (")
        (folder,) = deployments(up.state)
        pids = folder.processes()
        assert cli(up.state, "flows").returncode == 0
    finally:
        down = cli(up.state, "down", "plant")
    assert down.returncode == 0 and gone(pids)
    assert "stopping" in (folder.path / "log").read_text()


def test_ctrl_c_while_a_detached_one_starts(tmp_path: Path) -> None:
    """Nothing stays up that was not waited for."""
    state = tmp_path / "state"
    (tmp_path / "slow.json").write_text(json.dumps(flow("slow", "import time\ntime.sleep(600)\ndef run(m, c): pass\n")))
    (tmp_path / "up.json").write_text(
        json.dumps({"name": "plant", "runners": {"edge": {}}, "flows": [{"file": "slow.json"}]})
    )
    process = subprocess.Popen(
        [*RUNNER, "--state", state, "up", "-d", tmp_path / "up.json"], start_new_session=True, stderr=subprocess.PIPE
    )
    wait_for(lambda: any(state.glob("runs/*/*")))  # its host is loading
    (folder,) = deployments(state)
    pids = folder.processes()
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, b"")
    assert pids and gone(pids)


def test_a_flow_that_cannot_start_ends_it_all(tmp_path: Path) -> None:
    up = Plant(tmp_path, flows=[{"file": "bad.json"}])
    up.end()  # reads the file before it is there
    (tmp_path / "bad.json").write_text(json.dumps(flow("bad", "raise ValueError('no such luck')\n")))
    for detach in ([], ["--detach"]):
        done = cli(up.state, "up", *detach, str(up.file))
        assert done.returncode == 1
        assert "no such luck" in done.stderr and "Traceback" not in done.stderr.split("runner: ")[-1]
        assert not up.folder.processes() and is_fifo_free(up.state)


def test_the_runner_is_started_again_with_its_flows(tmp_path: Path) -> None:
    with plant(tmp_path) as up:
        first = up.wait_until_up()["runnerPid"]
        host = psutil.Process(first).children()[0].pid
        with up.client() as client:
            os.kill(first, signal.SIGKILL)
            client._reader.join(20)  # the connection ends
        assert gone([first, host])
        with up.log.open() as log:
            while "is up again" not in log.read():
                assert up.process.poll() is None
        with up.client() as client:
            assert client.runner.pid != first and client.runner.name == "edge"
            assert client.flow_state("echo")["state"] == "running"
            assert client.send_message("echo/a", "in", 1)


def test_a_runner_that_dies_too_often_ends_it(tmp_path: Path) -> None:
    with plant(tmp_path, restart={"times": 0, "period_s": 60}) as up:
        facts = up.wait_until_up()
        pids = up.pids()
        os.kill(facts["runnerPid"], signal.SIGKILL)
        assert up.process.wait(60) == 1
        assert gone(pids)
        assert "it is not started again" in up.log.read_text()


def test_killed_parts_take_the_rest_with_them(tmp_path: Path) -> None:
    for part in ("pid", "dispatcherPid", "adminPid"):
        with plant(tmp_path) as up:
            facts = up.wait_until_up()
            pids = up.pids()
            os.kill(facts[part], signal.SIGKILL)
            assert up.process.wait(60) != 0
            assert gone(pids), part
            if part != "pid":
                assert "has died" in up.log.read_text()
        assert cli(up.state, "flows").returncode == 1


def test_down_ends_what_up_left(tmp_path: Path) -> None:
    with plant(tmp_path) as up:
        facts = up.wait_until_up()
        pids = up.pids()
        os.kill(facts["dispatcherPid"], signal.SIGSTOP)  # it cannot stop anything any more
        os.kill(facts["pid"], signal.SIGKILL)
        up.process.wait()
        down = up.cli("down", "--timeout", "1")
        assert down.returncode == 1 and "was killed: what its flows held is lost" in down.stderr
        assert gone(pids)


def test_requests_as_actor_messages(tmp_path: Path) -> None:
    with plant(tmp_path) as up:
        up.wait_until_up()
        port = up.folder.read()["adminPort"]
        command = [sys.executable, "-c", ASK, str(up.folder.path / "keys" / "control.key"), str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout.splitlines() == [
            "mine True ['echo']",
            "other False there is no flow 'nope'; flows here: echo",
        ], done.stderr


def test_a_deployment_keeps_off_other_actor_systems(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with plant(tmp_path / "a") as one, plant(tmp_path / "b") as two:
        one.wait_until_up()
        two.wait_until_up()
        assert one.folder.read()["adminPort"] != two.folder.read()["adminPort"]
        assert one.cli("down").returncode == 0
        with two.client() as client:
            assert client.flow_state("echo")["state"] == "running"


def test_a_deployment_file_with_problems(tmp_path: Path) -> None:
    file = tmp_path / "d.yaml"
    file.write_text("name: p\nrunners: {a: {join: x}, b: {}}\n")
    done = cli(tmp_path / "state", "up", str(file))
    assert done.returncode == 1 and done.stderr.count("comes in a later version") == 1
    assert f"runner: {file}:2:15: " in done.stderr
    assert not (tmp_path / "state" / "deployments").exists()


def test_log_lines_as_json(tmp_path: Path) -> None:
    with plant(tmp_path, log={"format": "json", "level": "info"}) as up:
        up.wait_until_up()
        assert up.cli("down").returncode == 0
        lines = [json.loads(line) for line in up.log.read_text().splitlines()]
        assert any(line["message"].startswith("echo: started") for line in lines)
        assert {"time", "level", "logger", "message"} <= lines[0].keys()


def test_nothing_listens_before_up(tmp_path: Path) -> None:
    """`runner run` opens no port."""
    file = tmp_path / "f.json"
    file.write_text(json.dumps(flow()))
    process = subprocess.Popen([*RUNNER, "--state", str(tmp_path / "s"), "run", str(file)], stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        assert b"started" in process.stderr.readline()
        connections = psutil.Process(process.pid).net_connections("inet")
        assert not connections, connections
        unix = [c for c in psutil.Process(process.pid).net_connections("unix") if c.laddr]
        assert unix and all(c.family == socket.AF_UNIX for c in unix)
        assert json.loads(cli(tmp_path / "s", "flows", "--json").stdout)[0]["state"] == "running"
        assert cli(tmp_path / "s", "state", "echo", "--runner", "echo").returncode == 0
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0


def test_parts_killed_while_it_starts_take_the_rest_with_them(tmp_path: Path) -> None:
    """Nothing has been announced yet: still somebody looks after them."""
    (tmp_path / "slow.json").write_text(json.dumps(flow("slow", "import time\ntime.sleep(3)\n")))
    for part in ("dispatcher", "admin"):
        with plant(tmp_path, flows=[{"file": "slow.json"}]) as up:
            (runner,) = wait_for(
                lambda up=up: [path for path in up.state.glob("runs/*") if (path / "api.sock").exists()]
            )
            dispatcher = psutil.Process(int(runner.name)).parent()
            assert dispatcher is not None
            killed = dispatcher if part == "dispatcher" else dispatcher.parent()
            assert killed is not None and killed.pid != up.process.pid
            killed.kill()
            assert up.process.wait(60) == 1
            assert "has died; the deployment is ended" in up.log.read_text()


def test_down_ends_what_has_not_started_yet(tmp_path: Path) -> None:
    (tmp_path / "slow.json").write_text(json.dumps(flow("slow", "import time\ntime.sleep(3)\n")))
    with plant(tmp_path, flows=[{"file": "slow.json"}]) as up:
        wait_for(lambda: list(up.state.glob("runs/*/api.sock")))
        down = up.cli("down")
        assert (down.returncode, down.stdout) == (0, "plant is down\n"), down.stderr
        assert up.process.wait(60) == 0
