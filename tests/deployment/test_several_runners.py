"""`runner up` with several runners: a flow is spread over them, each lives and dies by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from actors.console.client import RunnerClient
from tests.deployments import TIMEOUT_S, Plant, gone, listening, plant
from tests.links.test_two_runners import COUNT, SOURCE, SUM

RUNNERS = {"edge": {}, "big": {"runtimes": ["python3"]}, "third": {}}
PLACE = {"source": "edge", "count": "big", "sum": "edge", "idle": "third"}


def spread(folder: Path, count: int) -> dict[str, Any]:
    """What a plant gets for a flow over three runners."""
    document = {
        "id": "f",
        "modules": {
            "source": {"runtime": "python3", "code": SOURCE, "config": {"count": count}},
            "count": {"runtime": "python3", "code": COUNT},
            "sum": {"runtime": "python3", "code": SUM},
            "idle": {"runtime": "python3", "code": COUNT},
        },
        "wires": ["source -> count", "count -> sum", "count -> idle"],
    }
    (folder / "f.json").write_text(json.dumps(document))
    return {"runners": RUNNERS, "flows": [{"file": "f.json", "place": PLACE}]}


def completed(up: Plant, runner: str, module: str) -> int:
    with RunnerClient(state=up.state, runner=runner) as client:
        return int(client.flow_state("f")["modules"][module]["completed"])


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not done():
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)


def test_a_flow_over_three_runners(tmp_path: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 5000)) as up:
        facts = up.wait_until_up()
        assert set(facts["runners"]) == {"edge", "big", "third"}
        pids = up.pids()
        until(lambda: completed(up, "edge", "sum") == 5000)
        assert completed(up, "big", "count") == 5000
        assert {address for address, _ in listening(pids)} == {"127.0.0.1"}
        shown = up.cli("state", "f")
        assert shown.returncode == 0 and "count" in shown.stdout and "source" in shown.stdout
        shown = up.cli("state", "f", "--runner", "big")
        assert shown.returncode == 0 and "count" in shown.stdout and "source" not in shown.stdout
        assert up.cli("down").returncode == 0
        assert up.process.wait(60) == 0
        assert gone(pids)
        assert not (up.folder.path / "keys").exists()


def test_one_that_dies_is_started_again_and_the_others_go_on(tmp_path: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 1_000_000)) as up:
        facts = up.wait_until_up()
        until(lambda: completed(up, "edge", "sum") > 1000)
        os.kill(facts["runners"]["big"], signal.SIGKILL)
        until(lambda: facts["runners"]["big"] not in [p.pid for p in psutil.process_iter()])
        before = completed(up, "edge", "sum")
        until(lambda: completed(up, "edge", "sum") > before + 10_000)
        assert "the runner big" in up.log.read_text()
        edge = psutil.Process(facts["runners"]["edge"])
        assert edge.is_running()
        assert up.cli("down").returncode == 0


def test_an_orderly_end_loses_nothing_and_the_next_start_goes_on(tmp_path: Path) -> None:
    """In the middle of the stream, again and again: what is on its way arrives before any runner ends."""
    total = 300_000
    more = spread(tmp_path, total)
    for _ in range(3):
        with plant(tmp_path, **more) as up:
            up.wait_until_up()
            before = completed(up, "edge", "sum")
            until(lambda: completed(up, "edge", "sum") > before + 5000)  # noqa: B023
            assert up.cli("down").returncode == 0
            assert "has not acknowledged" not in up.log.read_text()
    with plant(tmp_path, **more) as up:
        up.wait_until_up()
        until(lambda: completed(up, "third", "idle") == total)
        for runner, module in (("edge", "sum"), ("big", "count"), ("third", "idle")):
            assert completed(up, runner, module) == total
        with RunnerClient(state=up.state, runner="edge") as client:
            assert client.call("sendMessage", "f/sum", "in", "report")
            until(lambda: bool(client.call("deadLetters", "f")))
            [letter] = client.call("deadLetters", "f")
            assert json.loads(letter["error"]["message"]) == {"last": total - 1, "count": total}
        assert up.cli("down").returncode == 0


def test_the_registry_dies_and_comes_back(tmp_path: Path) -> None:
    """Links go on; a runner that starts after that is found by the new one."""
    with plant(tmp_path, **spread(tmp_path, 1_000_000)) as up:
        facts = up.wait_until_up()
        until(lambda: completed(up, "edge", "sum") > 1000)
        known = {facts["pid"], facts["adminPid"], facts["dispatcherPid"], *facts["runners"].values()}
        children = psutil.Process(facts["dispatcherPid"]).children()
        [registry] = [child.pid for child in children if child.pid not in known]
        os.kill(registry, signal.SIGKILL)
        before = completed(up, "edge", "sum")
        until(lambda: completed(up, "edge", "sum") > before + 10_000)
        os.kill(facts["runners"]["big"], signal.SIGKILL)
        before = completed(up, "edge", "sum")
        until(lambda: completed(up, "edge", "sum") > before + 100_000)
        assert up.cli("down").returncode == 0


def test_keys_are_out_of_reach_of_modules(tmp_path: Path) -> None:
    look = "import os\ndef run(m, c):\n    return [os.path.exists(m), os.access(m, os.R_OK)]\n"
    (tmp_path / "f.json").write_text(json.dumps({"id": "f", "modules": {"look": {"runtime": "python3", "code": look}}}))
    with plant(tmp_path, runners={"a": {}, "b": {}}, flows=[{"file": "f.json", "place": {"look": "a"}}]) as up:
        up.wait_until_up()
        key = up.folder.path / "keys" / "runners" / "a.pem"
        assert key.exists() and oct(key.stat().st_mode & 0o777) == "0o600"
        command = ["--state", str(up.state), "tap", "f/look.out", "-n", "1", "--runner", "a"]
        from tests.deployments import RUNNER

        with subprocess.Popen([*RUNNER, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tap:
            deadline = time.monotonic() + TIMEOUT_S
            while tap.poll() is None:
                assert time.monotonic() < deadline
                up.cli("send", "f/look", json.dumps(str(key)), "--runner", "a")
                time.sleep(0.2)
            assert tap.stdout is not None
            assert "[false,false]" in tap.stdout.read().replace(" ", "")
        assert up.cli("down").returncode == 0
