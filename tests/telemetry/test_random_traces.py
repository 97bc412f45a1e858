"""Random flows, while they are updated and debugged: every call has its span, every parent is a wire's other end."""

from __future__ import annotations

import random
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.messages.gateway_to_flow import SendBatch
from tests.harness import Harness
from tests.telemetry.collector import Collector, attributes
from tests.telemetry.test_traces import PASS, collector, sent, traced  # noqa: F401  fixtures

SLOW = "import asyncio\nasync def run(m, c):\n    await asyncio.sleep(0.001)\n    return m\n"
FAILS = "def run(m, c):\n    if m % 7 == 3: raise ValueError('x')\n    yield m\n    yield m + 1\n"
NAMES = [f"m{number}" for number in range(6)]
KINDS: list[dict[str, Any]] = [
    {"runtime": "python3", "code": PASS}, {"runtime": "python3", "code": FAILS}, {"runtime": "node", "code": "m => m"},
    {"runtime": "python3", "code": SLOW, "isolated": True, "concurrency": 4},
    {"runtime": "python3", "code": PASS, "timeout_s": 60},
    {"runtime": "python3", "code": FAILS, "retry": {"times": 1, "backoff_s": 0.001}},
    {"runtime": "node", "code": "async m => m"},
]  # fmt: skip


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full), pytest.param(3, marks=pytest.mark.full)])
def test_a_random_flow(traced: Harness, collector: Collector, seed: int) -> None:  # noqa: F811
    chance = random.Random(seed)
    modules = {name: dict(chance.choice(KINDS)) for name in NAMES}
    wires = {(NAMES[chance.randrange(at)], NAMES[at]) for at in range(1, 6)} | {("m0", "m5")}
    listed = [f"{a} -> {b}" for a, b in sorted(wires)]
    traced.add("f", modules, listed, tracing=True)
    traced.start("f")
    count = 0
    for turn in range(20):
        messages = [str(chance.randrange(100)).encode() for _ in range(chance.randrange(1, 9))]
        traced.ok(SendBatch, flow_module_id="f/m0", port="in", messages=messages)
        count += len(messages)
        if turn == 5:
            traced.ok(api.SetBreakPointAtModule, flow_module_id="f/m2", when="message > 1000")
        elif turn == 10:
            traced.add("f", modules | {"m1": {**modules["m1"], "config": {"new": True}}}, listed, tracing=True)
        elif turn == 15:
            traced.ok(api.RemoveBreakPointAtModule, flow_module_id="f/m2")
    traced.wait_idle("f")
    traced.audit()
    state = traced.state("f")
    assert {host["starts"] for host in state["hosts"].values()} == {1}
    handled = {name: figures["handled"] for name, figures in state["modules"].items()}
    traced.wait(lambda: calls(collector) == handled, f"{handled}, {modules}, {listed}")
    tree = collector.tree()
    assert sum(not parent for _, parent in tree) == count
    found = {(parent.removeprefix("process "), child.removeprefix("process ")) for child, parent in tree if parent}
    assert found <= wires | {("send m0.in", "m0")}
    traced.wait(lambda: sent(traced, "f") == len(tree))


def calls(collector: Collector) -> dict[str, int]:  # noqa: F811
    """How often each module was called, by its spans."""
    found = dict.fromkeys(NAMES, 0)
    for span in collector.spans:
        if span.name.startswith("process "):
            found[span.name.removeprefix("process ")] += attributes(span).get("messaging.batch.message_count", 1)
    return found
