"""Runners that are restarted again and again: no process is left, no file, no memory."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.deployment import test_updates_together as together
from tests.deployment.test_several_runners import until
from tests.deployments import Plant, plant

MAX_GROWTH_BYTES = 8 << 20  # of the dispatcher, from the first round to the last


def files(up: Plant) -> list[str]:
    """All that there is, but for what has a process id or a number of a start in its name."""
    found = (path.relative_to(up.state) for path in up.state.rglob("*") if not path.is_dir())
    return sorted(str(path) for path in found if path.parts[0] != "runs")


@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=pytest.mark.full)])
@pytest.mark.timeout(1200)
def test_nothing_is_left_of_a_restart(tmp_path: Path, rounds: int) -> None:
    with plant(tmp_path, **together.up_with(tmp_path, together.flow(10_000_000, "v1", durable=True))) as up:
        facts = up.wait_until_up()
        dispatcher = psutil.Process(facts["dispatcherPid"])
        seen: list[tuple[int, int, list[str], int]] = []
        for _ in range(rounds):
            for name in ("a", "b"):
                assert up.cli("restart", name).returncode == 0
            with up.client() as client:
                before = together.done(client, "sum")
                until(lambda: together.done(client, "sum") > before)  # noqa: B023
                folders = len(list((up.state / "runs").iterdir()))
                until(lambda: client.flow_state("f")["state"] == "running")
            seen.append((len(up.pids()), folders, files(up), dispatcher.memory_info().rss))
        pids, folders, there, memory = seen[0]
        for later in seen[1:]:
            assert later[:3] == (pids, folders, there)
        assert seen[-1][3] < memory + MAX_GROWTH_BYTES
        all_pids = up.pids()
        assert up.cli("down").returncode == 0
        assert up.process.wait(60) == 0
        assert not [pid for pid in all_pids if psutil.pid_exists(pid)]
        assert not list((up.state / "runs").iterdir())
