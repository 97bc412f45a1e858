"""Wires between runners whose runners end: `disk` loses and repeats nothing. --full has the large figures."""

from __future__ import annotations

import contextlib
import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.journal.store import recover
from tests.links.plant import seed
from tests.links.test_two_runners import REPORT, TIMEOUT_S, Two, arrived

SOURCE = f"""{REPORT}
import random
def start(context):  # what is sent when a turn is done again is another value
    while (number := context.get("count", 0)) < context.config["count"]:
        context.set("count", number + 1)
        context.set("gave", context.get("gave", 0) + (value := random.randrange(1000)))
        yield [number, value, *context.config.get("more", [])]


def run(message, context):
    report(context)
"""
PASS = f"""{REPORT}
import random
def run(message, context):
    if message == "report":
        report(context)
    number, value, *_ = message
    if number != context.get("count", 0):
        context.set("wrong", [context.get("count", 0), number])
    context.set("count", number + 1)
    context.set("took", context.get("took", 0) + value)
    context.set("gave", context.get("gave", 0) + (value := random.randrange(1000)))
    return [number, value]
"""


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    with contextlib.closing(Two(tmp_path, keeps=True)) as it:
        yield it


def chain(total: int, **more: Any) -> dict[str, Any]:
    """A source and a sum on `a`, what is between them on `b`; nothing that a turn makes can be made again."""
    return {
        "id": "f", **more,
        "modules": {
            "source": {"runtime": "python3", "code": SOURCE, "config": {"count": total}, "runner": "a"},
            "middle": {"runtime": "python3", "code": PASS, "runner": "b"},
            "sum": {"runtime": "python3", "code": PASS, "runner": "a"},
        },
        "wires": ["source -> middle", "middle -> sum"],
    }  # fmt: skip


def check(two: Two, total: int, timeout_s: float = TIMEOUT_S) -> None:
    """Every message has been everywhere, once and in order, as it was sent."""
    two.until(lambda: arrived(two) >= total, timeout_s)
    source, middle, last = two.a.context("source"), two.b.context("middle"), two.a.context("sum")
    assert source["count"] == middle["count"] == last["count"] == total
    assert "wrong" not in middle | last, (middle, last)
    assert (middle["took"], last["took"]) == (source["gave"], middle["gave"])
    for runner in (two.a, two.b):
        for row in runner.client.call("audit").values():
            assert row["accepted"] == row["completed"] + row["queued"] + row["dropped"] + row["deadLettered"], row


SIZES = [(300_000, 6, 0.5), pytest.param(1_000_000, 20, 5.0, marks=pytest.mark.full)]


@pytest.mark.parametrize(("total", "kills", "cut_s"), SIZES)
@pytest.mark.timeout(1800)
def test_kills_of_runners_and_cuts_of_the_link_change_nothing(two: Two, total: int, kills: int, cut_s: float) -> None:
    print("seed", number := seed())
    rng = random.Random(number)
    document = chain(total, durable=True)
    two.apply(document)
    chaos = ["a", "b"] * (kills // 2) + ["cut", "cut"]
    rng.shuffle(chaos)
    killed = 0
    for place, what in enumerate(chaos, 1):
        goal = total * place // (len(chaos) + 2)
        two.until(lambda: arrived(two) >= goal)  # noqa: B023
        time.sleep(rng.uniform(0, 0.1))  # chaos comes when it will
        if what == "cut":
            two.proxy.stalled.set()
            time.sleep(cut_s)
            two.proxy.stalled.clear()
            two.proxy.cut()
        else:
            killed += arrived(two) < total
            two.again(two.a if what == "a" else two.b, document, kill=True)
    check(two, total)
    assert killed > kills // 2
    for runner in (two.a, two.b):
        runner.end()
        found = recover(runner.state[0] / "journal" / "f.db")
        assert not found.bodies, "what was acknowledged is not kept"
        runner.start()


@pytest.mark.parametrize("more", [{}, {"durable": True}], ids=["memory", "disk"])
def test_restarts_in_order_change_nothing(two: Two, more: dict[str, Any]) -> None:
    """One runner after the other, in the middle of the stream; the other holds meanwhile."""
    total = 300_000
    document = chain(total, **more)
    two.apply(document)
    restarted = 0
    for place, runner in enumerate([two.a, two.b] * 3, 1):
        two.until(lambda: arrived(two) >= total * place // 8)  # noqa: B023
        restarted += arrived(two) < total
        two.again(runner, document)
    check(two, total)
    assert restarted > 3


GAPS = f"""{REPORT}
def run(message, context):
    if message == "report":
        report(context)
    number, expected = message[0], context.get("expected", 0)
    if number > expected:
        context.set("gaps", context.get("gaps", 0) + number - expected)
    if number >= expected:
        context.set("expected", number + 1)
"""
BOUND = re.compile(r"source.out->middle.in: at most ([0-9,]+) messages were lost in b, which has begun anew")


def test_what_a_death_costs_memory_wires_has_a_bound(two: Two) -> None:
    """Its peer says how much at most: that is so, and it is less than everything by far."""
    total = 300_000
    document = chain(total)
    document["modules"]["sum"]["code"] = GAPS
    document["modules"]["source"]["config"]["more"] = ["x" * 500]  # so the windows hold little of all
    two.apply(document)
    for place in range(1, 5):
        two.until(lambda: arrived(two) >= total * place // 10)  # noqa: B023
        two.again(two.b, document, kill=True)
    two.until(lambda: two.a.client.call("flowState", "f")["modules"]["source"]["sent"] == total)
    two.until(lambda: two.a.context("sum")["expected"] == total)
    last = two.a.context("sum")
    lost = last.get("gaps", 0) + total - last["expected"]
    said = two.a.client.call("flowState", "f")["lost"]
    found = BOUND.search(said)
    assert found is not None, said
    bound = int(found[1].replace(",", ""))
    print(lost, "lost, at most", bound)
    assert 0 < lost <= bound < total // 2
    assert all(row["lost"] == said for row in two.a.client.call("audit").values())
    assert "were lost in b" in (two.a.folder / "a.log").read_text()


def test_hosts_and_links_cost_memory_wires_nothing(two: Two) -> None:
    total = 100_000
    two.apply(chain(total))
    two.until(lambda: arrived(two) > total // 4)
    two.proxy.cut()
    for pid in two.b.pids("f"):
        os.kill(pid, 9)
    check(two, total)
    assert two.a.client.call("flowState", "f")["lost"] is None


SLOW = f"""{REPORT}
import time
def run(message, context):
    if message == "report":
        report(context)
    time.sleep(0.01)
    context.set("came", [*context.get("came", []), message])
"""
SAME = "def run(message, context):\n    return message\n"


@pytest.mark.parametrize("place", ["a", "b"])
def test_memory_wires_of_a_durable_flow_keep_what_waits_at_an_orderly_end(two: Two, place: str) -> None:
    """In a mailbox, and in the end of a wire: the other runner is not there when the first one ends."""
    modules = {"x": SAME, "y": SLOW, "z": SAME}
    document = {
        "id": "f",
        "modules": {name: {"runtime": "python3", "code": code, "runner": "a"} for name, code in modules.items()},
        "wires": [{"from": "x", "to": "y", "delivery": "memory"}, {"from": "z", "to": "y", "delivery": "disk"}],
    }
    document["modules"]["y"]["runner"] = place
    document["modules"]["x"]["isolated"] = True
    two.apply(document)
    two.proxy.stalled.set()
    for number in range(100):
        assert two.a.client.call("sendMessage", "f/x", "in", number)
    two.until(lambda: two.a.completed("x") == 100)
    two.proxy.stalled.clear()
    at_y = two.a if place == "a" else two.b
    for _ in range(2):
        for runner in (two.a, two.b):
            two.again(runner, document)
    two.until(lambda: len(at_y.context("y").get("came", ())) == 100)
    assert at_y.context("y")["came"] == [*range(100)]
    row = at_y.client.call("audit")["f/y"]
    assert (row["accepted"], row["queued"]) == (row["completed"] + row["deadLettered"], 0) and row["completed"] >= 100
