"""`runner up` as a program, and everything that belongs to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from actors.chaos.looking import faults_in
from actors.console.client import RunnerClient
from actors.deployment.folder import DeploymentFolder

TIMEOUT_S = 60.0
RUNNER = [sys.executable, "-m", "actors.console"]
ECHO = """
def run(message, context):
    if message == "bad":
        raise ValueError("a bad message")
    context.set("n", context.get("n", 0) + 1)
    return message
"""


def flow(flow_id: str = "echo", code: str = ECHO) -> dict[str, Any]:
    return {"id": flow_id, "modules": {"a": {"runtime": "python3", "code": code}}}


def cli(state: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A verb, to its end."""
    command = [*RUNNER, "--state", str(state), *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


class Plant:
    """A deployment that is up, in the foreground of a process of its own."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.state = folder / "state"
        (folder / "echo.json").write_text(json.dumps(flow()))
        self.file = folder / "plant.json"
        plant = {"name": "plant", "runners": {"edge": {}}, "flows": [{"file": "echo.json"}]} | more
        self.file.write_text(json.dumps(plant))
        self.folder = DeploymentFolder(self.state, "plant")
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*RUNNER, "--state", str(self.state), "up", str(self.file), "--json"],
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip

    def wait_until_up(self) -> dict[str, Any]:
        """What it says when it is up."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        facts: dict[str, Any] = json.loads(line)
        return facts

    def cli(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return cli(self.state, *words, stdin=stdin)

    def client(self) -> RunnerClient:
        return RunnerClient(state=self.state)

    def pids(self) -> list[int]:
        """Every process: the actors', and the hosts below them."""
        pids = set(self.folder.processes())
        for pid in list(pids):
            pids |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
        return sorted(pids)

    def end(self) -> None:
        """Whatever happened: nothing may stay."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(TIMEOUT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        left = self.folder.processes()
        self.folder.kill()
        assert not left, left
        sound(self.log)


def sound(log: Path) -> None:
    """Nothing in it is a fault of the program itself."""
    for fault in faults_in(log.read_text()):
        raise AssertionError(fault)


@contextmanager
def plant(folder: Path, **more: Any) -> Iterator[Plant]:
    deployment = Plant(folder, **more)
    try:
        yield deployment
    except BaseException:
        print(deployment.log.read_text())
        raise
    finally:
        deployment.end()


def gone(pids: list[int]) -> bool:
    """Whether all these processes end; what only waits for init to notice has ended."""
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid) and not _is_zombie(pid)]
    _, alive = psutil.wait_procs(processes, timeout=TIMEOUT_S)
    return all(_is_zombie(process.pid) for process in alive)


def _is_zombie(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() == psutil.STATUS_ZOMBIE and process.ppid() == 1
    except psutil.NoSuchProcess:
        return True


def listening(pids: list[int]) -> list[tuple[str, int]]:
    """The addresses that these processes listen on."""
    found = set()
    for pid in pids:
        for connection in psutil.Process(pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                found.add((connection.laddr.ip, connection.laddr.port))
    return sorted(found)


def is_fifo_free(folder: Path) -> bool:
    return not any(path.is_fifo() for path in folder.rglob("*") if os.path.lexists(path))
