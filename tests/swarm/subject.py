"""The runner under test: `runner up`, or `runner run` with every collector's port in a file as well; and its flow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.console.client import RunnerClient, RunnerError
from actors.console.errors import UserError
from tests.swarm.flow import FLOW, RandomFlow, Version

RUNNER = [sys.executable, "-m", "actors.console"]
UP_TIMEOUT_S, CALL_TIMEOUT_S, END_TIMEOUT_S = 90.0, 25.0, 30.0
PROGRAM_FAULTS = ("\nTraceback", "internal error", " failed on ", "a message to an actor that is gone")
KEEPER = {"runtime": "python3", "code": "def run(message, context): pass"}  # reads the pipe that keeps `run` going


class Subject:
    """One process of the runner at a time, with one state directory."""

    def __init__(self, folder: Path, flow: RandomFlow, mode: str) -> None:
        """`mode` is up, run or watch (run --watch)."""
        self.folder, self.flow, self.mode = folder, flow, mode
        self.state, self.file = folder / "state", folder / "swarm.json"
        self.keep = folder / "keep"
        self.log = (folder / "runner.log").open("ab")
        (folder / "plant.json").write_text(
            json.dumps({"name": "plant", "runners": {"main": {}}, "flows": [{"file": self.file.name}]})
        )
        self._keep_fd: int | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def document(self, version: Version) -> dict[str, Any]:
        document = version.document()
        if self.mode != "up":
            document["modules"]["keeper"] = dict(KEEPER)
        return document

    def write(self, version: Version) -> None:
        """As an editor does: a new file in the place of the old one."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(self.document(version), indent=1))
        new.replace(self.file)

    def output(self, collector: str) -> Path:
        return self.folder / f"{collector}.ndjson"

    def boot(self) -> None:
        """Start it and wait until its flow runs."""
        command = [*RUNNER, "--state", str(self.state)]
        if self.mode == "up":
            command += ["up", str(self.folder / "plant.json")]
        else:
            os.mkfifo(self.keep)
            command += ["run", str(self.file), "--plain", "-i", f"keeper.in={self.keep}"]
            command += ["--watch"] if self.mode == "watch" else []
            for collector, (module, port) in self.flow.collectors.items():
                if port != "error":
                    command += ["-o", f"{module}.{port}={self.output(collector)}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        if self.mode != "up":
            self._keep_fd = os.open(self.keep, os.O_WRONLY)
            self.keep.unlink()
        self.client = self._connected()

    def _connected(self) -> RunnerClient:
        assert self.process is not None
        deadline = time.monotonic() + UP_TIMEOUT_S
        said: object = "nothing"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the runner ended at its start, exit status {self.process.returncode}")
            try:
                client = RunnerClient(state=self.state)
                said = client.flow_state(FLOW, timeout=CALL_TIMEOUT_S)["state"]
                if said == "running":
                    return client
                client.close()
            except (RunnerError, UserError, OSError) as error:
                said = error
            time.sleep(0.1)  # nothing tells a client that a runner will be there
        raise RuntimeError(f"not up within {UP_TIMEOUT_S:g} s: {said}")

    def hosts(self) -> dict[str, int]:
        """The hosts that live, and their process ids."""
        hosts = self.client.flow_state(FLOW, timeout=CALL_TIMEOUT_S)["hosts"]
        return {key: figures["pid"] for key, figures in hosts.items() if figures["pid"]}

    def audit(self) -> dict[str, dict[str, Any]]:
        """The accounts of every module."""
        rows = {place.partition("/")[2]: row for place, row in self.client.audit(timeout=CALL_TIMEOUT_S).items()}
        rows.pop("keeper", None)
        return rows

    def collected(self, collector: str) -> Iterator[Any]:
        """What a collector has kept, in order."""
        tap = self.client.tap_port(f"{FLOW}/{collector}", "dump", timeout=CALL_TIMEOUT_S)
        count = 0
        while True:
            outcome = self.client.send_message(
                f"{FLOW}/{collector}", message={"from": count}, timeout=CALL_TIMEOUT_S
            )  # fmt: skip
            assert outcome, outcome.error
            end = count + 2000
            while count < end:
                for message in self.client.read_tap(tap, timeout=CALL_TIMEOUT_S)["messages"]:
                    if message["message"] == "end":
                        self.client.end_tap(tap, timeout=CALL_TIMEOUT_S)
                        return
                    count += len(message["message"])
                    yield from message["message"]

    def down_and_up(self) -> None:
        """`runner down`, and `up` again."""
        assert self.process is not None
        self.client.close()
        down = subprocess.run(
            [*RUNNER, "--state", str(self.state), "down"], capture_output=True, text=True, timeout=60, check=False
        )
        if down.returncode:
            raise RuntimeError(f"runner down: exit status {down.returncode}: {down.stderr}")
        self.process.wait(END_TIMEOUT_S)
        self.boot()

    def end(self) -> list[str]:
        """Whatever happened: end it; what was wrong with how it ended, or with its log."""
        problems = []
        if self._keep_fd is not None:
            os.close(self._keep_fd)
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                problems.append(f"the runner did not end within {END_TIMEOUT_S:g} s of SIGTERM")
                self.process.kill()
                self.process.wait()
        if hasattr(self, "client"):
            self.client.close()
        self.log.close()
        text = Path(self.log.name).read_text("utf-8", errors="replace")
        problems += [f"in the log: {text[max(0, at - 300) : at + 2000]}" for at in _first_fault(text)]
        return problems


def _first_fault(text: str) -> list[int]:
    found = [at for fault in PROGRAM_FAULTS if (at := text.find(fault)) >= 0]
    return [min(found)] if found else []
