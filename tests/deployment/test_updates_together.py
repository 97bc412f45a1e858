"""An update of a flow over several runners: on all of them or on none, and nothing is lost, repeated or mixed."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from actors.console.client import RunnerClient
from tests.deployment.test_several_runners import until
from tests.deployments import Plant, plant

SOURCE = """
import time
def start(context):
    while (n := context.get("n", 0)) < context.config["count"]:
        context.set("n", n + 1)
        yield {"n": n, "way": []}
        if n % 20 == 0:
            time.sleep(context.config.get("sleep", 0.002))
def run(m, c):
    pass
"""
PASS = """
def run(m, context):
    context.set("seen", context.get("seen", 0) + 1)
    return {"n": m["n"], "way": [*m["way"], %r]}
"""
SUM = """
import json
import os
import signal
def run(m, context):
    if m == "report":
        raise ValueError(json.dumps({key: context.get(key) for key in context.keys()}))
    last = context.get("last", -1)
    wrong = context.get("wrong", [])
    if m["n"] != last + 1 or len(set(m["way"])) != 1:
        context.set("wrong", [*wrong, [last, m]])
    context.set("last", m["n"])
    ways = context.get("ways", [])
    if not ways or ways[-1] != m["way"]:
        context.set("ways", [*ways, m["way"]])
"""
PLACES = {"source": "a", "one": "b", "two": "a", "three": "b", "sum": "a"}


def flow(count: int, version: str, **more: Any) -> dict[str, Any]:
    """What is changed by a version is on both runners, to and fro."""
    modules: dict[str, Any] = {
        "source": {"runtime": "python3", "code": SOURCE, "config": {"count": count}},
        **{name: {"runtime": "python3", "code": PASS % version} for name in ("one", "two", "three")},
        "sum": {"runtime": "python3", "code": SUM, "isolated": True},
    }
    wires = ["source -> one", "one -> two", "two -> three", "three -> sum"]
    return {"id": "f", "modules": modules, "wires": wires, **more}


def up_with(folder: Path, document: dict[str, Any]) -> dict[str, Any]:
    (folder / "f.json").write_text(json.dumps(document))
    place = {name: runner for name, runner in PLACES.items() if name in document["modules"]}
    return {"runners": {"a": {}, "b": {}, "c": {}}, "flows": [{"file": "f.json", "place": place}]}


def done(client: RunnerClient, module: str = "sum") -> int:
    return int(client.flow_state("f")["modules"][module]["completed"])


def report(client: RunnerClient) -> dict[str, Any]:
    """What the last module has seen."""
    before = len(client.dead_letters("f"))
    assert client.send_message("f/sum", "in", "report")
    until(lambda: len(client.dead_letters("f")) > before)
    found: dict[str, Any] = json.loads(client.dead_letters("f")[-1]["error"]["message"])
    return found


def check(up: Plant, client: RunnerClient, total: int) -> list[str]:
    """Everything once and in order; returns the versions, as they came."""
    until(lambda: done(client, "sum") >= total)
    seen = report(client)
    assert "wrong" not in seen, seen["wrong"][:3]
    assert seen["last"] == total - 1
    for row in client.audit().values():
        assert row["balanced"], row
    for sign in ("internal error", "failed on", "has not acknowledged"):
        assert sign not in up.log.read_text()
    return [way[0] for way in seen["ways"]]


def test_updates_under_load(tmp_path: Path) -> None:
    total = 40_000
    with plant(tmp_path, **up_with(tmp_path, flow(total, "v1"))) as up:
        up.wait_until_up()
        with up.client() as client:
            versions = ["v1"]
            for number in range(2, 6):
                before = done(client, "sum")
                until(lambda: done(client, "sum") > before + 300)  # noqa: B023
                versions.append(f"v{number}")
                began = time.monotonic()
                outcome = client.add_or_update_flow(flow(total, versions[-1]))
                assert outcome, outcome.error
                print(
                    "took", time.monotonic() - began, {m: r["pauseMs"] for m, r in outcome.receipt["modules"].items()}
                )
                assert outcome.receipt["version"] == number
                did = {
                    name: (row["did"], row["runner"], row["mixed"]) for name, row in outcome.receipt["modules"].items()
                }
                assert did["one"] == ("replaced", "b", False) and did["two"] == ("replaced", "a", False)
                assert did["source"][0] in ("untouched", "carried")
                assert client.flow_state("f")["version"] == number
            assert done(client, "sum") < total, "the updates have met traffic"
            assert check(up, client, total) == versions
        assert up.cli("down").returncode == 0


def test_what_one_runner_cannot_no_runner_does(tmp_path: Path) -> None:
    """A text that does not load; a `start` that fails when others have switched already."""
    total = 40_000
    with plant(tmp_path, **up_with(tmp_path, flow(total, "v1"))) as up:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: done(client, "sum") > 200)
            for name, broken in (
                ("two", "def run(:"),
                ("three", PASS % "v9" + "\ndef start(c):\n    raise OSError('no')"),
            ):
                document = flow(total, "v9")
                document["modules"][name]["code"] = broken
                refused = client.add_or_update_flow(document)
                assert not refused and name in refused.error, refused.error
                assert client.flow_state("f")["version"] == 1
                before = done(client, "sum")
                until(lambda: done(client, "sum") > before + 300)  # noqa: B023
            assert not (stale := client.call("addOrUpdateFlow", flow(total, "v2"), expectedVersion=4))
            assert "at version 1, not 4" in stale.error
            assert client.add_or_update_flow(flow(total, "v2"))
            assert done(client, "sum") < total, "the updates have met traffic"
            assert check(up, client, total) == ["v1", "v2"]
        assert up.cli("down").returncode == 0


def test_there_and_back_with_a_runner_that_had_nothing_of_it(tmp_path: Path) -> None:
    """A module more on a third runner, wires that go, and a rollback of all that."""
    total = 40_000
    with plant(tmp_path, **up_with(tmp_path, flow(total, "v1"))) as up:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: done(client, "sum") > 200)
            more = flow(total, "v2")
            more["modules"]["four"] = {"runtime": "python3", "code": PASS % "v2", "runner": "c"}
            more["wires"][-1:] = ["three -> four", "four -> sum"]
            planned = client.call("addOrUpdateFlow", more, plan=True)
            rows = {name: (row["did"], row["runner"]) for name, row in planned.receipt["modules"].items()}
            assert rows["four"] == ("added", "c") and rows["one"] == ("replaced", "b")
            assert client.flow_state("f")["version"] == 1
            outcome = client.add_or_update_flow(more)
            assert outcome, outcome.error
            until(lambda: done(client, "four") > 300)
            back = client.rollback_flow("f")
            assert back, back.error
            assert back.receipt["version"] == 3
            assert "four" not in client.flow_state("f")["modules"]
            assert client.last_receipt("f") == back.receipt
            with RunnerClient(state=up.state, runner="c") as third:
                assert third.list_flows() == []
            assert done(client, "sum") < total, "the updates have met traffic"
            assert check(up, client, total) == ["v1", "v2", "v1"]
        assert up.cli("down").returncode == 0


def test_stopped_started_removed_everywhere(tmp_path: Path) -> None:
    with plant(tmp_path, **up_with(tmp_path, flow(3_000, "v1"))) as up:
        facts = up.wait_until_up()
        with up.client() as client:
            until(lambda: done(client, "sum") > 200)
            assert client.stop_flow("f")
            assert client.flow_state("f")["state"] == "stopped"
            os.kill(facts["runners"]["b"], signal.SIGKILL)  # it comes back as it was decided
            until(lambda: client.flow_state("f")["lost"] is not None)
            assert client.flow_state("f")["state"] == "stopped"
            assert client.add_or_update_flow(flow(3_000, "v2")).receipt["modules"]["one"]["did"] == "replaced"
            broken = flow(3_000, "v3")
            broken["modules"]["one"]["code"] += "\ndef start(c):\n    raise OSError('no')"
            assert client.add_or_update_flow(broken)
            assert not (refused := client.start_flow("f")) and "no" in refused.error
            assert client.flow_state("f")["state"] == "stopped", "one cannot, so none does"
            assert client.rollback_flow("f")
            assert client.start_flow("f")
            until(lambda: client.flow_state("f")["state"] == "running")
            assert client.remove_flow("f")
            assert client.list_flows() == []
            assert not client.remove_flow("f")
            assert client.add_or_update_flow(flow(100, "v1")).receipt["version"] == 1
            assert client.start_flow("f")
            check(up, client, 100)
        assert up.cli("down").returncode == 0


def test_removed_under_load(tmp_path: Path) -> None:
    """Its wires to and from other runners end before its modules: nothing is sent to what is not there any more."""
    first = flow(1_000_000, "v1", durable=True)
    first["modules"]["source"]["config"]["sleep"] = 0
    with plant(tmp_path, **up_with(tmp_path, first)) as up:
        up.wait_until_up()
        with up.client() as client:
            for times in range(4):
                until(lambda: done(client, "sum") > 200)
                assert client.remove_flow("f")
                if times < 3:
                    assert client.add_or_update_flow(first)
                    assert client.start_flow("f")
        assert up.cli("down").returncode == 0
        assert "actor that is gone" not in up.log.read_text()
