"""A runner of several, asked alone: it answers what is its own, and changes nothing that is of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.console.client import RunnerClient, RunnerError
from tests.deployment import test_updates_together as together
from tests.deployment.test_several_runners import until
from tests.deployments import plant


def refusal(client: RunnerClient, method: str, *params: Any) -> str:
    try:
        outcome = client.call(method, *params)
    except RunnerError as error:
        return str(error)
    assert not outcome
    return str(outcome.error)


def test_what_is_of_all_is_refused_at_one(tmp_path: Path) -> None:
    document = together.flow(5_000, "v1")
    with plant(tmp_path, **together.up_with(tmp_path, document)) as up:
        up.wait_until_up()
        with up.client() as client, RunnerClient(state=up.state, runner="a") as alone:
            placed = {key: value for key, value in client.list_flows()[0].items() if key != "state"}
            changes: list[tuple[str, Any]] = [
                ("addOrUpdateFlow", together.flow(5_000, "v2") | {"modules": placed["modules"]}),
                *((method, "f") for method in ("rollbackFlow", "removeFlow", "startFlow", "stopFlow", "pauseFlow")),
                ("resumeFlow", "f"), ("singleStepFlow", "f"), ("setBreakPointAtModule", "f/two"),
                ("removeBreakPointAtModule", "f/two"), ("removeDependencies", "python3"), ("collectDependencies", None),
            ]  # fmt: skip
            for method, what in changes:
                more = ["x"] if method == "removeDependencies" else []
                error = refusal(alone, method, *([] if what is None else [what, *more]))
                assert f"{method} is of all runners together: ask the deployment plant" in error
                assert "leave out --runner" in error
            assert alone.call("addOrUpdateFlow", placed, True), "that is no change"
            for method in ("flowState", "deadLetters", "listHeld"):
                assert alone.call(method, "f") is not None
            assert alone.call("audit") and alone.call("listRuntimes") and alone.call("listRunners")
            assert alone.call("sendMessage", "f/two", "in", {"n": 0, "way": []})
            assert {one["state"] for one in alone.list_flows()} == {"running"}
            until(lambda: together.done(client, "sum") == 5_001)
            assert client.flow_state("f")["version"] == 1 and client.pause_flow("f") and client.resume_flow("f")
        shown = up.cli("stop", "f", "--runner", "a")
        assert shown.returncode == 1 and "ask the deployment plant, not its runner a" in shown.stderr
        assert up.cli("down").returncode == 0
