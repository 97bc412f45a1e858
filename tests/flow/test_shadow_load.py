"""A shadow beside a flow that takes a thousand messages a second: exact, and the flow does not notice."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import pytest

from actors.messages import client_to_runner as api
from tests.flow.test_shadow import found, is_gone, python, try_on
from tests.harness import Harness, running

PER_S = 1000
SOURCE = f"""
import time
def start(c):
    begun, n = time.monotonic(), c.get("n", 0)
    while True:
        due = begun + n / {PER_S}
        while (wait := due - time.monotonic()) > 0:
            time.sleep(wait)
        n += 1
        c.set("n", n)
        yield n
"""
COUNT = "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return m * 3{}"
LAST = "def run(m, c):\n    c.set('last', [c.get('last', [0, 0])[0] + 1, m])"


def rate(harness: Harness, seconds: float) -> float:
    """Messages a second that come to the end."""
    before, begun = harness.module("f", "last").state.handled, time.monotonic()
    harness.turn_for(seconds)
    return (harness.module("f", "last").state.handled - before) / (time.monotonic() - begun)


@pytest.mark.full
def test_exact_and_without_disturbing(tmp_path: Path) -> None:
    with running(tmp_path / "run") as harness:
        modules = {"tick": python(SOURCE), "count": python(COUNT.format("")), "last": python(LAST)}
        harness.add("f", modules, ["tick -> count", "count -> last"])
        harness.start("f")
        harness.turn_for(1.0)
        alone = [rate(harness, 0.5) for _ in range(5)]
        edit = COUNT.format(" + (m % 97 == 5)")
        post = try_on(harness, "f/count", {"code": edit}, messages=5000)
        beside = [rate(harness, 0.5) for _ in range(5)]
        value = found(harness, post)
        assert value["messages"] == 5000
        assert value["unclear"] == value["unsteady"] == value["missed"] == value["errors"] == 0
        numbers = [row["message"] for row in value["differences"]]
        assert numbers == list(range(numbers[0], numbers[0] + 97 * len(numbers), 97))
        assert all(n % 97 == 5 for n in numbers)
        assert value["different"] in (5000 // 97, 5000 // 97 + 1)
        is_gone(harness, "f")
        print(f"alone {median(alone):.0f}/s, beside {median(beside):.0f}/s")
        assert median(beside) > 0.9 * median(alone)
        harness.ok(api.StopFlow, flow_id="f")
        last = harness.ok(api.GetContext, flow_module_id="f/last")["last"]
        assert last[1] == 3 * last[0]  # none was lost, none came twice
