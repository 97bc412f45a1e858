"""How much longer the longest gap in a flow's output is for an update: the flow of tests/updates under steady load."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from actors.messages import client_to_runner as api
from actors.messages.module_to_module import Deliver
from tests.bench.figures import Row
from tests.harness import Collector, Harness, running
from tests.updates.feeder import feed
from tests.updates.plant import KINDS, Plant

PER_S = 10_000
WINDOW_S = 0.3  # of output around an update, and of the same length where there is none


class Arrivals(Collector):
    """Notes only when something came."""

    def take(self, _message: Deliver) -> None:
        self.got.append(time.monotonic())

    def longest_gap_ms(self, begun: float, ended: float) -> float:
        """Between two arrivals, of which at least one is inside the time."""
        times = [at for at in self.got if begun - WINDOW_S <= at <= ended + WINDOW_S]
        return max((after - before) * 1000 for before, after in pairwise(times) if after >= begun and before <= ended)


def updates(runs: int, quick: bool) -> Iterator[Row]:
    """Updates of every kind, one after the other; before each of them as long a time without one."""
    count = len(KINDS) * (1 if quick else 4)
    rounds = [_measured(count, seed) for seed in range(runs)]
    figures = {name: [run[name] for run in rounds] for name in rounds[0]}
    what = f"longest gap in the output over an update of a 5-module flow at {PER_S:,} messages/s"
    yield Row(
        name="update.extra_gap_p50", unit="ms", what=f"{what}, beyond that of as long a time without one; median",
        values=figures["extra"], target=10.0, absolute=True, lower_is_better=True,
    )  # fmt: skip
    for name in ("p50", "p95"):
        yield Row(
            name=f"update.gap_{name}", unit="ms", what=f"{what}; {name}", values=figures[f"gap_{name}"],
            limit="the longest gap in as long a time without an update", limits=figures[f"quiet_{name}"],
            lower_is_better=True,
        )  # fmt: skip
    yield Row(
        name="update.trial_cpu", unit="ms", what="processor time of an update's trial hosts, at nice 10; median",
        values=figures["trial"], lower_is_better=True,
    )  # fmt: skip


def _measured(count: int, seed: int) -> dict[str, float]:
    chance, plant = random.Random(seed), Plant()
    gaps, quiet, trial = [], [], []
    with TemporaryDirectory(prefix="bench-") as folder, running(Path(folder, "state")) as runner:
        runner.ok(api.AddOrUpdateFlow, flow=plant.flow())
        arrivals: Any = runner.collect("plant", "out", Arrivals)
        feeder = feed(runner, "plant", "split", last=1 << 60, per_s=PER_S)
        runner.start("plant")
        _pass_time(runner, 1.0)
        for turn in range(count):
            plant.change(KINDS[turn % len(KINDS)], chance)
            begun = time.monotonic()
            receipt = runner.call(api.AddOrUpdateFlow, flow=plant.flow()).receipt
            ended = time.monotonic()
            _pass_time(runner, WINDOW_S)
            gaps.append(arrivals.longest_gap_ms(begun, ended))
            trial.append(receipt["trialCpuMs"])
            quiet_begun = time.monotonic()
            _pass_time(runner, ended - begun)
            quiet_ended = time.monotonic()
            _pass_time(runner, WINDOW_S)
            quiet.append(arrivals.longest_gap_ms(quiet_begun, quiet_ended))
        feeder.last = feeder.number + 1
        runner.wait_idle("plant")
    return {
        "extra": median(gap - usual for gap, usual in zip(gaps, quiet, strict=True)), "trial": median(trial),
        "gap_p50": median(gaps), "gap_p95": quantiles(gaps, n=20)[-1],
        "quiet_p50": median(quiet), "quiet_p95": quantiles(quiet, n=20)[-1],
    }  # fmt: skip


def _pass_time(runner: Harness, seconds: float) -> None:
    """Let the flow run; it is time itself that is waited for."""
    ends = time.monotonic() + seconds
    runner.wait(lambda: time.monotonic() >= ends)
