"""Taps: they see what leaves a port, drop what is too much, and the flow does not notice them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from actors.ends.tap import MAX_MESSAGES
from actors.messages import client_to_runner as api
from tests.harness import Harness, need

SOURCES = {
    "python3": "def run(m, c):\n    for i in range(m): yield i\n",
    "node": "function* (m) { for (let i = 0; i < m; i++) yield i }",
}
ECHO = {"python3": "def run(m, c): return m\n", "node": "(m) => m"}


def chain(runner: Harness, runtime: str) -> Any:
    """many -> b -> c, all fused; `many` sends the numbers below what it gets."""
    need(runtime)
    codes = {"many": SOURCES[runtime], "b": ECHO[runtime], "c": ECHO[runtime]}
    runner.add("f", {name: {"runtime": runtime, "code": code} for name, code in codes.items()}, ["many -> b", "b -> c"])
    out = runner.collect("f", "c")
    runner.start("f")
    return out


def read(runner: Harness, tap: str) -> tuple[list[Any], int]:
    value = runner.ok(api.ReadTap, tap_id=tap)
    return [view["message"] for view in value["messages"]], value["dropped"]


def is_written(runner: Harness, port: tuple[str, str]) -> bool:
    """Whether the host writes what leaves the port, or only hands it over."""
    record = runner.record("f")
    key, slot = record.places[port[0]]
    out = record.plans[key].wirings(frozenset(wire for *_, wire in record.plans[key].fusable))[slot]["out"].get(port[1])
    return out is not None and out["channel"] is not None


@pytest.mark.parametrize("runtime", ["python3", "node"])
@pytest.mark.parametrize("module", ["b", "c"])
def test_it_sees_what_leaves_a_port(runner: Harness, runtime: str, module: str) -> None:
    """Of a fused wire too, which stays fused; when the tap has gone, nothing is written for it any more."""
    out = chain(runner, runtime)
    runner.send("f/many", 3)
    runner.wait(lambda: out.got == [0, 1, 2])
    assert is_written(runner, (module, "out")) == (module == "c")
    tap = runner.ok(api.TapPort, flow_module_id=f"f/{module}")
    runner.send("f/many", 4)
    assert read(runner, tap) == ([0, 1, 2, 3], 0)
    bridge = runner.actor(next(iter(runner.record("f").bridges.values())))
    assert len(bridge.fusing.fused) == 2
    runner.ok(api.EndTap, tap_id=tap)
    assert "there is no tap" in runner.call(api.EndTap, tap_id=tap).error
    runner.send("f/many", 2)
    runner.wait(lambda: out.got == [0, 1, 2, 0, 1, 2, 3, 0, 1])
    assert is_written(runner, (module, "out")) == (module == "c")
    assert "there is no tap" in runner.call(api.ReadTap, tap_id=tap).error
    runner.wait_idle("f")


def test_what_nobody_reads_is_dropped_and_counted(runner: Harness) -> None:
    """The flow goes on at once: all has arrived behind the tap while nobody reads."""
    out = chain(runner, "python3")
    tap = runner.ok(api.TapPort, flow_module_id="f/b")
    runner.send("f/many", 20_000)
    runner.wait(lambda: len(out.got) == 20_000)
    messages, dropped = read(runner, tap)
    assert messages == list(range(len(messages)))
    assert 0 < len(messages) <= MAX_MESSAGES
    assert len(messages) + dropped == 20_000
    runner.send("f/many", 2)
    assert read(runner, tap) == ([0, 1], 0)
    runner.wait_idle("f")


def test_a_reader_waits_for_the_next_message(runner: Harness) -> None:
    chain(runner, "python3")
    tap = runner.ok(api.TapPort, flow_module_id="f/b")
    runner.system.tell(runner.runner, api.ReadTap(request_id="waits", tap_id=tap))
    assert "still waits" in runner.call(api.ReadTap, tap_id=tap).error
    runner.send("f/many", 1)
    reply = runner.wait(lambda: runner._take(lambda m: getattr(m, "request_id", None) == "waits"))
    assert reply.value == {"messages": [{"message": 0, "headers": None}], "dropped": 0}
    runner.system.tell(runner.runner, api.ReadTap(request_id="ends", tap_id=tap))
    runner.ok(api.RemoveFlow, flow_id="f")
    reply = runner.wait(lambda: runner._take(lambda m: getattr(m, "request_id", None) == "ends"))
    assert (reply.ok, reply.error) == (False, "the tap has ended")


def test_it_survives_an_update_and_ends_with_its_module(runner: Harness) -> None:
    chain(runner, "python3")
    taps = [runner.ok(api.TapPort, flow_module_id=f"f/{module}") for module in "bc"]
    plus = "def run(m, c): return m + 1\n"
    codes = {"many": SOURCES["python3"], "b": plus}
    runner.add("f", {name: {"runtime": "python3", "code": code} for name, code in codes.items()}, ["many -> b"])
    runner.send("f/many", 2)
    assert read(runner, taps[0]) == ([1, 2], 0)
    assert "there is no tap" in runner.call(api.ReadTap, tap_id=taps[1]).error


def test_the_error_port_stays_unwired(runner: Harness) -> None:
    """A tap there does not make a handled error of what would be a dead letter."""
    code = "def run(m, c): raise ValueError(m)\n"
    modules = {"a": {"runtime": "python3", "code": code}, "b": {"runtime": "python3", "code": ECHO["python3"]}}
    runner.add("f", modules)
    runner.start("f")
    tap = runner.ok(api.TapPort, flow_module_id="f/a", port="error")
    runner.send("f/a", 1)
    runner.wait(lambda: runner.ok(api.DeadLetters, flow_id="f"))
    runner.add("f", modules, ["a.error -> b"])
    runner.send("f/a", 2)
    messages, _ = read(runner, tap)
    assert [message["message"] for message in messages] == [2]
    assert len(runner.ok(api.DeadLetters, flow_id="f")) == 1


def test_refusals(runner: Harness) -> None:
    module = {"runtime": "python3", "code": ECHO["python3"], "ports": {"in": ["in"], "out": ["out"]}}
    runner.add("f", {"a": module})
    assert (
        "no out-port 'outt'; did you mean 'out'?" in runner.call(api.TapPort, flow_module_id="f/a", port="outt").error
    )
    assert "no module 'z'" in runner.call(api.TapPort, flow_module_id="f/z").error
    runner.add("f", {"a": {"runtime": "python3", "code": "def run(m, c):\n    c.send('alarm', m)"}})
    assert (
        "no out-port 'alrm'; did you mean 'alarm'?" in runner.call(api.TapPort, flow_module_id="f/a", port="alrm").error
    )
    send = {"flow_module_id": "f/a", "message": 1}
    assert "no in-port 'inn'; did you mean 'in'?" in runner.call(api.SendMessage, port="inn", **send).error
    runner.ok(api.SendMessage, port="error", **send)


def test_two_taps_of_one_port(runner: Harness) -> None:
    """One goes, the other stays; headers are shown without the runner's own."""
    out = chain(runner, "python3")
    taps = [runner.ok(api.TapPort, flow_module_id="f/b") for _ in range(2)]
    assert len(set(taps)) == 2
    for tap, rest in pairwise([*taps, None]):
        runner.send("f/many", 2)
        assert read(runner, tap)[0] == [0, 1]
        runner.ok(api.EndTap, tap_id=tap)
        assert is_written(runner, ("b", "out")) == (rest is not None)
    runner.wait(lambda: out.got == [0, 1, 0, 1])
