"""Updates of every kind, at random times, under load: nothing is lost, repeated, out of order or half old, half new."""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from tests.harness import Harness, need
from tests.updates.feeder import feed
from tests.updates.plant import KINDS, Plant, check


def soak(runner: Harness, updates: int, per_s: int, seed: int) -> None:
    need("node")
    print(f"seed {seed}")
    chance, plant = random.Random(seed), Plant()
    runner.ok(api.AddOrUpdateFlow, flow=plant.flow())
    out = runner.collect("plant", "out")
    feeder = feed(runner, "plant", "split", last=1 << 60, per_s=per_s)
    runner.start("plant")
    receipts: list[dict[str, Any]] = []
    for turn in range(updates):
        at = feeder.number + chance.randint(1, per_s // 5)
        runner.wait(lambda at=at: feeder.number >= at, "the feeder")  # type: ignore[misc]
        plant.change(KINDS[turn % len(KINDS)], chance)
        reply = runner.call(api.AddOrUpdateFlow, flow=plant.flow())
        assert reply.ok, reply.error
        receipts.append(reply.receipt)
    feeder.last = feeder.number + 100
    runner.wait_idle("plant")
    check(out.got, feeder.number, plant.changes)
    rows = runner.ok(api.Audit)
    assert all(row["balanced"] for row in rows.values()), rows
    done = Counter(what["did"] for receipt in receipts for what in receipt["modules"].values())
    assert {"replaced", "untouched", "added", "removed", "rewired"} <= done.keys()
    held = sum(what["held"] for receipt in receipts for what in receipt["modules"].values())
    assert held, "no message was under way at any update"


def test_updates_under_load(runner: Harness) -> None:
    """Steady input."""
    soak(runner, 21, 4_000, int(os.environ.get("SEED", random.randrange(10**6))))


def test_updates_at_full_load(runner: Harness) -> None:
    """Two feeders that send as fast as they may: the drain has to end."""
    need("node")
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    chance, plant = random.Random(seed), Plant()
    runner.ok(api.AddOrUpdateFlow, flow=plant.flow())
    out = runner.collect("plant", "out")
    one = feed(runner, "plant", "split", last=40_000, per_s=1_000_000)
    other = feed(runner, "plant", "join", last=40_000, per_s=1_000_000)
    runner.start("plant")
    updates = 0
    while one.number < one.last or other.number < other.last:
        at = len(out.got) + chance.randint(500, 5_000)
        runner.wait(lambda at=at: len(out.got) >= at or one.number == one.last, "output")  # type: ignore[misc]
        plant.change(KINDS[updates % len(KINDS)], chance)
        reply = runner.call(api.AddOrUpdateFlow, flow=plant.flow())
        assert reply.ok, reply.error
        updates += 1
    assert one.holds, "the feeders never had to wait"
    runner.wait_idle("plant")
    through = [message for message in out.got if message["stamps"][0][0] == "split"]
    beside = [message["n"] for message in out.got if message["stamps"][0][0] == "join"]
    assert beside == list(range(40_000))
    assert sorted(m["n"] for m in through) == sorted([*range(40_000)] * 2)
    assert updates > 3


@pytest.mark.full
def test_two_hundred_updates(runner: Harness) -> None:
    """The large figures."""
    soak(runner, 200, 10_000, int(os.environ.get("SEED", random.randrange(10**6))))
