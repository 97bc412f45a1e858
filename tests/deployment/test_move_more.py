"""What moves with a module, what else moves one, and what happens meanwhile."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from actors.console.client import RunnerClient
from tests.deployment.test_move import check, done, flow, up_with
from tests.deployment.test_several_runners import until
from tests.deployments import plant

SLOW = """
import json, time
def run(message, context):
    if message == "report":
        raise ValueError(json.dumps(context.get("came")))
    context.set("came", [*context.get("came", []), message])
    if message == "large":
        context.set("large", "x" * (1000 << 10))
    time.sleep((context.config or {}).get("sleep", 0))
"""
PLACES = {"source": "a", "one": "b", "two": "a", "sum": "c"}


def single(**more: Any) -> dict[str, Any]:
    """One module, to which clients send."""
    module = {"runtime": "python3", "code": SLOW, **more.pop("module", {})}
    return {"id": "f", **more, "modules": {"x": module, "y": {"runtime": "python3", "code": SLOW}}, "wires": []}


def place_of(client: RunnerClient, module: str) -> str:
    return str(client.flow_state("f")["modules"][module]["runner"])


def move(client: RunnerClient, module: str, runner: str) -> dict[str, Any]:
    outcome = client.call("moveModule", f"f/{module}", runner)
    assert outcome, outcome.error
    row: dict[str, Any] = outcome.receipt["modules"][module]
    return row


def came(client: RunnerClient) -> list[Any]:
    found: list[Any] = client.get_context("f/x")["came"]
    return found


def test_what_clients_send_meanwhile_is_handled_once_and_in_order(tmp_path: Path) -> None:
    with plant(tmp_path, **up_with(tmp_path, single(durable=True), x="a", y="b")) as up:
        up.wait_until_up()
        taken: list[int] = []
        stop = threading.Event()

        def send() -> None:
            with up.client() as client:
                number = 0
                while not stop.is_set():
                    calls = [client.begin("sendMessage", "f/x", message=number + at) for at in range(5)]
                    for call in calls:
                        assert call.result(60), "taken"
                    taken.extend(range(number, number + 5))
                    number += 5

        thread = threading.Thread(target=send)
        thread.start()
        with up.client() as client:
            for at, runner in enumerate(("b", "c", "a", "c"), 1):
                until(lambda: len(taken) > at * 50)  # noqa: B023
                move(client, "x", runner)
            stop.set()
            thread.join()
            until(lambda: done(client, "x") == len(taken))
            assert came(client) == taken
            assert all(row["balanced"] for row in client.audit().values())
        assert up.cli("down").returncode == 0


def test_a_full_mailbox_a_large_context_letters_and_a_breakpoint_go_along(tmp_path: Path) -> None:
    document = single(durable=True, module={"config": {"sleep": 0.004}})
    with plant(tmp_path, **up_with(tmp_path, document, x="a", y="b")) as up:
        up.wait_until_up()
        with up.client() as client:
            assert client.send_message("f/x", "in", "large")
            assert client.send_message("f/x", "in", "report")
            until(lambda: len(client.dead_letters("f")) == 1)
            assert client.call("setBreakPointAtModule", "f/x", when="message == 'never'", scope="module")
            calls = [client.begin("sendMessage", "f/x", message=number) for number in range(1500)]
            assert all(call.result(60) for call in calls)
            row = move(client, "x", "b")
            assert row["held"] > 500 and row["movedFrom"] == "a"
            assert len(client.get_context("f/x")["large"]) == 1000 << 10
            [letter] = client.dead_letters("f")
            assert (letter["id"], letter["flowModuleId"]) == ("f/1@b", "f/x")
            assert [view["when"] for view in client.flow_state("f")["debug"]["breakpoints"].values()] == [
                "message == 'never'"
            ]
            assert client.call("removeBreakPointAtModule", "f/x")
            assert client.replay_dead_letter("f/1@b")
            move(client, "x", "c")
            until(lambda: done(client, "x") == 1501)
            assert came(client) == ["large", *range(1500)]
            assert len(client.dead_letters("f")) == 1
        assert up.cli("down").returncode == 0


def test_what_a_death_costs_is_still_known_after_a_move(tmp_path: Path) -> None:
    """What the module has sent on waits behind its target: with that runner it is lost, and was sent by this one."""
    document = flow(rate=1)
    document["modules"] = {
        "x": {"runtime": "python3", "code": "def run(message, context):\n    return message\n"},
        "y": {"runtime": "python3", "code": "def run(message, context):\n    return message\n"},
        "z": {"runtime": "python3", "code": SLOW, "config": {"sleep": 0.5}, "isolated": True},
    }
    document["wires"] = ["x -> y", "y -> z"]
    with plant(tmp_path, **up_with(tmp_path, document, x="b", y="b", z="b")) as up:
        up.wait_until_up()
        with up.client() as client:
            calls = [client.begin("sendMessage", "f/x", message=number) for number in range(500)]
            assert all(call.result(60) for call in calls)
            until(lambda: done(client, "y") == 500)
            move(client, "x", "a")
            [pid] = [row["pid"] for row in client.call("listRunners") if row["name"] == "b"]
            os.kill(pid, signal.SIGKILL)
            until(lambda: "x.out->y.in: at most " in (client.flow_state("f")["lost"] or ""))
            count = int(re.findall(r"at most (\d+) messages", client.flow_state("f")["lost"])[0])
            assert 100 < count <= 500
        assert up.cli("down").returncode == 0


@pytest.mark.full
def test_of_a_paused_and_of_a_stopped_flow(tmp_path: Path) -> None:
    for more in ({}, {"durable": True}):
        folder = tmp_path / str(len(more))
        folder.mkdir()
        with plant(folder, **up_with(folder, flow(**more), **PLACES)) as up:
            up.wait_until_up()
            with up.client() as client:
                until(lambda: done(client) > 100)
                assert client.pause_flow("f")
                move(client, "one", "c")
                move(client, "two", "b")  # which has nothing of the flow any more
                before = done(client)
                state = client.flow_state("f")
                assert state["debug"]["pausedBy"] and state["modules"]["two"]["runner"] == "b"
                assert client.single_step_flow("f")
                assert done(client) <= before + 1
                assert client.resume_flow("f")
                until(lambda: done(client) > before + 100)  # noqa: B023
                assert client.stop_flow("f")
                move(client, "one", "a")
                move(client, "sum", "b")
                move(client, "source", "c")
                assert client.flow_state("f")["state"] == "stopped"
                assert client.start_flow("f")
                until(lambda: done(client) > before + 200)  # noqa: B023
                check(up, client)
            assert up.cli("down").returncode == 0


def test_apply_and_up_say_where_modules_are_to_be_and_rollback_does_not(tmp_path: Path) -> None:
    settings = up_with(tmp_path, flow(), **PLACES)
    with plant(tmp_path, **settings) as up:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: done(client) > 100)
            assert move(client, "one", "c")["did"] == "moved"
            planned = up.cli("up", str(up.file), "--plan")
            assert "one: moved (from c to b)" in planned.stdout, planned
            assert place_of(client, "one") == "c"
            again = up.cli("up", str(up.file))
            assert again.returncode == 0 and "one: moved (" in again.stdout, again
            assert place_of(client, "one") == "b"
            assert "nothing to change" in up.cli("up", str(up.file)).stdout
            changed = flow()  # says nothing of places
            changed["modules"]["two"]["code"] += "\n# changed"
            assert client.add_or_update_flow(changed)
            assert (place_of(client, "one"), place_of(client, "two")) == ("b", "a")
            changed["modules"]["two"] |= {"code": changed["modules"]["two"]["code"] + "!", "runner": "b"}
            outcome = client.add_or_update_flow(changed)
            assert outcome, outcome.error
            row = outcome.receipt["modules"]["two"]
            assert (row["did"], row["movedFrom"], row["runner"]) == ("replaced", "a", "b")
            move(client, "one", "a")
            assert client.rollback_flow("f")
            assert (place_of(client, "one"), place_of(client, "two")) == ("a", "b")
            check(up, client)
        assert up.cli("down").returncode == 0
    with plant(tmp_path, **settings) as up:  # what a module has is where it was
        up.wait_until_up()
        assert "f/one is on a, as at the last time; `runner up` once more moves it to b" in up.log.read_text()
        with up.client() as client:
            assert client.get_context("f/one")["sum"] > 0
            assert up.cli("up", str(up.file)).returncode == 0
            assert (place_of(client, "one"), place_of(client, "two")) == ("b", "a")
            assert client.get_context("f/one")["sum"] > 0
        assert up.cli("down").returncode == 0


def test_drain(tmp_path: Path) -> None:
    document = flow()
    document["modules"]["js"] = {"runtime": "node", "code": "export default (message) => message"}
    settings = up_with(tmp_path, document, **PLACES, js="a")
    with plant(tmp_path, **settings) as up:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: done(client) > 100)
            drained = up.cli("drain", "a")
            assert (drained.returncode, drained.stdout) == (0, "a: drained, nothing is on it\n"), drained
            state = client.flow_state("f")
            assert {row["runner"] for row in state["modules"].values()} == {"b", "c"}
            assert "up, drained" in up.cli("ps").stdout
            refused = up.cli("drain", "b")
            assert refused.returncode == 1
            assert "f/js cannot leave b: no other runner offers node, or it is drained, too" in refused.stderr
            assert place_of(client, "one") == "b", "nothing is half done"
            document["modules"]["more"] = {"runtime": "python3", "code": SLOW}
            assert client.add_or_update_flow(document)
            assert place_of(client, "more") in "bc"
            assert up.cli("drain", "a", "--end").returncode == 0
            assert "drained" not in up.cli("ps").stdout
            assert up.cli("drain", "nobody").returncode == 1
            check(up, client)
        assert up.cli("down").returncode == 0
