"""`runner up`, whose runner is killed: durable flows go on, of the others it is said what is gone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil

from actors.console.client import RunnerClient, RunnerError
from runtimes import locks
from tests.deployments import Plant, plant
from tests.journal.runs import JOURNAL
from tests.test_run import wait_for

COUNT = """
def run(message, context):
    if message == "bad":
        raise ValueError("a bad message")
    context.set("n", context.get("n", 0) + 1)
    return [message, context.get("n")]
"""
KEEP = """
def run(message, context):
    context.set("got", [*context.get("got", []), message])
"""


def flow(name: str, code: str = COUNT, **more: Any) -> dict[str, Any]:
    modules = {"a": {"runtime": "python3", "code": code}, "b": {"runtime": "python3", "code": KEEP, "isolated": True}}
    return {"id": name, "modules": modules, "wires": ["a -> b"], **more}


def context_of(client: RunnerClient, module: str) -> int:
    """How many bytes its context has."""
    name, _, module = module.partition("/")
    return int(client.flow_state(name)["modules"][module]["contextBytes"])


def _is_taken(future: Future[Any]) -> bool:
    try:
        return bool(future.result(timeout=60))
    except Exception:  # the runner has gone
        return False


def _children(up: Plant) -> list[psutil.Process]:
    return [p for pid in up.pids() for p in psutil.Process(pid).children()]


def _has_open(up: Plant, path: Path) -> bool:
    """Whether one of the deployment's processes has a file open."""
    open_files: list[str] = []
    for process in psutil.Process(up.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            open_files += [file.path for file in process.open_files()]
    return str(path) in open_files


def _context(client: RunnerClient) -> Any:
    """What `b` has got, shown by a step."""
    assert client.pause_flow("kept")
    assert client.send_message("kept/b", "in", ["show"])
    shown = client.single_step_flow("kept")["kept/b"]["inputStates"][0]["context"]["got"]
    assert client.resume_flow("kept")
    return [pair for pair in shown if pair != ["show"]]


TWO, THREE = len("got[[1,1],[2,2]]"), len("got[[1,1],[2,2],[3,3]]")


def kill_runner(up: Plant, client: RunnerClient) -> None:
    """And wait until another one answers."""
    before = json.loads(up.cli("flows", "--json").stdout)
    facts = up.folder.read()
    pid = next(p.pid for p in psutil.process_iter() if p.pid == facts["runnerPid"])
    os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        try:
            return {f["id"]: f["state"] for f in RunnerClient(state=up.state).list_flows()} == states
        except (RunnerError, OSError):
            return False

    states = {f["id"]: f["state"] for f in before}
    client.close()
    wait_for(lambda: up.log.read_text().count("is up again") > 0 and is_back(), 60.0)


def test_a_durable_flow_goes_on_and_of_another_its_facts_are_there(tmp_path: Path) -> None:
    for name, durable in (("kept", True), ("lost", False)):
        (tmp_path / f"{name}.json").write_text(json.dumps(flow(name, durable=durable)))
    with plant(tmp_path, flows=[{"file": "kept.json"}, {"file": "lost.json"}]) as up:
        up.wait_until_up()
        client = up.client()
        for name in ("kept", "lost"):
            for message in (1, "bad", 2):
                assert client.send_message(f"{name}/a", "in", message)
            assert client.add_or_update_flow(flow(name, COUNT + "\n", durable=name == "kept"))
            assert client.set_break_point_at_module(f"{name}/b", when="message[0] == 99")
            wait_for(lambda name=name: context_of(client, f"{name}/b") == TWO)
        assert client.add_or_update_flow(flow("applied", durable=True))  # and not started
        kill_runner(up, client)
        client = up.client()
        assert client.flow_state("applied")["state"] == "stopped"
        for name in ("kept", "lost"):
            (letter,) = client.dead_letters(name)
            assert (letter["id"], letter["message"]) == (f"{name}/1", "bad")
            state = client.flow_state(name)
            assert state["debug"]["breakpoints"]["b"]["when"] == "message[0] == 99"
            assert client.last_receipt(name)["version"] == 2
        kept, lost = client.flow_state("kept"), client.flow_state("lost")
        assert kept["lost"] is None and "what mailboxes and contexts held is gone" in lost["lost"]
        assert (context_of(client, "kept/b"), context_of(client, "lost/b")) == (TWO, 0)
        assert kept["modules"]["a"]["completed"] == 2 and kept["modules"]["a"]["accepted"] == 3
        assert all(row["balanced"] for row in client.audit().values())
        assert "is gone" in up.cli("audit").stdout and "is gone" in up.cli("state", "lost").stdout
        assert client.send_message("kept/a", "in", 3)
        wait_for(lambda: context_of(client, "kept/b") == THREE)
        assert client.replay_dead_letter("kept/1")
        assert client.rollback_flow("kept") and client.rollback_flow("lost")
        assert client.flow_state("kept")["modules"]["a"]["version"] != kept["modules"]["a"]["version"]
        storage = up.cli("state", "kept", "--storage").stdout
        assert "messages, contexts, accounts" in storage and "kept.db" in storage
        client.close()
    assert not list(tmp_path.rglob("kept.flow"))


def test_a_runner_that_takes_a_while_to_die(tmp_path: Path) -> None:
    """The next one waits for its lock; it does not go on without the flow."""
    (tmp_path / "kept.json").write_text(json.dumps(flow("kept", durable=True)))
    with plant(tmp_path, flows=[{"file": "kept.json"}]) as up:
        up.wait_until_up()
        with up.client() as client:
            assert client.send_message("kept/a", "in", 1)
        pid = up.folder.read()["runnerPid"]
        (lock,) = up.state.rglob("kept.lock")
        fd = os.open(lock, os.O_RDWR)
        os.kill(pid, signal.SIGKILL)
        while not locks.seize(fd):
            pass
        try:
            wait_for(lambda: _has_open(up, lock), 60.0)
        finally:
            os.close(fd)
        wait_for(lambda: "is up again" in up.log.read_text(), 60.0)
        with up.client() as client:
            assert client.flow_state("kept")["state"] == "running"
            assert context_of(client, "kept/b") > 0


def test_what_was_removed_or_stopped_stays_so_after_a_crash(tmp_path: Path) -> None:
    for name in ("gone", "stopped", "runs"):
        (tmp_path / f"{name}.json").write_text(json.dumps(flow(name)))
    with plant(tmp_path, flows=[{"file": f"{name}.json"} for name in ("gone", "stopped", "runs")]) as up:
        up.wait_until_up()
        client = up.client()
        assert client.remove_flow("gone") and client.stop_flow("stopped")
        kill_runner(up, client)
        with up.client() as client:
            states = {f["id"]: f["state"] for f in client.list_flows()}
            assert states == {"stopped": "stopped", "runs": "running"}


def test_what_was_acknowledged_is_there_once(tmp_path: Path) -> None:
    """`send` of many while the runner, and then the process that writes, is killed."""
    (tmp_path / "kept.json").write_text(json.dumps(flow("kept", durable=True)))
    with plant(tmp_path, flows=[{"file": "kept.json"}]) as up:
        up.wait_until_up()
        acknowledged: list[int] = []
        sent = 0
        for round in range(4):
            client = up.client()
            (writer,) = [p for p in _children(up) if JOURNAL in p.cmdline()]
            victim = writer.pid if round % 2 else writer.ppid()
            pending = {}
            for _ in range(400):
                sent += 1
                pending[sent] = client.begin("sendMessage", "kept/a", "in", sent)
            pending[sent - 395].result(timeout=60)
            os.kill(victim, signal.SIGKILL)
            acknowledged += [n for n, future in pending.items() if _is_taken(future)]
            client.close()
            wait_for(lambda round=round: up.log.read_text().count("is up again") == round + 1, 60.0)
            if round % 2:
                assert "has died (SIGKILL); nothing more is acknowledged: the runner ends" in up.log.read_text()
        client = up.client()

        wait_for(lambda: not any(m["queued"] for m in client.flow_state("kept")["modules"].values()))
        got = _context(client)
        numbers = [number for number, _ in got]
        assert {*numbers} >= {*acknowledged}
        assert [count for _, count in got] == list(range(1, len(numbers) + 1))
        assert len(set(numbers)) == len(numbers)
        print(f"{len(acknowledged)} of {sent} acknowledged, {len(numbers)} done")
        assert sent > len(acknowledged) > 50
        client.close()
