"""The example deployments of configs/: their tests, and each of them whole."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.catalogue import servers
from tests.catalogue.running import lines, runner
from tests.deployments import RUNNER
from tests.harness import need

CONFIGS = Path(__file__).parents[2] / "configs"
PATIENCE_S = 200.0


def wait_for(holds: Callable[[], Any], log: Path) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.05)
    return found


@contextmanager
def working(command: list[str], folder: Path, **env: str) -> Iterator[Path]:
    """A program until the test is over; its log."""
    log = folder / "work.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | env, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    try:
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_the_tests_they_carry(tmp_path: Path) -> None:
    need("node")
    need("go")
    files = [*CONFIGS.glob("sensor-plant/*.yaml"), *CONFIGS.glob("*/pipeline.yaml"), *CONFIGS.glob("*/service.yaml")]
    files = [str(file) for file in files if "tests:" in file.read_text()]
    done = runner(tmp_path, "--state", str(tmp_path / "state"), "test", *files, "--json")
    found = json.loads(done.stdout)
    assert found["ok"] and len({test["file"] for test in found["tests"]}) == 4, found


def test_the_log_pipeline(tmp_path: Path) -> None:
    need("node")
    shutil.copytree(CONFIGS / "log-pipeline", tmp_path, dirs_exist_ok=True)
    done = runner(tmp_path, "--state", str(tmp_path / "state"), "run", "pipeline.yaml")
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "logs/access.log").read_text().splitlines()
    with (tmp_path / "out/errors.csv").open() as file:
        errors = list(csv.DictReader(file))
    assert len(errors) == len([line for line in log if re.search(r'" 5\d\d ', line)]) > 10
    assert sum(window["count"] for window in lines(tmp_path / "out/minutes.ndjson")) == len(log) - 1 == 400
    assert (tmp_path / "out/rejects.txt").read_text() == "a line that is none\n"


def test_the_log_pipeline_follows(tmp_path: Path) -> None:
    need("node")
    shutil.copytree(CONFIGS / "log-pipeline", tmp_path, dirs_exist_ok=True)
    with working([*RUNNER, "--state", str(tmp_path / "state"), "up", "deployment.yaml"], tmp_path) as log:
        wait_for((tmp_path / "out/rejects.txt").exists, log)
        with (tmp_path / "logs/new.log").open("w") as file:
            file.write("another that is none\n")
        wait_for(lambda: "another" in (tmp_path / "out/rejects.txt").read_text(), log)


def test_the_sensor_plant(tmp_path: Path) -> None:
    need("node")
    for name in ("mosquitto", "initdb", "postgres", "psql"):
        servers.program(name, "mosquitto postgresql")
    mqtt, sql, gateway = servers.free_port(), servers.free_port(), servers.free_port()
    shutil.copytree(CONFIGS / "sensor-plant", tmp_path / "plant")
    deployment = tmp_path / "plant/deployment.yaml"
    deployment.write_text(deployment.read_text().replace("8080", str(gateway)))
    state, path = str(tmp_path / "state"), f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"MQTT_PORT": str(mqtt), "SQL_PORT": str(sql), "RUNNER_STATE": state, "PATH": path, "TMPDIR": "/tmp"}
    with working([str(tmp_path / "plant/up")], tmp_path, **env) as log:
        wait_for(lambda: "plant: started" in log.read_text() and "sensors: started" in log.read_text(), log)
        seen = runner(tmp_path, "--state", state, "tap", "plant/reading", "-n", "6")
        assert {json.loads(line)["device"] for line in seen.stdout.splitlines()} == {"oven", "lid", "belt"}, seen
        hot = '{"topic": "plant/test/celsius", "value": {"celsius": 99.5, "at": 0}}'
        assert runner(tmp_path, "--state", state, "send", "plant/reading", hot).returncode == 0
        question = "SELECT device, celsius FROM alarms WHERE device = 'test'"
        wait_for(lambda: servers.psql(sql, question) == ["test|99.5"], log)
        with urllib.request.urlopen(f"http://127.0.0.1:{gateway}/app/", timeout=60) as page:
            assert b"<title>Alarms</title>" in page.read()


def test_the_webhook_service(tmp_path: Path) -> None:
    for runtime in ("node", "go"):
        need(runtime)
    shutil.copytree(CONFIGS / "webhook-service", tmp_path, dirs_exist_ok=True)
    ports = {"9000": str(servers.free_port()), "8080": str(servers.free_port())}
    for file in tmp_path.iterdir():
        text = file.read_text()
        for was, becomes in ports.items():
            text = text.replace(was, becomes)
        file.write_text(text)
    (tmp_path / "receiver").mkdir()
    state = tmp_path / "state"
    up = [*RUNNER, "--state", str(state), "up", "deployment.yaml"]
    with (
        working([sys.executable, str(tmp_path / "receiver.py")], tmp_path / "receiver") as taken,
        working(up, tmp_path) as log,
    ):
        wait_for(lambda: "service: started" in log.read_text(), log)
        (token,) = [path.read_text().strip() for path in state.rglob("gateway.token")]
        for order in (1, 1, 2):
            body = json.dumps({"id": order, "items": [{"sku": "pear", "count": order}]}).encode()
            address = f"http://127.0.0.1:{ports['8080']}/in/service/orders"
            request = urllib.request.Request(address, body, {"Authorization": f"Bearer {token}"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.status == 202
        got = wait_for(lambda: (text := taken.read_text().splitlines())[1:] and text, log)
    assert [(one["id"], one["cents"]) for one in map(json.loads, got)] == [(1, 80), (2, 160)]
