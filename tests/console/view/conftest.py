"""A runner with one flow, for all that look at it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.console.client import RunnerClient
from tests.deployments import RUNNER

CODE = """
def run(message, context):
    if message == "bad":
        raise ValueError("a bad message")
    context.set("last", message)
    return message
"""
FLOW: dict[str, Any] = {
    "id": "f",
    "modules": {name: {"runtime": "python3", "code": CODE} for name in ("parse", "smooth", "alarm")},
    "wires": ["parse -> smooth", "smooth -> alarm"],
}


class Runner:
    """`runner run` of that flow."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        file = folder / "f.json"
        file.write_text(json.dumps(FLOW))
        words = [*RUNNER, "--state", str(self.state), "run", str(file)]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        while b"waits for" not in self.process.stderr.readline():
            assert self.process.poll() is None

    def client(self) -> RunnerClient:
        return RunnerClient(state=self.state)

    def end(self) -> None:
        self.process.terminate()
        self.process.communicate()


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    live = Runner(tmp_path)
    try:
        yield live
    finally:
        live.end()
