"""`explain` on made troubles: the first sentence begins with the module that causes it."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.state.explain import explain
from tests.harness import Harness

ECHO = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}
ALONE = {"runtime": "python3", "isolated": True}
STUCK = ALONE | {"code": "import threading\ndef run(m, c):\n    threading.Event().wait()\n"}
BUSY = ALONE | {"code": "def run(m, c):\n    for _ in range(20000): pass\n    return m\n"}
SLOW = ALONE | {"code": "import time\ndef run(m, c):\n    time.sleep(0.01)\n    return m\n"}
FAILING = {"runtime": "python3", "code": "def run(m, c):\n    raise ValueError('no luck')\n"}
SOURCE = {"runtime": "python3", "code": "def start(c):\n    n = 0\n    while True:\n        n += 1\n        yield n\n"}


def why(runner: Harness) -> list[str]:
    found: list[str] = runner.ok(api.Explain)
    return found


def until(runner: Harness, begins: str) -> list[str]:
    """The first sentence begins so, sooner or later."""
    found: list[str] = runner.wait(lambda: (said := why(runner))[0].startswith(begins) and said, begins)
    return found


def test_a_flow_that_is_stopped(runner: Harness) -> None:
    runner.add("f", {"a": ECHO})
    assert why(runner) == ["f is stopped; `runner start f` starts it"]


def test_nothing_is_wrong(runner: Harness) -> None:
    runner.add("f", {"a": ECHO})
    runner.start("f")
    assert why(runner) == ["f: nothing is wrong, and nothing comes in"]


def test_a_module_that_does_not_come_to_an_end_holds_all_before_it(runner: Harness) -> None:
    runner.add("f", {"s": SOURCE, "a": ECHO, "b": ECHO, "z": STUCK}, ["s -> a", "a -> b", "b -> z"])
    runner.start("f")
    (said,) = until(runner, "z holds 3 modules back: ")
    assert "8,192" in said or "waiting" in said


def test_a_module_that_does_not_come_to_an_end_and_holds_nobody(runner: Harness) -> None:
    runner.add("f", {"a": ECHO, "z": STUCK}, ["a -> z"])
    runner.start("f")
    for number in range(3):
        runner.ok(api.SendMessage, flow_module_id="f/a", message=number)
    until(runner, "z has ended no turn of late: 3 waiting")


def test_what_a_host_does(runner: Harness) -> None:
    runner.add("f", {"s": SOURCE, "b": BUSY}, ["s -> b"])
    runner.start("f")
    said = runner.wait(lambda: [one for one in why(runner) if "its host is at" in one], "what the host does")
    assert said[0].startswith("b holds 1 module back: ")
    assert " ms a message, its host is at " in said[0]
    state = runner.ok(api.FlowState, flow_id="f")
    (host,) = [host for host in state["hosts"].values() if host["modules"] == ["b"]]
    state["modules"]["s"]["heldBy"] = ["s.out->b.in"]
    for share, at_limit in ((0.5, False), (0.97, True)):
        host["cpuPerS"] = share
        assert ("97% of a core: it is at its limit" in explain(state)[0]) == at_limit


def test_a_source_that_has_failed(runner: Harness) -> None:
    runner.add("f", {"s": {"runtime": "python3", "code": "def start(c):\n    yield 1\n    raise OSError('gone')\n"}})
    runner.start("f")
    said = until(runner, "s: its source has failed: ")
    assert said[0].endswith("OSError: gone")


def test_a_message_that_is_tried_again(runner: Harness) -> None:
    runner.add("f", {"a": FAILING | {"retry": {"times": 1000, "backoff_s": 5}}})
    runner.start("f")
    runner.ok(api.SendMessage, flow_module_id="f/a", message=1)
    until(runner, "a tries a message again")


def test_a_pause_and_a_breakpoint_that_is_left(runner: Harness) -> None:
    runner.add("f", {"a": ECHO, "b": ECHO}, ["a -> b"])
    runner.start("f")
    runner.ok(api.SetBreakPointAtModule, flow_module_id="f/b")
    assert why(runner)[1:] == ["b has a breakpoint; `runner unbreak f/b` takes it away"]
    runner.ok(api.SendMessage, flow_module_id="f/a", message=1)
    said = until(runner, "b: f is paused by ")
    goes_on = "`runner step f` or `runner resume f` goes on"
    assert said[0].endswith(f"{goes_on} to its next message, `runner unbreak f/b` takes the breakpoint away")
    runner.ok(api.RemoveBreakPointAtModule, flow_module_id="f/b")
    runner.ok(api.ResumeFlow, flow_id="f")
    runner.ok(api.PauseFlow, flow_id="f")
    until(runner, "f is paused by pauseFlow")


def test_a_breakpoint_that_pauses_its_module_only(runner: Harness) -> None:
    runner.add("f", {"a": ECHO, "b": ECHO}, ["a -> b"])
    runner.start("f")
    runner.ok(api.SetBreakPointAtModule, flow_module_id="f/b", scope="module")
    runner.ok(api.SendMessage, flow_module_id="f/a", message=1)
    until(runner, "b: b of f is paused by the breakpoint at b; ")


def test_dead_letters(runner: Harness) -> None:
    runner.add("f", {"a": ECHO, "b": FAILING}, ["a -> b"])
    runner.start("f")
    for _ in range(3):
        runner.ok(api.SendMessage, flow_module_id="f/a", message=1)
    said = runner.wait(lambda: [one for one in why(runner) if "3 dead letters" in one], "the letters")
    assert said[0].startswith("b: ")
    assert said[0].endswith("; the last error is b:2: ValueError: no luck")


def test_messages_without_a_wire(runner: Harness) -> None:
    runner.add("f", {"a": {"runtime": "python3", "code": "def run(m, c):\n    c.send('left', m)\n"}})
    runner.start("f")
    runner.ok(api.SendMessage, flow_module_id="f/a", message=1)
    said = "a has sent 1 message to ports that no wire leads from"
    runner.wait(lambda: said in why(runner), "the remark")


def test_a_reader_that_does_not_read(runner: Harness) -> None:
    runner.add("f", {"s": SOURCE, "a": ECHO}, ["s -> a"])
    sink = runner.collect("f", "a.out", name="-o")
    runner.start("f")
    sink.hold(True)
    (said,) = until(runner, "a.out: whoever reads its output (-o) does not read")
    assert said.endswith("a, s wait for that")


def test_what_the_flow_waits_for(runner: Harness) -> None:
    runner.add("f", {"a": ECHO, "slow": SLOW}, ["a -> slow"])
    runner.start("f")
    for number in range(400):
        runner.ok(api.SendMessage, flow_module_id="f/a", message=number)
    said = until(runner, "slow is what the flow waits for: busy for ")
    assert "ms a message" in said[0]


def test_a_source_that_waits_for_a_clock(runner: Harness) -> None:
    ticks = "import time\ndef start(c):\n    while True:\n        yield 1\n        time.sleep(0.01)\n"
    runner.add("f", {"s": ALONE | {"code": ticks}, "a": ECHO}, ["s -> a"])
    runner.start("f")
    runner.wait(lambda: runner.ok(api.FlowState, flow_id="f")["modules"]["s"]["busyPerS"] > 0.5, "it is busy")
    until(runner, "f: nothing holds it back, ")


def test_of_several_flows_one_has_to_be_named(runner: Harness) -> None:
    assert runner.call(api.Explain).error == "no flow is here"
    runner.add("f", {"a": ECHO})
    runner.add("g", {"a": ECHO})
    assert runner.call(api.Explain).error == "these are here: f, g; say which"
    assert runner.ok(api.Explain, flow_id="g")[0].startswith("g is stopped")


@pytest.mark.parametrize("runners", [["r2"], ["r1", "r2"]])
def test_a_runner_that_is_away(runners: list[str]) -> None:
    state: dict[str, Any] = {
        "id": "f", "state": "running, away", "errors": [], "modules": {}, "hosts": {}, "leftOut": {}, "deadLetters": 0,
        "debug": {"pausedBy": None, "pausedModules": [], "breakpoints": {}, "hits": []},
        "away": {f"m{index}": runner for index, runner in enumerate(runners)},
    }  # fmt: skip
    said = explain(state)
    assert said == [f"m{index}: the runner {runner} is away" for index, runner in enumerate(runners)]


def test_pages_that_are_asleep_or_away(runner: Harness) -> None:
    """Those for which something waits: the longest of each kind by name, the others counted."""
    runner.add("f", {"a": ECHO})
    runner.start("f")
    until(runner, "f: nothing is wrong")
    state = runner.ok(api.FlowState, flow_id="f")

    def client(name: str, away_s: float, idle_s: float, waiting: int, *modules: str) -> dict[str, Any]:
        times = {"here": not away_s, "awayS": away_s, "idleS": idle_s}
        return {"name": name, **times, "waiting": waiting, "waitingFor": list(modules)}

    clients = [
        client("quick", 0, 1.0, 5, "show"), client("well", 0, 0, 0), client("gone", 30.0, 0, 0),
        client("closed", 12.4, 20.0, 1, "show"),
        client("hidden", 0, 8.0, 3, "show"), client("shut", 0, 31.2, 1_200, "show", "count"),
    ]  # fmt: skip
    pages = {"life": "open", "modules": ["show", "count"], "starts": 1, "clients": clients}
    assert explain({**state, "hosts": {**state["hosts"], "browser": pages}}) == [
        "show: 1 message waits for the page closed, which has been away for 12 s",
        "show, count: 1,203 messages wait for the page shut and 1 other page, which has done nothing for 31 s: "
        "its tab or its machine is asleep, or busy",
    ]
