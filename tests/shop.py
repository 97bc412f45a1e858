"""A deployment over two machines: `runner up` on the one, `runner agent` on the other, as programs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from actors.console.client import RunnerClient
from actors.deployment import key_folder
from actors.deployment.folder import AGENTS, DeploymentFolder
from tests.deployments import RUNNER, TIMEOUT_S, cli, sound
from tests.links.test_two_runners import COUNT, SOURCE, SUM
from tests.machines import Machine, Network

PACED = """
import time


def start(context):
    while (number := context.get("next", 0)) < context.config["count"]:
        context.set("next", number + 1)
        yield number
        time.sleep(context.config["pause_s"])


def run(message, context):
    pass
"""
WIRES = ["source -> count", "count -> sum"]


class Shop:
    """`edge` is at the leader, `big` on the other machine. A source at the one, a sum of what has been at the other."""

    def __init__(self, folder: Path, net: Network, *, count: int, pause_s: float = 0.0, **flow: Any) -> None:
        self.folder, self.net, self.count = folder, net, count
        self.leader, self.other = net.machines["a"], net.machines["b"]
        self.state = {"m1": folder / "m1", "m2": folder / "m2"}
        key_folder.make_keys(folder / "keys", "shop", ["edge"])
        key_folder.provide(folder / "keys", ["big"])
        key_folder.bundle(folder / "keys", folder / "m2-keys", ["big"])
        config = {"count": count, "pause_s": pause_s}
        modules = {
            "source": {"runtime": "python3", "code": PACED if pause_s else SOURCE, "config": config},
            "count": {"runtime": "python3", "code": COUNT}, "sum": {"runtime": "python3", "code": SUM},
        }  # fmt: skip
        self.write("f.json", {"id": "f", "modules": modules, "wires": WIRES, **flow})
        self.deployment = {
            "name": "shop", "keys": "keys",
            "machines": {"m1": {"address": self.leader.address}, "m2": {"address": self.other.address}},
            "runners": {"edge": {"runtimes": ["python3"]}, "big": {"machine": "m2", "runtimes": ["python3"]}},
            "flows": [{"file": "f.json", "place": {"*": "edge", "count": "big"}}],
        }  # fmt: skip
        self.agent_file = {
            "name": "m2", "address": self.other.address, "leader": self.leader.address, "keys": "m2-keys",
            "state": "m2",
        }  # fmt: skip
        self.started: list[subprocess.Popen[str]] = []

    def write(self, name: str, document: Any) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(document))
        return path

    def _start(self, machine: Machine, log: str, *words: str, runner: Sequence[str] = RUNNER) -> subprocess.Popen[str]:
        with (self.folder / log).open("a") as out:
            started = subprocess.Popen(
                [*machine.command, *runner, *words, "--json"], stdout=subprocess.PIPE, stderr=out, text=True
            )
        self.started.append(started)
        return started

    def start_agent(self, machine: Machine | None = None, runner: Sequence[str] = RUNNER) -> subprocess.Popen[str]:
        """Until it has said that it is up, or has ended."""
        file = self.write("agent.json", self.agent_file)
        agent = self._start(machine or self.other, "agent.log", "agent", str(file), runner=runner)
        assert agent.stdout is not None
        agent.stdout.readline()
        return agent

    def start_leader(self) -> dict[str, Any]:
        """Returns what it says when it is up; {} if it has ended."""
        file = self.write("shop.json", self.deployment)
        self.up = self._start(self.leader, "up.log", "--state", str(self.state["m1"]), "up", str(file))
        assert self.up.stdout is not None
        line = self.up.stdout.readline()
        facts: dict[str, Any] = json.loads(line) if line else {}
        return facts if "runners" in facts else {}

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        return cli(self.state["m1"], *words)

    def rows(self) -> dict[str, Any]:
        """Of `runner ps`."""
        return {row["name"]: row for row in json.loads(self.cli("ps", "--json").stdout)}

    def done(self, module: str) -> int:
        """How many messages it has completed; -1 if it is away."""
        with RunnerClient(state=self.state["m1"]) as client:
            return int(client.flow_state("f")["modules"][module].get("completed", -1))

    def report(self) -> dict[str, Any]:
        """The context of `sum`."""
        with RunnerClient(state=self.state["m1"]) as client:
            found: dict[str, Any] = client.get_context("f/sum")
            return found

    def processes(self) -> set[int]:
        """Those of both machines, hosts too."""
        folders = DeploymentFolder(self.state["m1"], "shop"), DeploymentFolder(self.state["m2"], "m2", AGENTS)
        pids = {pid for folder in folders for pid in folder.processes()}
        for pid in list(pids):
            pids |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
        return pids

    def end(self) -> None:
        for one in reversed(self.started):
            if one.poll() is None:
                one.terminate()
        for one in self.started:
            one.wait(TIMEOUT_S)
            assert one.stdout is not None
            one.stdout.close()
        left = self.processes()
        for folder in (DeploymentFolder(self.state["m1"], "shop"), DeploymentFolder(self.state["m2"], "m2", AGENTS)):
            folder.kill()
        assert not left, left
        for log in ("up.log", "agent.log"):
            if (self.folder / log).exists():
                sound(self.folder / log)


@contextmanager
def shop(folder: Path, net: Network, **more: Any) -> Iterator[Shop]:
    it = Shop(folder, net, **more)
    try:
        yield it
    finally:
        it.end()
