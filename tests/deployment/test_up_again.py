"""`runner up` of what is up already: only what has changed in the files is touched; `--plan` says it before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deployments import Plant, flow, plant

FLOWS = ("kept", "changed", "dropped")


def write(folder: Path, name: str, document: dict[str, Any]) -> None:
    (folder / f"{name}.json").write_text(json.dumps(document))


def deployment(up: Plant, **fields: Any) -> None:
    up.file.write_text(json.dumps(json.loads(up.file.read_text()) | fields))


def test_only_what_has_changed_is_touched(tmp_path: Path) -> None:
    for name in FLOWS:
        write(tmp_path, name, flow(name))
    with plant(tmp_path, flows=[{"file": f"{name}.json"} for name in FLOWS]) as up:
        first = up.wait_until_up()
        same = up.cli("up", str(up.file))
        assert (same.returncode, same.stderr) == (0, "") and "nothing to change" in same.stdout
        write(tmp_path, "by_hand", flow("by_hand"))
        assert up.cli("apply", str(tmp_path / "by_hand.json")).returncode == 0
        for name in (*FLOWS, "by_hand"):
            assert up.cli("send", f"{name}/a", "1").returncode == 0
        write(tmp_path, "changed", flow("changed", "def run(m, c):\n    return c.get('n', 0)\n"))
        write(tmp_path, "fresh", flow("fresh"))
        deployment(up, flows=[{"file": f"{name}.json"} for name in ("fresh", "kept", "changed")])
        for plan in (True, False):
            done = up.cli("up", str(up.file), "--json", *(["--plan"] if plan else []))
            assert (done.returncode, done.stderr) == (0, "")
            changes = json.loads(done.stdout)["changes"]
            assert [(one["flow"], one["did"]) for one in changes] == [
                ("fresh", "add"), ("changed", "update"), ("dropped", "remove")
            ]  # fmt: skip
            with up.client() as client:
                listed = {one["id"]: one["state"] for one in client.list_flows()}
                there = {"kept", "changed", "dropped", "by_hand"} if plan else {"kept", "changed", "fresh", "by_hand"}
                assert listed == dict.fromkeys(there, "running")
                assert client.last_receipt("changed")["version"] == (1 if plan else 2)
                assert client.flow_state("kept")["modules"]["a"]["accepted"] == 1
        assert up.cli("stop", "kept").returncode == 0
        again = up.cli("up", str(up.file))
        assert again.returncode == 0 and again.stdout == "kept: running\n"
        assert up.process.poll() is None and set(first["runners"].values()) <= set(up.pids())
        assert up.cli("down").returncode == 0


def test_what_can_not_be_changed_is_said_and_nothing_is_done(tmp_path: Path) -> None:
    write(tmp_path, "kept", flow("kept"))
    with plant(tmp_path, flows=[{"file": "kept.json"}]) as up:
        up.wait_until_up()
        write(tmp_path, "kept", flow("kept", "def run(m, c): pass\n"))
        deployment(up, runners={"edge": {"runtimes": ["python3"]}, "big": {}}, restart={"times": 1, "period_s": 5})
        refused = up.cli("up", str(up.file))
        assert refused.returncode == 1 and "nothing was changed" in refused.stderr
        assert "the runner big is new" in refused.stderr and "edge has other settings" in refused.stderr
        assert "`restart` has changed" in refused.stderr
        with up.client() as client:
            assert client.last_receipt("kept")["version"] == 1
        deployment(up, runners={"edge": {}}, restart={"times": 5, "period_s": 60})
        write(tmp_path, "kept", flow("kept", "def run(m, c:\n"))  # it does not load
        wrong = up.cli("up", str(up.file))
        assert wrong.returncode == 1 and "kept: " in wrong.stderr and "Traceback" not in wrong.stdout
        with up.client() as client:
            assert client.flow_state("kept")["state"] == "running" and client.last_receipt("kept")["version"] == 1
        assert up.cli("down").returncode == 0
        plan = up.cli("up", str(up.file), "--plan")
        assert plan.returncode == 0 and "is not up" in plan.stdout
        assert up.cli("flows").returncode == 1


@pytest.mark.parametrize("change", ["auto stays", "a new module"])
def test_what_is_placed_by_itself_stays_where_it_is(tmp_path: Path, change: str) -> None:
    """`auto` anew would give the first runner what the second has."""
    from actors.definition.deployment import read_deployment

    module = {"runtime": "python3", "code": "def run(m, c): pass\n"}
    write(tmp_path, "f", {"id": "f", "modules": {"a": module, "b": module}})
    write(tmp_path, "plant", {"name": "plant", "runners": {"one": {}, "two": {}}, "flows": [{"file": "f.json"}]})
    file = tmp_path / "plant.json"
    places = lambda source: {name: m["runner"] for name, m in source.document["modules"].items()}  # noqa: E731
    before = places(read_deployment(file, ["python3"]).flows[0])
    assert before == {"a": "one", "b": "two"}
    modules = {"b": module} if change == "auto stays" else {"new": module, "a": module, "b": module}
    write(tmp_path, "f", {"id": "f", "modules": modules})
    after = places(read_deployment(file, ["python3"], {"f": before}).flows[0])
    assert all(after[name] == before[name] for name in after.keys() & before.keys())
    assert after != places(read_deployment(file, ["python3"]).flows[0])
