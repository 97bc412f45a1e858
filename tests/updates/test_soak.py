"""Updates of every kind, at random times, under load: nothing is lost, repeated, out of order or half old, half new."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections import Counter
from typing import Any

import orjson
import pytest

from actors.messages import client_to_runner as api
from tests.harness import Harness, need
from tests.updates.feeder import ByteCollector, feed
from tests.updates.plant import KINDS, Check, Plant


class Soak:
    """The plant under load, and what came of its updates."""

    def __init__(self, runner: Harness) -> None:
        need("node")
        seed = int(os.environ.get("SEED", random.randrange(10**6)))
        print(f"SEED={seed}")
        self.runner, self.chance, self.plant = runner, random.Random(seed), Plant()
        runner.ok(api.AddOrUpdateFlow, flow=self.plant.flow())
        self.out = runner.collect("plant", "out", ByteCollector)
        self.receipts: list[dict[str, Any]] = []
        self.began_at = time.monotonic()

    def update(self) -> None:
        """The next one; it has to go well."""
        self.plant.change(KINDS[len(self.receipts) % len(KINDS)], self.chance)
        reply = self.runner.call(api.AddOrUpdateFlow, flow=self.plant.flow())
        assert reply.ok, reply.error
        self.receipts.append(reply.receipt)

    def end(self, sent: int, beside: int = 0) -> None:
        """When everything has been sent: prints the figures, then checks."""
        self.runner.wait_idle("plant")
        seconds = time.monotonic() - self.began_at
        pauses = [max(what["pauseMs"] for what in receipt["modules"].values()) for receipt in self.receipts]
        pauses = [pause for pause in pauses if pause] or [0.0]
        print(
            f"{len(self.receipts)} updates in {seconds:.1f} s, {sent + beside} messages in "
            f"({(sent + beside) / seconds:.0f}/s), {len(self.out.got)} out; "
            f"paused for {statistics.median(pauses):.1f} ms (median), {max(pauses):.1f} (most)"
        )
        check = Check(self.plant.changes)
        for message in self.out.got:
            check.add(orjson.loads(message))
        check.end(sent, beside)
        for name in ("split", "left", "right", "join", "out"):
            context = self.runner.module("plant", name).state.context
            count = sent if name in ("split", "left", "right") else 2 * sent + beside
            assert list(context.values()) == [str(count).encode()], (name, context)
        rows = self.runner.ok(api.Audit)
        assert all(row["balanced"] for row in rows.values()), rows
        assert not any(self.runner.ok(api.DeadLetters, flow_id="plant"))
        assert self.held, "no message was under way at any update"

    @property
    def held(self) -> int:
        """Messages that have waited at a module while it was replaced."""
        return sum(what["held"] for receipt in self.receipts for what in receipt["modules"].values())


def steady(runner: Harness, updates: int, per_s: int) -> None:
    """One feeder at a steady rate; so many updates, and more until one of them has met a message (most are quicker)."""
    soak = Soak(runner)
    feeder = feed(runner, "plant", "split", last=1 << 60, per_s=per_s)
    runner.start("plant")
    while len(soak.receipts) < updates or not (soak.held or len(soak.receipts) > 20 * updates):
        at = feeder.number + soak.chance.randint(1, per_s // 5)
        runner.wait(lambda at=at: feeder.number >= at, "the feeder")  # type: ignore[misc]
        soak.update()
    feeder.last = feeder.number + 100
    soak.end(feeder.number + 100)
    done = Counter(what["did"] for receipt in soak.receipts for what in receipt["modules"].values())
    assert {"replaced", "untouched", "added", "removed", "rewired"} <= done.keys()


def full_load(runner: Harness, messages: int, least: int) -> None:
    """Two feeders that send as fast as they may, one of them past the first half: the drain has to end."""
    soak = Soak(runner)
    one = feed(runner, "plant", "split", last=messages, per_s=10**9)
    other = feed(runner, "plant", "join", last=messages, per_s=10**9)
    runner.start("plant")
    while one.number < one.last or other.number < other.last:
        at = len(soak.out.got) + soak.chance.randint(500, 5_000)
        runner.wait(lambda at=at: len(soak.out.got) >= at or one.number == one.last, "output")  # type: ignore[misc]
        soak.update()
    assert one.holds, "the feeders never had to wait"
    soak.end(messages, messages)
    assert len(soak.receipts) >= least, "too few updates met the load"


def test_updates_under_load(runner: Harness) -> None:
    steady(runner, 21, 4_000)


def test_updates_at_full_load(runner: Harness) -> None:
    full_load(runner, 40_000, 4)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_two_hundred_updates(runner: Harness) -> None:
    """The large figures."""
    steady(runner, 200, 10_000)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_two_hundred_updates_at_full_load(runner: Harness) -> None:
    full_load(runner, 1_000_000, 50)
