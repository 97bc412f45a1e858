"""A flow of catalogue modules in a runner of its own, whose hosts can be killed while it works."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.deployments import RUNNER

TIMEOUT_S = 200.0


def write_flow(folder: Path, modules: dict[str, Any], wires: list[str], **fields: Any) -> Path:
    path = folder / "f.yaml"
    path.write_text(json.dumps({"id": "f", "modules": modules, "wires": wires, **fields}))  # JSON is YAML
    return path


def run(folder: Path, *words: str, stdin: str = "", status: int = 0) -> subprocess.CompletedProcess[str]:
    """`runner run f.yaml` to its end."""
    command = [*RUNNER, "--state", str(folder / "state"), "run", "f.yaml", *words]
    done = subprocess.run(
        command, cwd=folder, input=stdin, text=True, capture_output=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == status, done.stderr
    return done


def runner(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A verb, to its end; packages may have to be fetched, and compilers to run."""
    command = [*RUNNER, *words]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=TIMEOUT_S, check=False)


class Running:
    """A runner that works; what it says is in a file."""

    def __init__(self, folder: Path, words: tuple[str, ...]) -> None:
        self.folder = folder
        command = [*RUNNER, "--state", str(folder / "state"), "run", "f.yaml", *words]
        self.log = folder / "log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stderr=log)
        self.killed = 0

    def hosts(self) -> list[int]:
        """The processes of hosts; not those that prepare one."""
        try:
            children = psutil.Process(self.process.pid).children()
            return [child.pid for child in children if any("/host." in word for word in child.cmdline())]
        except psutil.Error:
            return []

    def kill_a_host(self, chance: random.Random) -> None:
        if hosts := self.hosts():
            os.kill(chance.choice(sorted(hosts)), signal.SIGKILL)
            self.killed += 1

    def wait_for(self, holds: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
        end = time.monotonic() + timeout_s
        while not holds():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()[-3000:]
            time.sleep(0.01)

    def said(self, text: str) -> bool:
        return text in self.log.read_text()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(TIMEOUT_S) in (0, 130, 143), self.log.read_text()


@contextmanager
def running(folder: Path, *words: str) -> Iterator[Running]:
    """From when it has started to its end, whatever happens."""
    it = Running(folder, words)
    try:
        it.wait_for(lambda: it.said("f: started"))
        yield it
    finally:
        if it.process.poll() is None:
            it.process.kill()
        it.process.wait()


def lines(path: Path) -> list[Any]:
    """Those of an NDJSON file that are whole."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
