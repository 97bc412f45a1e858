"""`runner up` or its dispatcher is killed: no process is left, and the next one goes on with what was applied."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.test_up_again import deployment, write
from tests.deployments import Plant, flow, gone, plant
from tests.sample import some

NAMES = ("same", "applied", "edited", "removed", "stopped", "dropped")


def code(word: str) -> str:
    return f"def run(m, c): return {word!r}\n"


def texts(up: Plant) -> dict[str, str]:
    """Flow -> its code, as it is."""
    with up.client() as client:
        return {one["id"]: one["modules"]["a"]["code"] for one in client.list_flows()}


@pytest.mark.parametrize(
    ("several", "victim"), some([(several, one) for several in (False, True) for one in ("pid", "dispatcherPid")], 1)
)
def test_what_was_applied_last_goes_on_unless_its_file_has_changed(tmp_path: Path, several: bool, victim: str) -> None:
    for name in NAMES:
        write(tmp_path, name, flow(name, code("file")))
    more: dict[str, Any] = {"runners": {"one": {}, "two": {}}} if several else {}
    flows = [{"file": f"{name}.json"} for name in NAMES]
    with plant(tmp_path, flows=flows, **more) as up:
        facts = up.wait_until_up()
        with up.client() as client:
            for name in ("applied", "edited", "added"):
                assert client.add_or_update_flow(flow(name, code("applied")))
            assert client.remove_flow("removed") and client.stop_flow("stopped") and client.start_flow("added")
        pids = up.pids()
        os.kill(facts[victim], signal.SIGKILL)
        assert gone(pids), "a process is left"
        assert not list((up.state / "runs").glob("*/api.sock")) or victim == "pid"
    write(tmp_path, "edited", flow("edited", code("edited")))
    for again in range(2):  # also if it is killed once more, before anything is done
        up = Plant(tmp_path, flows=flows[:-1], **more)
        facts = up.wait_until_up()
        with up.client() as client:
            states = {one["id"]: one["state"] for one in client.list_flows()}
        assert states == {
            "same": "running", "applied": "running", "edited": "running", "stopped": "stopped", "added": "running"
        }  # fmt: skip
        assert texts(up) == {
            "same": code("file"), "applied": code("applied"), "edited": code("edited"), "stopped": code("file"),
            "added": code("applied"),
        }  # fmt: skip
        log = up.log.read_text()
        assert ("edited: its file has changed, and counts" in log) == (again == 0)
        for said in (
            "applied: is as it was applied last, not as in its file",
            "removed: was removed, and its file has not changed",
            "added: was applied, and is there",
            "stopped: was stopped, and still is",
        ):
            assert f"WARNING {said}" in log
        assert "WARNING same:" not in log and "dropped:" not in log
        if again == 0:
            pids = up.pids()
            os.kill(facts[victim], signal.SIGKILL)
            assert gone(pids)
            up.end()
    assert up.cli("down").returncode == 0
    up.end()
    with plant(tmp_path, flows=flows[:-1], **more) as up:  # an orderly end: the files count
        up.wait_until_up()
        assert texts(up) == {
            name: code("edited" if name == "edited" else "file") for name in NAMES if name != "dropped"
        }
        assert "WARNING applied:" not in up.log.read_text()
        assert up.cli("down").returncode == 0


@pytest.mark.full
def test_a_start_that_fails_forgets_nothing(tmp_path: Path) -> None:
    write(tmp_path, "f", flow("f", code("file")))
    with plant(tmp_path, flows=[{"file": "f.json"}]) as up:
        facts = up.wait_until_up()
        with up.client() as client:
            assert client.add_or_update_flow(flow("f", code("applied")))
            assert client.add_or_update_flow(flow("added", code("applied")))
        pids = up.pids()
        os.kill(facts["pid"], signal.SIGKILL)
        assert gone(pids)
    write(tmp_path, "wrong", flow("wrong", "def run(m, c:\n"))
    with plant(tmp_path, flows=[{"file": "f.json"}, {"file": "wrong.json"}]) as up:
        assert up.process.wait(60) == 1
    with plant(tmp_path, flows=[{"file": "f.json"}]) as up:
        up.wait_until_up()
        assert texts(up) == {"f": code("applied"), "added": code("applied")}
        write(tmp_path, "f", flow("f", code("edited")))
        deployment(up, flows=[{"file": "f.json"}])
        assert up.cli("up", str(up.file)).returncode == 0
        facts = up.folder.read()
        pids = up.pids()
        os.kill(facts["pid"], signal.SIGKILL)
        assert gone(pids)
    with plant(tmp_path, flows=[{"file": "f.json"}]) as up:  # what `up` has applied is of the file
        up.wait_until_up()
        assert texts(up) == {"f": code("edited"), "added": code("applied")}
        assert "f: its file has changed" not in up.log.read_text()
        assert json.loads(up.cli("down", "--json").stdout)
