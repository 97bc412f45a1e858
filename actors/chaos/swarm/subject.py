"""The runner under test: `runner up`, of one or several runners, or `runner run` with the ports also in files."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.chaos.looking import faults_in, reported_lost
from actors.chaos.swarm.flow import FLOW, RandomFlow, Version
from actors.console.client import RunnerClient, RunnerError
from actors.console.errors import UserError
from actors.console.live_runners import live_runners

RUNNER = [sys.executable, "-m", "actors.console"]
SPREAD = ("spread", "durable", "killed", "mortal")
UP_TIMEOUT_S, CALL_TIMEOUT_S, END_TIMEOUT_S = 90.0, 25.0, 30.0
KEEPER = {"runtime": "python3", "code": "def run(message, context): pass"}  # reads the pipe that keeps `run` going


class Subject:
    """One process of the runner (or one deployment) at a time, with one state directory."""

    def __init__(self, folder: Path, flow: RandomFlow, mode: str, rng: random.Random) -> None:
        """`mode` is up, run, watch (run --watch), or one of several runners: spread, durable, killed (and durable),
        mortal: runners die and nothing is durable, but that of the first one, which has what begins and ends.
        """
        self.folder, self.flow, self.mode = folder, flow, mode
        self.state, self.file = folder / "state", folder / "swarm.json"
        self.keep = folder / "keep"
        self.log = (folder / "runner.log").open("ab")
        self.is_up, self.is_spread = mode not in ("run", "watch"), mode in SPREAD
        self.is_durable = mode in ("durable", "killed")
        self.runners = [f"r{i}" for i in range(rng.randint(2, 4))] if self.is_spread else ["main"]
        self.spared = {*flow.entries, *flow.sources, *flow.collectors} if mode == "mortal" else set()
        place = {name: rng.choice([*self.runners, "auto"]) for name in flow.first.modules} if self.is_spread else {}
        place |= dict.fromkeys(self.spared, self.runners[0])
        plant = {
            "name": "plant", "runners": {name: {} for name in self.runners}, "restart": {"times": 1000, "period_s": 60},
            "flows": [{"file": self.file.name, "place": place}],
        }  # fmt: skip
        (folder / "plant.json").write_text(json.dumps(plant))
        self._keep_fd: int | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def document(self, version: Version) -> dict[str, Any]:
        """A version as the runner gets it."""
        document = version.document()
        if self.is_durable:
            document["durable"] = True
        if not self.is_up:
            document["modules"]["keeper"] = dict(KEEPER)
        return document

    def write(self, version: Version) -> None:
        """As an editor does: a new file in the place of the old one."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(self.document(version), indent=1))
        new.replace(self.file)

    def output(self, collector: str) -> Path:
        """The file of an `-o` that gets the same as a collector."""
        return self.folder / f"{collector}.ndjson"

    def boot(self) -> None:
        """Start it and wait until its flow runs."""
        command = [*RUNNER, "--state", str(self.state)]
        if self.is_up:
            command += ["up", str(self.folder / "plant.json")]
        else:
            os.mkfifo(self.keep)
            command += ["run", str(self.file), "--plain", "-i", f"keeper.in={self.keep}"]
            command += ["--watch"] if self.mode == "watch" else []
            for collector, (module, port) in self.flow.collectors.items():
                if port != "error":
                    command += ["-o", f"{module}.{port}={self.output(collector)}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        if not self.is_up:
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

    def members(self) -> dict[str, int]:
        """The runners of a deployment that live, and their process ids."""
        return {runner.name: runner.pid for runner in live_runners(self.state) if runner.deployment is not None}

    def mortals(self) -> dict[str, int]:
        """Those of them that may die."""
        return {name: pid for name, pid in self.members().items() if not (self.spared and name == self.runners[0])}

    def reported_lost(self) -> dict[str, int]:
        """By wire: how many messages deaths of runners have cost at most, as the runners before them have said."""
        return reported_lost(Path(self.log.name).read_text())

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
        return problems + faults_in(text)
