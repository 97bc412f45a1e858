"""`runner run` of a durable flow, killed and started again until it ends."""

from __future__ import annotations

import json
import random
import select
import subprocess
from pathlib import Path
from typing import Any

import psutil

from tests.test_run import DOUBLE, FINISH, PARSE, command, out_size, started, write_lines

JOURNAL = "actors.journal.child"
SAME = "def run(m, c):\n    return m\n"


def write_flow(
    folder: Path, modules: dict[str, Any] | None = None, wires: list[Any] | None = None, **more: Any
) -> Path:
    """Two languages, contexts, a fused wire; or other modules."""
    chain = {
        "parse": {"runtime": "python3", "code": PARSE},
        "double": {"runtime": "node", "name": "double.js", "code": DOUBLE},
        "same": {"runtime": "python3", "code": SAME},
        "finish": {"runtime": "python3", "code": FINISH},
    }
    document = {
        "id": "f", "durable": True, "modules": modules or chain,
        "wires": ["parse -> double", "double -> same", "same -> finish"] if wires is None else wires, **more,
    }  # fmt: skip
    path = folder / "flow.json"
    path.write_text(json.dumps(document))
    return path


def children(pid: int, journal: bool = False) -> list[psutil.Process]:
    """Its hosts, or the process that writes its journals."""
    found = []
    for child in psutil.Process(pid).children():
        try:
            if (JOURNAL in child.cmdline()) == journal:
                found.append(child)
        except psutil.Error:
            continue
    return found


class Runs:
    """The same command, again and again."""

    def __init__(
        self, folder: Path, count: int, flow: Path | None = None, places: tuple[str, str] | None = None
    ) -> None:
        self.folder, self.out, self.log = folder, folder / "out", folder / "log"
        write_lines(folder / "in", count)
        place_in, place_out = places or ("parse.in", "finish.out")
        ends = ["-i", f"{place_in}={folder}/in", "-o", f"{place_out}={self.out}"]
        self.words = command(folder, flow or write_flow(folder), *ends)
        self.kills = self.host_kills = 0
        self.status = 0  # of a run that comes to its end

    def go(self, *words: str) -> subprocess.CompletedProcess[str]:
        """To its end."""
        return subprocess.run(
            [*self.words, *words], capture_output=True, text=True, timeout=300, check=False
        )  # fmt: skip

    def killed(self, chance: random.Random, kills: int, host_kills: int, stride: int) -> None:
        """Each run gets a share of the kills of hosts and is killed itself, at random moments of its work."""
        for left in range(kills, 0, -1):
            with self.log.open("a") as log, started(self.words, stderr=log) as process:
                goal, share = out_size(self.out), host_kills // left
                host_kills -= share
                for _ in range(share):
                    self._until(process, chance, goal := goal + stride)
                    for host in children(process.pid) if process.poll() is None else ():
                        host.kill()
                        self.host_kills += 1
                self._until(process, chance, goal + stride)
                if process.poll() is not None:
                    assert process.returncode == self.status, self.log.read_text()[-3000:]
                    return
                process.kill()
                self.kills += 1

    def _until(self, process: subprocess.Popen[bytes], chance: random.Random, goal: int) -> None:
        """There is so much output; then a random moment. One run in eight does not come that far."""
        if chance.random() < 0.125:
            select.select([], [], [], chance.uniform(0.0, 0.6))
            return
        while process.poll() is None and out_size(self.out) < goal:
            select.select([], [], [], 0.005)
        select.select([], [], [], chance.uniform(0.0, 0.05))
