"""kill -9 of the runner in every phase of an update of a durable flow: it comes back wholly old or wholly new."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.journal.runs import Runs, write_flow
from tests.test_run import started, wait_for

PHASES = ["trying", "loading", "draining", "migrating", "stopping", "handing", "starting", "finishing", "done"]
COUNT = 3_000
OLD = """
import time
def run(message, context):
    time.sleep(0.001)
    context.set("n", context.get("n", 0) + 1)
    return [message["v"], context.get("n"), "old"]
def stop(context):
    context.set("stops", context.get("stops", 0) + 1)
"""
NEW = """
import time
def migrate(context, from_version):
    context.set("n", context.get("n") + 1_000_000)
def run(message, context):
    time.sleep(0.001)
    context.set("n", context.get("n", 0) + 1)
    return [message["v"], context.get("n"), "new"]
"""
SAME = """
def run(message, context):
    context.set("m", context.get("m", 0) + 1)
    return [*message, context.get("m")]
"""
PROGRAM = """
import os, signal, sys
from actors.flow.update import update
phase, enter = sys.argv.pop(1), update.Update.enter
def entering(self, name):
    enter(self, name)
    if name == phase:
        os.kill(os.getpid(), signal.SIGKILL)
update.Update.enter = entering
from actors.console.cli import main
sys.exit(main(sys.argv[1:]))
"""


def modules(code: str, **more: Any) -> dict[str, Any]:
    return {
        "a": {"runtime": "python3", "code": code, **more},
        "b": {"runtime": "python3", "code": SAME, "isolated": True},
        "gone" if code is OLD else "new": {"runtime": "python3", "code": SAME},
    }


@pytest.mark.parametrize("phase", PHASES)
def test_wholly_old_or_wholly_new(tmp_path: Path, phase: str) -> None:
    flow = write_flow(tmp_path, modules(OLD), ["a -> b"])
    runs = Runs(tmp_path, COUNT, flow, ("a.in", "b.out"))
    killing = [sys.executable, "-c", PROGRAM, phase, *runs.words[3:]]
    with runs.log.open("w") as log, started(killing, stderr=log) as process:
        wait_for(lambda: runs.out.exists() and runs.out.stat().st_size > 2_000)
        write_flow(tmp_path, modules(NEW, state_version=2), ["a -> b", "a -> new"])
        apply = [sys.executable, "-m", "actors.console", "--state", str(tmp_path / "state"), "apply", str(flow)]
        applied = subprocess.run(apply, capture_output=True, text=True, timeout=60, check=False)
        if phase == "done":
            assert applied.returncode == 0, applied.stderr
            process.kill()
        assert process.wait(60) == -9, runs.log.read_text()[-3000:]
    done = runs.go()
    assert done.returncode == 0, done.stderr + runs.log.read_text()[-1000:]
    lines = [json.loads(line) for line in runs.out.read_text().splitlines()]
    assert [line[0] for line in lines] == list(range(COUNT))
    assert [line[3] for line in lines] == list(range(1, COUNT + 1))
    first_new = next(at for at, line in enumerate(lines) if line[2] == "new")
    print(f"the new version from line {first_new} on")
    for at, (_, n, version, _) in enumerate(lines):
        assert (version, n) == (("old", at + 1) if at < first_new else ("new", 1_000_000 + at + 1)), (at, n, version)
