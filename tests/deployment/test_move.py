"""`runner move`: a module goes to another runner with all that it has, while messages pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actors.console.client import RunnerClient
from tests.deployment.test_several_runners import until
from tests.deployment.test_updates_together import done, report
from tests.deployments import Plant, plant

SOURCE = """
import time
async def start(context):  # so many a second, until it is told to end
    import asyncio
    begun, first = time.monotonic(), context.get("next", 0)
    while not context.get("end"):
        number = context.get("next", 0)
        while number - first > (time.monotonic() - begun) * context.config["rate"]:
            await asyncio.sleep(0.002)
        context.set("next", number + 1)
        yield number


def run(message, context):
    context.set("end", True)
"""
COUNT = """
def run(message, context):
    context.set("wrong", context.get("wrong", 0) + (message != context.get("last", -1) + 1))
    context.set("last", message)
    context.set("sum", context.get("sum", 0) + message)
    return message
"""
SUM = """
import json, time
def run(message, context):
    if message == "report":
        raise ValueError(json.dumps({key: context.get(key) for key in context.keys()}))
    now = time.monotonic()
    context.set("gap", max(context.get("gap", 0), now - context.get("now", now)))
    context.set("now", now)
    context.set("wrong", context.get("wrong", 0) + (message != context.get("last", -1) + 1))
    context.set("last", message)
    context.set("sum", context.get("sum", 0) + message)
"""


def flow(rate: int = 5000, **more: Any) -> dict[str, Any]:
    return {
        "id": "f", **more,
        "modules": {
            "source": {"runtime": "python3", "code": SOURCE, "config": {"rate": rate}},
            "one": {"runtime": "python3", "code": COUNT},
            "two": {"runtime": "python3", "code": COUNT},
            "sum": {"runtime": "python3", "code": SUM, "isolated": True},
        },
        "wires": ["source -> one", "one -> two", "two -> sum"],
    }  # fmt: skip


def up_with(folder: Path, document: dict[str, Any], **place: str) -> dict[str, Any]:
    (folder / "f.json").write_text(json.dumps(document))
    runners: dict[str, Any] = {"a": {}, "b": {}, "c": {"runtimes": ["python3"]}}
    return {"runners": runners, "flows": [{"file": "f.json", "place": place}]}


def check(up: Plant, client: RunnerClient) -> dict[str, Any]:
    """The source ends. Everything came once, in order, and the contexts are as the messages."""
    assert client.send_message("f/source", "in", "end")
    until(lambda: client.flow_state("f")["modules"]["source"]["source"]["state"] == "finished")
    total = client.get_context("f/source")["next"]
    until(lambda: done(client) >= total)
    seen = report(client)
    expected = {"last": total - 1, "sum": total * (total - 1) // 2, "wrong": 0}
    assert {key: seen[key] for key in expected} == expected
    for module in ("one", "two"):
        context = client.get_context(f"f/{module}")
        assert {key: context[key] for key in expected} == expected, module
    for row in client.audit().values():
        assert row["balanced"], row
    for sign in ("internal error", "failed on", "has not acknowledged", "were lost"):
        assert sign not in up.log.read_text()
    return seen


@pytest.mark.parametrize("more", [{}, {"durable": True}], ids=["memory", "disk"])
def test_to_and_fro_under_load(tmp_path: Path, more: dict[str, Any]) -> None:
    """From and to runners that have its neighbours, or nothing of the flow; a source, and the last one."""
    moves = [("one", "a"), ("one", "c"), ("two", "b"), ("one", "b"), ("source", "b"), ("sum", "a")]
    with plant(tmp_path, **up_with(tmp_path, flow(**more), source="a", one="b", two="a", sum="c")) as up:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: done(client) > 500)
            for module, runner in moves:
                before = done(client)
                outcome = client.call("moveModule", f"f/{module}", runner)
                assert outcome, outcome.error
                row = outcome.receipt["modules"][module]
                assert (row["did"], row["runner"]) == ("moved", runner)
                state = client.flow_state("f")
                assert (state["modules"][module]["runner"], state["version"]) == (runner, 1)
                until(lambda: done(client) > before + 500)  # noqa: B023
            print("longest gap", check(up, client)["gap"])
        assert up.cli("down").returncode == 0


def test_what_cannot_be_moved(tmp_path: Path) -> None:
    document = flow()
    document["modules"]["one"] = {"runtime": "node", "code": "export default (message) => message"}
    with plant(tmp_path, **up_with(tmp_path, document, source="a", one="b", two="a", sum="a")) as up:
        up.wait_until_up()
        with up.client() as client:
            for module, runner, error in (
                ("g/one", "a", "there is no flow 'g'"),
                ("f/on", "a", "has no module 'on'; did you mean 'one'?"),
                ("f/one", "bb", "there is no runner 'bb'; did you mean 'b'?"),
                ("f/one", "b", "f/one is on b already"),
                ("f/one", "c", "f/one cannot be on c, which does not offer node; these do: a, b"),
                ("f", "a", "'f' is not of the form flow/module"),
            ):
                refused = client.call("moveModule", module, runner)
                assert not refused and error in refused.error, refused
        with RunnerClient(state=up.state, runner="b") as member:
            refused = member.call("moveModule", "f/one", "a")
            assert not refused and "leave out --runner" in refused.error
        moved = up.cli("move", "f/one", "a")
        assert moved.returncode == 0 and moved.stdout.startswith("f/one: moved to a\n"), moved
        assert "  one: moved (from b to a" in moved.stdout
        assert up.cli("down").returncode == 0


def test_of_the_only_runner(tmp_path: Path) -> None:
    with plant(tmp_path) as up:
        up.wait_until_up()
        with up.client() as client:
            for refused in (client.call("moveModule", "echo/a", "edge"), client.call("drainRunner", "edge")):
                assert not refused and "is the only one" in refused.error
        assert up.cli("down").returncode == 0


def test_to_a_host_that_is_replaced_for_it(tmp_path: Path) -> None:
    """It takes long to load: its feeder gets another host, too, while messages for that come from elsewhere."""
    document = flow(durable=True)
    document["modules"]["two"]["code"] = f"import time\ntime.sleep(0.3)\n{COUNT}"
    with plant(tmp_path, **up_with(tmp_path, document, source="a", one="b", two="c", sum="c")) as up:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: done(client) > 500)
            for runner in ("b", "c", "b", "c", "b"):
                outcome = client.call("moveModule", "f/two", runner)
                assert outcome, outcome.error
            assert outcome.receipt["modules"]["two"]["did"] == "moved"
            check(up, client)
