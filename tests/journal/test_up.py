"""`runner up`, whose runner is killed: durable flows go on, of the others it is said what is gone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil

from actors.console.client import RunnerClient, RunnerError
from tests.deployments import Plant, plant
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
        kill_runner(up, client)
        client = up.client()
        for name in ("kept", "lost"):
            (letter,) = client.dead_letters(name)
            assert (letter["id"], letter["message"]) == (f"{name}/1", "bad")
            state = client.flow_state(name)
            assert state["debug"]["breakpoints"]["b"]["when"] == "message[0] == 99"
            assert client.last_receipt(name)["version"] == 3  # what the file says, on top of the second one
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
