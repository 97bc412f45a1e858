"""Pause, step and breakpoints of a flow over several runners: one wave, one result, one end."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from actors.console.client import RunnerClient
from tests.deployment.test_several_runners import until
from tests.deployment.test_updates_together import check, done, flow, up_with
from tests.deployments import plant


def taken(result: dict[str, Any]) -> dict[str, list[int]]:
    """Which message each module has taken."""
    return {
        name.partition("/")[2]: [one["message"]["n"] for one in part["inputStates"]] for name, part in result.items()
    }


def quiet(client: RunnerClient) -> dict[str, int]:
    return {name: row["completed"] for name, row in client.audit().items()}


def test_a_step_is_one_wave(tmp_path: Path) -> None:
    """Each message goes one module further at each step, whichever runner that is on; and all of it arrives."""
    with plant(tmp_path, **up_with(tmp_path, flow(20_000, "v1"))) as up:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: done(client, "sum") > 100)
            assert not (refused := client.call("resumeFlow", "g")) and "no flow 'g'" in refused.error
            assert client.pause_flow("f")
            before = quiet(client)
            assert client.flow_state("f")["debug"]["pausedBy"] == "pauseFlow"
            assert len(client.flow_state("f")["debug"]["pausedModules"]) == 5
            assert quiet(client) == before
            heads: dict[str, int] = {}
            for _ in range(12):
                result = client.single_step_flow()
                for name, numbers in taken(result).items():
                    if name == "source":
                        continue
                    assert len(numbers) == 1
                    assert numbers[0] == heads.get(name, numbers[0] - 1) + 1, "the next one, and nothing else"
                    heads[name] = numbers[0]
                assert {part["runner"] for part in result.values()} <= {"a", "b"}
            assert {"one", "two", "three", "sum"} <= heads.keys()
            assert client.resume_flow("f")
            assert check(up, client, 20_000) == ["v1"]
        assert up.cli("down").returncode == 0


def test_what_one_wave_sends_no_module_takes_in_it(tmp_path: Path) -> None:
    """One message alone: it takes as many steps as there are modules on its way."""
    document = flow(0, "v1")
    with plant(tmp_path, **up_with(tmp_path, document)) as up:
        up.wait_until_up()
        with up.client() as client:
            assert client.pause_flow("f")
            assert client.send_message("f/one", "in", {"n": 0, "way": []})
            for name in ("one", "two", "three", "sum"):
                result = client.single_step_flow("f")
                assert list(result) == [f"f/{name}"], result
            assert client.single_step_flow("f") == {}
            assert client.resume_flow("f")
        assert up.cli("down").returncode == 0


def test_a_breakpoint_pauses_all_and_a_runner_that_is_away_says_so(tmp_path: Path) -> None:
    with plant(tmp_path, **up_with(tmp_path, flow(20_000, "v1"))) as up:
        facts = up.wait_until_up()
        with up.client() as client:
            until(lambda: done(client, "sum") > 100)
            assert client.call("setBreakPointAtModule", "f/two", when="message.n % 500 == 0")
            until(lambda: len(client.flow_state("f")["debug"]["pausedModules"]) == 5)
            assert client.flow_state("f")["debug"]["pausedBy"] == "the breakpoint at two"
            before = quiet(client)
            assert quiet(client) == before
            assert {held["runner"] for held in client.list_held("f")} <= {"a", "b"}
            assert client.call("removeBreakPointAtModule", "f/two")
            assert client.add_or_update_flow(flow(20_000, "v2")).receipt["modules"]["one"]["mixed"]
            assert client.resume_flow("f")
            until(lambda: not client.flow_state("f")["debug"]["pausedModules"])
            assert client.pause_flow("f")
            os.kill(facts["runners"]["b"], signal.SIGSTOP)
            os.kill(facts["runners"]["b"], signal.SIGKILL)
            until(lambda: len(client.flow_state("f")["debug"]["pausedModules"]) == 5)  # it joins when it is back
            assert client.flow_state("f")["lost"] is not None
            assert client.resume_flow("f")
        assert up.cli("down").returncode == 0
