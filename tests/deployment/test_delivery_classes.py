"""A wire whose delivery is changed: what the new one promises holds from then on, or the change is refused."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.test_several_runners import until
from tests.deployments import plant

CLASSES = ("memory", "disk", "lossy")
HOLD = """
import json
def run(m, context):
    if m == "report":
        raise ValueError(json.dumps(context.get("seen", [])))
    context.set("seen", [*context.get("seen", []), m])
"""
PASS = "def run(m, context):\n    return m\n"


def document(first: str, second: str) -> dict[str, Any]:
    """`a` -> `b` -> `c`; another wire is `disk`, so that the flow is durable whatever these are."""
    modules = {name: {"runtime": "python3", "code": PASS} for name in ("a", "b", "x", "y")}
    modules["c"] = {"runtime": "python3", "code": HOLD}
    wires = [
        {"from": "a", "to": "b", "delivery": first}, {"from": "b", "to": "c", "delivery": second},
        {"from": "x", "to": "y", "delivery": "disk"},
    ]  # fmt: skip
    return {"id": "f", "modules": modules, "wires": wires}


def up_with(folder: Path, places: dict[str, str], first: str, second: str) -> dict[str, Any]:
    (folder / "f.json").write_text(json.dumps(document(first, second)))
    runners = {name: {} for name in sorted({*places.values(), "spare"})}
    return {"runners": runners, "flows": [{"file": "f.json", "place": places}]}


def test_between_runners_it_is_changed_while_the_flow_is_stopped(tmp_path: Path) -> None:
    """All six changes are refused in a flow that runs, in words that help; after `stop` each is done and holds."""
    places = {"a": "one", "b": "one", "c": "two", "x": "one", "y": "one"}
    with plant(tmp_path, **up_with(tmp_path, places, "lossy", "memory")) as up:
        up.wait_until_up()
        sent = 0
        with up.client() as client:
            before = "memory"
            for after in ("disk", "lossy", "memory", "lossy", "disk", "memory", "disk"):
                for plan in (True, False):
                    refused = client.call("addOrUpdateFlow", document("lossy", after), plan)
                    assert not refused and refused.data == [
                        f"f: b.out->c.in is `{before}` and cannot become `{after}` while it runs, since it leads to "
                        "another runner; `runner stop f` first"
                    ]  # fmt: skip
                assert client.add_or_update_flow(document("lossy", before)), "what stays is no reason"
                assert client.stop_flow("f")
                assert client.add_or_update_flow(document("lossy", after)) and client.start_flow("f")
                before = after
                sent += 1
                assert client.send_message("f/a", "in", sent)
                until(lambda: client.flow_state("f")["modules"]["c"]["completed"] == sent)  # noqa: B023
            runners = {row["name"]: row["pid"] for row in client.call("listRunners")}
            os.kill(runners["two"], signal.SIGSTOP)  # `c` is away; now `disk` holds for the wire
            for number in range(3):
                assert client.send_message("f/b", "in", f"kept {number}")
            os.kill(runners["one"], signal.SIGKILL)
            os.kill(runners["two"], signal.SIGCONT)
            os.kill(runners["two"], signal.SIGKILL)
            until(lambda: client.flow_state("f")["modules"].get("c", {}).get("completed") == sent + 3)
            assert client.send_message("f/c", "in", "report")
            until(lambda: bool(client.dead_letters("f")))
            seen = json.loads(client.dead_letters("f")[0]["error"]["message"])
            assert seen == [*range(1, sent + 1), "kept 0", "kept 1", "kept 2"]
        assert up.cli("down").returncode == 0


@pytest.mark.parametrize("several", [False, True])
def test_within_a_runner_it_takes_effect_at_once(tmp_path: Path, several: bool) -> None:
    """What waits on the wire already is covered by what the wire promises now."""
    places = dict.fromkeys("abcxy", "one")
    more = up_with(tmp_path, places, "lossy", "memory")
    if not several:
        more = {"flows": [{"file": "f.json"}]}
    with plant(tmp_path, **more) as up:
        up.wait_until_up()
        with up.client() as client:
            assert client.pause_flow("f")
            for number in range(3):
                assert client.send_message("f/b", "in", number)
            assert client.call("singleStepFlow", "f")  # one of them waits on b -> c now
            assert client.add_or_update_flow(document("lossy", "disk"))
            assert client.resume_flow("f") and client.pause_flow("f")
            for number in range(3, 6):
                assert client.send_message("f/b", "in", number)
            assert client.call("singleStepFlow", "f")
            [pid] = [row["pid"] for row in client.call("listRunners") if row["name"] != "spare"]
            os.kill(pid, signal.SIGKILL)
        until(lambda: "is up again" in up.log.read_text())
        with up.client() as client:
            until(lambda: client.flow_state("f")["modules"]["c"]["completed"] == 6)
            assert client.send_message("f/c", "in", "report")
            until(lambda: bool(client.dead_letters("f")))
            assert json.loads(client.dead_letters("f")[0]["error"]["message"]) == [*range(6)]
        assert up.cli("down").returncode == 0
