"""A signal ends the runner, whatever is stuck in it; the third one at once."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest

from actors.console.client import RunnerClient
from tests.deployments import plant

RUNNER = [sys.executable, "-m", "actors.console"]
FOR_EVER = "\n    import time\n    print('stuck', flush=True)\n    time.sleep(1000)\n"
RUN = "def run(m, c):\n    return m\n"
STUCK = {
    "load": {"a": "import time\nprint('stuck', flush=True)\ntime.sleep(1000)\n" + RUN},
    "start": {"a": "def start(c):" + FOR_EVER + RUN},
    "source": {"a": "def start(c):" + FOR_EVER + "    yield 1\n"},
    "handler": {"a": "def start(c):\n    yield 1\n", "b": "def run(m, c):" + FOR_EVER},
    "stop": {"a": "def start(c):\n    print('stuck', flush=True)\ndef stop(c):" + FOR_EVER + RUN},
}


class Running:
    """`runner run` of a flow with a module that is stuck somewhere; what it says, as it comes."""

    def __init__(self, folder: Path, where: str, drain_s: float) -> None:
        modules = {name: {"runtime": "python3", "isolated": True, "code": code} for name, code in STUCK[where].items()}
        wires = ["a -> b"] if "b" in modules else []
        document = {"id": "f", "modules": modules, "wires": wires, "drain_timeout_s": drain_s}
        (folder / "f.json").write_text(json.dumps(document))
        command = [*RUNNER, "run", str(folder / "f.json"), "--state", str(folder / "state"), "--plain"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        self.err: IO[bytes] = self.process.stderr
        self.said = ""

    def until(self, word: str, timeout_s: float = 30.0) -> None:
        """Until it has said that."""
        deadline = time.monotonic() + timeout_s
        while word not in self.said:
            assert select.select([self.err], [], [], deadline - time.monotonic())[0], self.said
            text = os.read(self.err.fileno(), 65536).decode()
            assert text, self.said
            self.said += text

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.err.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    subprocess.run([*RUNNER, "flows", "--state", str(tmp_path / "state")], capture_output=True, check=False)


@pytest.mark.parametrize("where", STUCK)
def test_one_signal_ends_it_within_its_limits(folder: Path, where: str) -> None:
    running = Running(folder, where, 0.3)
    try:
        running.until("stuck")
        hosts = running.children()
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(40)
        assert not [host for host in hosts if host.is_running() and host.status() != psutil.STATUS_ZOMBIE]
        assert "Traceback" not in running.said + running.err.read().decode()
    finally:
        running.end()


@pytest.mark.parametrize("where", ["start", "handler"])
def test_the_third_one_ends_it_at_once(folder: Path, where: str) -> None:
    """With limits of ten minutes."""
    running = Running(folder, where, 600)
    try:
        running.until("stuck")
        hosts = running.children()
        deadline = time.monotonic() + 30
        while running.process.poll() is None and time.monotonic() < deadline:
            running.process.send_signal(signal.SIGINT)  # several that are pending are one
            select.select([], [], [], 0.05)
        assert running.process.wait(1) == 130
        psutil.wait_procs(hosts, 30)
        assert not [host for host in hosts if host.is_running() and host.status() != psutil.STATUS_ZOMBIE]
    finally:
        running.end()


def test_the_second_one_says_what_the_third_does(folder: Path) -> None:
    running = Running(folder, "handler", 600)
    try:
        running.until("stuck")
        running.process.send_signal(signal.SIGINT)
        with RunnerClient(state=folder / "state") as client:
            while client.flow_state("f")["state"] != "stopping":
                assert running.process.poll() is None, running.said
        running.process.send_signal(signal.SIGINT)
        running.until("once more")
        assert running.process.poll() is None
    finally:
        running.end()


def test_a_deployment_ends_at_the_third_one(tmp_path: Path) -> None:
    code = "def run(m, c):" + FOR_EVER
    document = {"id": "echo", "modules": {"a": {"runtime": "python3", "code": code}}, "drain_timeout_s": 600}
    with plant(tmp_path) as up:
        up.wait_until_up()
        with up.client() as client:
            client.call("addOrUpdateFlow", document)
            client.send_message("echo/a", "in", 1)
        pids = up.pids()
        while up.process.poll() is None:
            up.process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        assert up.process.returncode == 130
        assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
