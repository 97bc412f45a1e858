"""What a test can have: a runner, the toy runtimes. What every test gets: a check that nothing is left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import pytest

from actors.flow.update import plan
from tests.harness import TOYS, Harness, running

# A shell that has started us in the background has it ignored, and the processes of tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
_leave = subprocess.Popen.__exit__


def _leave_or_kill(process: subprocess.Popen[Any], kind: type[BaseException] | None, *others: Any) -> None:
    """A test that fails, or takes too long, does not wait for the end of a process that it has not told to end."""
    if kind is not None:
        process.kill()
    _leave(process, kind, *others)


subprocess.Popen.__exit__ = _leave_or_kill  # type: ignore[method-assign]


def pytest_configure(config: pytest.Config) -> None:
    """The default suite tries the same cases every time; `--full` others each time, which are printed."""
    hypothesis.settings.register_profile(
        "runner", derandomize=bool(config.option.markexpr), deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],  # says how busy the machine is
    )  # fmt: skip
    hypothesis.settings.load_profile("runner")


@pytest.fixture(autouse=True)
def chance(request: pytest.FixtureRequest) -> None:
    """A test that draws a seed of its own by `random` prints it."""
    random.seed(request.node.nodeid if request.config.option.markexpr else None)


@pytest.fixture(autouse=True)
def loads_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code is loaded beside what runs however busy the machine is; tests of slow loads set the limit themselves."""
    monkeypatch.setattr(plan, "MAX_LIVE_LOAD_MS", 60_000.0)


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Harness]:
    with running(tmp_path / "state") as harness:
        yield harness


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy runtimes, with a cache of their own."""
    monkeypatch.setenv("RUNNER_RUNTIMES", str(TOYS))
    monkeypatch.setenv("RUNNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """A toy compiler that reads it waits until somebody writes."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    yield path
    path.unlink()


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
