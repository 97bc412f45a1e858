"""A module with a large context moves while 5,000 messages a second pass: none is lost, and how long none comes."""

from __future__ import annotations

import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from tests import deployments
from tests.deployment.test_move import COUNT, SUM, check, done, flow, up_with
from tests.deployment.test_several_runners import until
from tests.deployments import plant

LARGE = (
    COUNT
    + """
def start(context):
    for number in range(4):
        context.set(f"large {number}", "x" * (256 << 10))
"""
)
NOTED = SUM.replace(
    """    context.set("now", now)
""",
    """    if now - context.get("now", now) > 0.005:
        with open(context.config["file"], "a") as file:
            file.write(f"{now} {now - context.get('now')}\\n")
    context.set("now", now)
""",
)
MOVES = 8


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("more", [{}, {"durable": True}], ids=["memory", "disk"])
def test_the_longest_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]) -> None:
    """As root the deployment comes before what else the machine does."""
    gaps = tmp_path / "gaps" / "it"
    gaps.parent.mkdir()
    gaps.touch()
    document = flow(**more)
    document["modules"]["one"]["code"] = LARGE
    document["modules"]["sum"]["code"] = NOTED
    document["modules"]["sum"] |= {"config": {"file": str(gaps)}, "limits": {"writable": [str(gaps.parent)]}}
    if os.geteuid() == 0:
        monkeypatch.setattr(deployments, "RUNNER", ["nice", "-n", "-20", *deployments.RUNNER])
    with plant(tmp_path, **up_with(tmp_path, document, source="a", one="b", two="a", sum="a")) as up:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: done(client) > 500)
            spans, receipts = [], []
            for number in range(MOVES):
                time.sleep(1)
                begun = time.monotonic()
                outcome = client.call("moveModule", "f/one", "bc"[(number + 1) % 2])
                ended = time.monotonic()
                assert outcome, outcome.error
                receipts.append(outcome.receipt["modules"]["one"])
                spans.append((begun - 0.9, begun, ended + 0.1))
            check(up, client)
        assert up.cli("down").returncode == 0
    rows = [tuple(map(float, line.split())) for line in gaps.read_text().splitlines()]

    def longest(first: float, last: float) -> float:
        return max((1000 * gap for at, gap in rows if first <= at <= last), default=0.0)

    moved, quiet = [longest(begun, ended) for _, begun, ended in spans], [longest(*span[:2]) for span in spans]
    print("took", [round(1000 * (ended - 0.1 - begun)) for _, begun, ended in spans], "ms")
    print(
        f"longest gap, ms: median {statistics.median(moved):.0f}, without a move {statistics.median(quiet):.0f};",
        end=" ",
    )
    print(sorted(map(round, moved)), json.dumps(receipts[-1]))
    assert all(moved)
