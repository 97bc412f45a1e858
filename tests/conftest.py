"""What every test gets: a runner, and a check that no process, descriptor or FIFO is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness import Harness, running


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Harness]:
    with running(tmp_path / "state") as harness:
        yield harness


@pytest.fixture(autouse=True)
def no_leaks(tmp_path: Path) -> Iterator[None]:
    me = psutil.Process()
    before, fds = set(me.children(recursive=True)), me.num_fds()
    yield
    left = set(me.children(recursive=True)) - before
    for process in left:
        process.kill()
    assert not left, f"processes left behind: {left}"
    assert me.num_fds() <= fds, f"{me.num_fds() - fds} descriptors left open"
    fifos = [path for path in tmp_path.rglob("*") if path.is_fifo()]
    assert not fifos, f"FIFOs left behind: {fifos}"
