"""A few seeds; `scripts/test --full` runs two hundred of each mode, `python -m actors.chaos.swarm FROM TO` any."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.chaos.swarm.seed import run_seed
from actors.chaos.swarm.subject import SPREAD


@pytest.mark.parametrize(("seed", "mode"), [(1, "up"), (2, "run"), (3, "watch")])
def test_a_seed(seed: int, mode: str, tmp_path: Path) -> None:
    result = run_seed(seed, tmp_path / "run", seconds=8.0, messages=200, mode=mode)
    assert not result.problems, "\n".join(result.problems)
    assert result.collected
    assert result.events.get("kills")


@pytest.mark.parametrize(("seed", "mode"), [(2, "spread"), (11, "durable"), (12, "killed"), (13, "mortal")])
def test_a_seed_of_several_runners(seed: int, mode: str, tmp_path: Path) -> None:
    """Modules move, runners restart, stand still, lose each other, among updates and steps; in the last two modes
    runners die as well: in the last one nothing is durable, and it costs at most what their neighbours say.
    """
    result = run_seed(seed, tmp_path / "run", seconds=3.0, messages=200, mode=mode, compiled=False)
    assert not result.problems, "\n".join(result.problems)
    assert result.collected
    assert result.events.keys() & {"moves", "restarted runners", "updates"}
    assert mode in ("spread", "durable") or result.events["killed runners"]


@pytest.mark.full
@pytest.mark.timeout(0)
@pytest.mark.parametrize("tens", range(20))
@pytest.mark.parametrize("mode", [None, *SPREAD])
def test_many_seeds(tens: int, mode: str | None, tmp_path: Path) -> None:
    bad = {}
    for seed in range(1000 + 10 * tens, 1010 + 10 * tens):
        result = run_seed(seed, tmp_path / str(seed), mode=mode)
        if result.problems:
            bad[seed] = result.problems
    assert not bad, bad
