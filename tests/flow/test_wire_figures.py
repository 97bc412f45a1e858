"""What flowState says of each wire: messages, what waits, whether it is fused, and its rate."""

from __future__ import annotations

import os
import signal
from typing import Any

from actors.messages import client_to_runner as api
from tests.harness import Harness

PASS = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}
APART = {**PASS, "isolated": True}
TWICE = {"runtime": "python3", "code": "def run(m, c):\n    c.send('a', m)\n    c.send('b', m)\n    c.send('b', m)\n"}


def wires(runner: Harness) -> Any:
    return runner.state("f")["wires"]


def messages(runner: Harness) -> dict[str, int | None]:
    return {wire: figures["messages"] for wire, figures in wires(runner).items()}


def test_each_wire_is_counted_fused_or_not(runner: Harness) -> None:
    modules = {"split": TWICE, "left": PASS, "right": APART, "end": APART}
    flow = ["split.a -> left", "split.b -> right", "left -> end", {"from": "right", "to": "end", "delivery": "lossy"}]
    runner.add("f", modules, flow)
    runner.start("f")
    runner.send("f/split", 1, 2, 3)
    runner.wait_idle("f")
    assert wires(runner)["split.a->left.in"]["fused"]
    assert not wires(runner)["split.b->right.in"]["fused"]
    assert wires(runner)["right.out->end.in"]["delivery"] == "lossy"
    three = {"split.a->left.in": 3, "split.b->right.in": 6, "left.out->end.in": 3, "right.out->end.in": 6}
    assert messages(runner) == three
    runner.ok(api.SetBreakPointAtModule, flow_module_id="f/left")  # not fused any more
    assert not wires(runner)["split.a->left.in"]["fused"]
    runner.send("f/split", 4)
    runner.wait(lambda: runner.state("f")["debug"]["hits"] == ["left"])
    assert messages(runner)["split.a->left.in"] == 4
    assert wires(runner)["split.a->left.in"]["waiting"] == 1
    runner.ok(api.RemoveBreakPointAtModule, flow_module_id="f/left")
    runner.ok(api.ResumeFlow, flow_id="f")
    runner.wait_idle("f")
    runner.send("f/split", 5)
    runner.wait_idle("f")
    assert messages(runner) == {wire: count // 3 * 5 for wire, count in three.items()}


def test_counts_go_on_over_deaths_and_updates(runner: Harness) -> None:
    runner.add("f", {"a": PASS, "b": PASS, "c": APART}, ["a -> b", "b -> c"])
    runner.start("f")
    runner.send("f/a", 1, 2)
    runner.wait_idle("f")
    host = next(host for host in runner.state("f")["hosts"].values() if "a" in host["modules"])
    os.kill(host["pid"], signal.SIGKILL)
    runner.wait(lambda: runner.state("f")["hosts"][host["host"]]["starts"] == 2, "another host")
    runner.send("f/a", 3)
    runner.wait_idle("f")
    runner.add("f", {"a": PASS, "b": {**PASS, "config": 1}, "c": {**APART, "config": 1}}, ["a -> b", "b -> c"])
    runner.send("f/a", 4)
    runner.wait_idle("f")
    assert messages(runner) == {"a.out->b.in": 4, "b.out->c.in": 4}


def test_of_a_chain_in_one_host_each_wire_is_known(runner: Harness) -> None:
    runner.add("f", {name: PASS for name in "abc"}, ["a -> b", "b -> c"])
    runner.start("f")
    runner.send("f/a", 1, 2)
    runner.wait_idle("f")
    assert messages(runner) == {"a.out->b.in": 2, "b.out->c.in": 2}


def test_of_fused_wires_into_one_module_the_sum_is_known_not_each(runner: Harness) -> None:
    flow = ["split.a -> end", "split.b -> end", "other -> end"]
    runner.add("f", {"split": TWICE, "other": APART, "end": PASS}, flow)
    runner.start("f")
    assert set(messages(runner).values()) == {0}
    runner.send("f/split", 1)
    runner.send("f/other", 1)
    runner.wait_idle("f")
    assert messages(runner) == {"split.a->end.in": None, "split.b->end.in": None, "other.out->end.in": 1}
    rates = {wire: figures.get("perS") for wire, figures in runner.ok(api.FlowState, flow_id="f")["wires"].items()}
    assert [wire for wire, rate in rates.items() if rate is None] == ["split.a->end.in", "split.b->end.in"]
