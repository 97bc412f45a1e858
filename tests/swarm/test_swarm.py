"""A few seeds; `scripts/test --full` runs two hundred, `python -m tests.swarm FROM TO` any."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.swarm.seed import run_seed


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "mode"), [(1, "up"), (2, "run"), (3, "watch")])
def test_a_seed(seed: int, mode: str, tmp_path: Path) -> None:
    result = run_seed(seed, tmp_path / "run", seconds=8.0, messages=200, mode=mode)
    assert not result.problems, "\n".join(result.problems)
    assert result.collected
    assert result.events.get("kills")


@pytest.mark.full
@pytest.mark.timeout(0)
@pytest.mark.parametrize("tens", range(20))
def test_many_seeds(tens: int, tmp_path: Path) -> None:
    bad = {}
    for seed in range(1000 + 10 * tens, 1010 + 10 * tens):
        result = run_seed(seed, tmp_path / str(seed))
        if result.problems:
            bad[seed] = result.problems
    assert not bad, bad
