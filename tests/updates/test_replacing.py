"""What an update does to sources, neighbours, queues and contexts, and what the receipt says."""

from __future__ import annotations

from typing import Any

import pytest

from actors.flow.update import plan
from actors.messages import client_to_runner as api
from tests.harness import Harness, need

ECHO = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}
SOURCE = """
import asyncio


def log(context, what):
    context.set("log", [*context.get("log", []), f"{what} VERSION"])


async def start(context):
    log(context, "start")
    return emit(context)


async def emit(context):
    while True:
        position = context.get("position", 0)
        context.set("position", position + 1)
        yield [VERSION, position]
        await asyncio.sleep(0.001)


async def stop(context):
    log(context, "stop")
"""
NODE_SOURCE = """
const log = (c, what) => c.set('log', [...c.get('log', []), `${what} VERSION`])
exports.start = (c) => { log(c, 'start'); return emit(c) }
exports.stop = (c) => log(c, 'stop')
async function * emit (c) {
  for (;;) {
    const position = c.get('position', 0)
    c.set('position', position + 1)
    yield [VERSION, position]
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
"""


def source(runtime: str, version: int) -> dict[str, Any]:
    code = SOURCE if runtime == "python3" else NODE_SOURCE
    return {"runtime": runtime, "code": code.replace("VERSION", str(version))}


@pytest.mark.parametrize(("old", "new"), [("python3", "python3"), ("node", "node"), ("python3", "node")])
def test_a_source_keeps_its_position(runner: Harness, old: str, new: str) -> None:
    """stop and start once each, in order; never two incarnations at once; nothing lost, nothing repeated."""
    need("node")
    runner.add("f", {"s": source(old, 1), "t": ECHO}, ["s -> t"])
    out = runner.collect("f", "t")
    runner.start("f")
    for version in (2, 3):
        seen = len(out.got)
        runner.wait(lambda seen=seen: len(out.got) > seen + 20)  # type: ignore[misc]
        runner.add("f", {"s": source(new, version), "t": ECHO}, ["s -> t"])
    seen = len(out.got)
    runner.wait(lambda: len(out.got) > seen + 20)
    assert [position for _, position in out.got] == list(range(len(out.got)))
    versions = [version for version, _ in out.got]
    assert versions == sorted(versions)
    assert set(versions) == {1, 2, 3}
    log = runner.module("f", "s").state.context[b"log"]
    assert log == b'["start 1","stop 1","start 2","stop 2","start 3"]'


NEIGHBOUR = """
first = []


def start(context):
    context.set("starts", context.get("starts", 0) + 1)


def run(message, context):
    first.append(message)
    return [first[0], len(first)]
"""


def test_neighbours_keep_running(runner: Harness) -> None:
    """What a module has in memory outlives the update of another one in its host."""
    modules = {"a": ECHO, "b": {"runtime": "python3", "code": NEIGHBOUR}}
    runner.add("f", modules, ["a -> b"])
    out = runner.collect("f", "b")
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: len(out.got) == 1)
    receipt = runner.call(api.AddOrUpdateFlow, flow=changed(modules, "a", ["a -> b"])).receipt
    assert receipt["modules"]["a"]["did"] == "replaced"
    assert receipt["modules"]["b"]["did"] == "untouched"
    runner.send("f/a", 2)
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [[1, 1], [1, 2]]
    assert runner.module("f", "b").state.context == {b"starts": b"1"}


def changed(modules: dict[str, Any], name: str, wires: list[str]) -> dict[str, Any]:
    new = {**modules, name: {**modules[name], "code": modules[name]["code"] + "\n# changed\n"}}
    return {"id": "f", "modules": new, "wires": wires}


def test_a_slow_load_takes_a_new_host(runner: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """And carries the neighbours along: same queue and context, but stop and start run."""
    monkeypatch.setattr(plan, "MAX_LIVE_LOAD_MS", 20.0)
    modules = {"a": ECHO, "b": {"runtime": "python3", "code": NEIGHBOUR}}
    runner.add("f", modules, ["a -> b"])
    out = runner.collect("f", "b")
    runner.start("f")
    pid = next(iter(runner.state("f")["hosts"].values()))["pid"]
    runner.send("f/a", 1)
    runner.wait(lambda: len(out.got) == 1)
    slow = {**modules, "a": {"runtime": "python3", "code": "import time\ntime.sleep(0.05)\n" + ECHO["code"]}}
    flow = {"id": "f", "modules": slow, "wires": ["a -> b"]}
    planned = runner.call(api.AddOrUpdateFlow, flow=flow, plan=True).receipt
    assert planned["modules"]["b"]["did"] == "carried"
    assert next(iter(runner.state("f")["hosts"].values()))["pid"] == pid
    receipt = runner.call(api.AddOrUpdateFlow, flow=flow).receipt
    assert receipt["modules"]["b"]["did"] == "carried"
    assert next(iter(runner.state("f")["hosts"].values()))["pid"] != pid
    runner.send("f/a", 2)
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [[1, 1], [2, 1]]
    assert runner.module("f", "b").state.context == {b"starts": b"2"}


def test_layout_touches_nothing(runner: Harness) -> None:
    runner.add("f", {"a": ECHO}, [])
    runner.start("f")
    record = runner.module("f", "a")
    reply = runner.call(
        api.AddOrUpdateFlow, flow={"id": "f", "modules": {"a": ECHO}, "wires": [], "layout": {"a": [1, 2]}}
    )
    assert reply.ok
    assert reply.receipt["version"] == 1
    assert reply.receipt["modules"]["a"]["did"] == "untouched"
    assert runner.module("f", "a") is record
    assert runner.ok(api.ListFlows)[0]["layout"] == {"a": [1, 2]}


SLOW = {"runtime": "python3", "code": "import time\ndef run(m, c):\n    time.sleep(0.005)\n    c.send('seen', m)\n"}


def send_to_slow(runner: Harness) -> None:
    """A hundred messages, which `a` has passed on and `b` still has in part."""
    runner.send("f/a", *range(100))
    runner.wait(lambda: runner.module("f", "a").state.accounts()["completed"] == 100)
    assert runner.module("f", "b").state.mailbox.queued


@pytest.mark.parametrize("on_queued", ["drain", "dead_letter"])
def test_a_removed_module(runner: Harness, on_queued: str) -> None:
    """What is queued is handled first, or becomes dead letters."""
    slow = {**SLOW, "on_queued": on_queued, "isolated": True}
    runner.add("f", {"a": ECHO, "b": slow, "c": ECHO}, ["a -> b", "b.seen -> c"])
    out = runner.collect("f", "c")
    runner.start("f")
    send_to_slow(runner)
    receipt = runner.call(api.AddOrUpdateFlow, flow={"id": "f", "modules": {"a": ECHO, "c": ECHO}, "wires": []}).receipt
    assert receipt["modules"]["b"]["did"] == "removed"
    assert receipt["modules"]["a"]["did"] == "rewired"
    runner.wait_idle("f")
    letters = [letter["message"] for letter in runner.ok(api.DeadLetters, flow_id="f")]
    if on_queued == "drain":
        assert out.got == list(range(100))
        assert not letters
    else:
        assert letters
        assert [*out.got, *letters] == list(range(100))
    assert all(row["balanced"] for row in runner.ok(api.Audit).values())


@pytest.mark.parametrize("on_queued", ["drain", "dead_letter"])
def test_a_removed_wire(runner: Harness, on_queued: str) -> None:
    slow = {**SLOW, "on_queued": on_queued, "isolated": True}
    modules = {"a": ECHO, "b": slow, "c": ECHO}
    runner.add("f", modules, ["a -> b", "b.seen -> c"])
    out = runner.collect("f", "c")
    runner.start("f")
    send_to_slow(runner)
    runner.add("f", modules, ["b.seen -> c"])
    runner.wait_idle("f")
    letters = [letter["message"] for letter in runner.ok(api.DeadLetters, flow_id="f")]
    if on_queued == "drain":
        assert not letters
    else:
        assert letters
    assert [*out.got, *letters] == list(range(100))
    assert all(row["balanced"] for row in runner.ok(api.Audit).values())


COUNT = "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return [VERSION, c.get('n')]\n"


def counting(version: int) -> dict[str, Any]:
    return {"runtime": "python3", "code": COUNT.replace("VERSION", str(version))}


def test_rollback(runner: Harness) -> None:
    """To the version before or to a named one, with the contexts of now or of then."""
    runner.add("f", {"a": counting(1)})
    out = runner.collect("f", "a")
    runner.start("f")
    for version in (1, 2, 3):
        runner.add("f", {"a": counting(version)})
        runner.send("f/a", 0)
        runner.wait(lambda version=version: len(out.got) == version)  # type: ignore[misc]
    assert out.got == [[1, 1], [2, 2], [3, 3]]
    runner.ok(api.RollbackFlow, flow_id="f")
    runner.send("f/a", 0)
    runner.wait(lambda: len(out.got) == 4)
    assert out.got[-1] == [2, 4]
    reply = runner.call(api.RollbackFlow, flow_id="f", version=1, context="snapshot")
    assert reply.ok, reply.error
    assert reply.receipt["version"] == 5
    runner.send("f/a", 0)
    runner.wait(lambda: len(out.got) == 5)
    assert out.got[-1] == [1, 2]
    refused = runner.call(api.RollbackFlow, flow_id="f", version=17)
    assert not refused.ok
    assert "kept are 1, 2, 3, 4" in refused.error


def test_a_cycle_is_updated_at_once(runner: Harness) -> None:
    """It never runs dry, so its members may meet both versions: the receipt says so."""
    again = "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return m\n"
    modules = {"a": {"runtime": "python3", "code": again}, "b": {"runtime": "python3", "code": again}}
    wires = ["a -> b", "b -> a"]
    runner.add("f", modules, wires)
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: runner.module("f", "a").state.handled > 10)
    reply = runner.call(api.AddOrUpdateFlow, flow=changed(modules, "b", wires))
    assert reply.ok, reply.error
    assert reply.receipt["modules"]["b"]["mixed"] is True
    handled = runner.module("f", "b").state.handled
    runner.wait(lambda: runner.module("f", "b").state.handled > handled + 10)


def test_a_stopped_flow_is_updated_and_migrated(runner: Harness) -> None:
    code = "def run(m, c):\n    return c.get('n')\ndef migrate(c, v):\n    c.set('n', c.get('n') + 10 * v)\n"
    runner.add("f", {"a": counting(1)})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", 0)
    runner.wait(lambda: len(out.got) == 1)
    runner.ok(api.StopFlow, flow_id="f")
    runner.send("f/a", 0)
    runner.add("f", {"a": {"runtime": "python3", "code": code, "state_version": 2}})
    runner.start("f")
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [[1, 1], 11]


@pytest.mark.parametrize(
    ("replaced", "mixed"),
    [("abc", ["b", "c"]), ("a", []), ("b", []), ("c", []), ("ab", ["b"]), ("ac", ["c"]), ("bc", [])],
)
def test_what_waits_in_a_stopped_flow_may_meet_two_versions(runner: Harness, replaced: str, mixed: list[str]) -> None:
    """Messages that `a` has worked on wait at `b`, and others come to `a` from outside: the receipt says so."""

    def modules(version: int, changed: str) -> dict[str, Any]:
        code = "import time\ndef run(m, c):\n    time.sleep({0})\n    return [*m, {1}]\n"
        return {
            name: {"runtime": "python3", "isolated": True, "code": code.format(slow, version if name in changed else 1)}
            for name, slow in (("a", 0), ("b", 0.05), ("c", 0))
        }

    wires = ["a -> b", "b -> c"]
    runner.add("f", modules(1, "abc"), wires)
    out = runner.collect("f", "c")
    runner.start("f")
    runner.send("f/a", *([] for _ in range(20)))
    runner.wait(lambda: runner.module("f", "a").state.handled == 20)
    runner.ok(api.StopFlow, flow_id="f")
    runner.send("f/a", [])
    waiting = {module: runner.module("f", module).state.mailbox.queued for module in "abc"}
    assert waiting["a"] == 1
    assert waiting["b"]
    if waiting["c"] and replaced == "bc":  # what `b` was still at when the flow was stopped
        mixed = ["c"]
    runner.add("f", modules(2, replaced), wires)
    did = runner.record("f").receipt["modules"]
    assert [module for module, what in did.items() if what["mixed"]] == mixed
    assert {module: what["held"] for module, what in did.items()} == {
        module: count if module in replaced else 0 for module, count in waiting.items()
    }
    runner.start("f")
    runner.wait(lambda: len(out.got) == 21)
    if mixed and "a" in replaced:
        assert [1] + [2 if module in replaced else 1 for module in "bc"] in out.got
    assert out.got[-1] == [2 if module in replaced else 1 for module in "abc"]


def test_what_a_stop_hook_changes_is_migrated(runner: Harness) -> None:
    old = "def run(m, c):\n    return m\ndef stop(c):\n    c.set('n', 5)\n"
    new = "def run(m, c):\n    return c.get('n')\ndef migrate(c, v):\n    c.set('n', c.get('n', 0) + 1)\n"
    runner.add("f", {"a": {"runtime": "python3", "code": old}})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.add("f", {"a": {"runtime": "python3", "code": new, "state_version": 2}})
    runner.send("f/a", 0)
    runner.wait(lambda: out.got)
    assert out.got == [6]


def test_a_replaced_version_has_no_say(runner: Harness) -> None:
    """A timer that the old version has left behind changes nothing any more."""
    old = """
import threading
import time


def run(m, c):
    def later():
        for _ in range(1000):
            try:
                c.set("n", -1)
            except Exception:
                return
            time.sleep(0.001)

    threading.Thread(target=later, daemon=True).start()
    return m
"""
    runner.add("f", {"a": {"runtime": "python3", "code": old}})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", 0)
    runner.wait(lambda: out.got)
    runner.wait(lambda: runner.module("f", "a").state.context)
    runner.add(
        "f",
        {
            "a": {
                "runtime": "python3",
                "code": "def start(c):\n    c.set('n', 1)\ndef run(m, c):\n    return c.get('n')\n",
            }
        },
    )
    for _ in range(20):
        runner.send("f/a", 0)
    runner.wait(lambda: len(out.got) == 21)
    assert out.got[1:] == [1] * 20
    assert runner.module("f", "a").state.context == {b"n": b"1"}


def test_a_new_version_may_print_what_the_host_does_not_see(runner: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """Also where it is tried: straight to the descriptor."""
    runner.add("f", {"a": ECHO})
    runner.start("f")
    with caplog.at_level("WARNING", "runner.module.log"):
        runner.add("f", {"a": {"runtime": "python3", "code": "import os\nos.write(2, b'loaded\\n')\n" + ECHO["code"]}})
        runner.wait(
            lambda: len([r for r in caplog.records if "loaded" in r.getMessage()]) == 2
        )  # the trial and the host


def test_two_who_change_it(runner: Harness) -> None:
    """Whoever has not seen the other's version is refused; the first is at version 1, as the receipt says."""
    new = {"id": "f", "modules": {"a": {**ECHO, "config": 1}}}
    missing = runner.call(api.AddOrUpdateFlow, flow=new, expected_version=1)
    assert missing.error == "there is no flow 'f' here: it has no version"
    runner.add("f", {"a": ECHO})
    runner.start("f")
    first = runner.post(api.AddOrUpdateFlow, flow=new, expected_version=1)
    second = runner.post(api.AddOrUpdateFlow, flow={"id": "f", "modules": {"a": ECHO}}, expected_version=1)
    assert runner.reply(first).receipt["version"] == 2
    assert runner.reply(second).error == "f is at version 2, not 1: it has been changed meanwhile"
    assert runner.record("f").flow.modules["a"].config == 1
    runner.ok(api.AddOrUpdateFlow, flow={"id": "f", "modules": {"a": ECHO}}, expected_version=2)
