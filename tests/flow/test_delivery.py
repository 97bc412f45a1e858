"""Delivery through real hosts: order, errors, retry, blame, timeouts, back-pressure, cycles, accounts."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.messages.flow_to_module import GoOn
from actors.state import mailbox
from tests.harness import Harness, need

ECHO = "def run(m, c):\n    return m\n"
COUNT = "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return [m, c.get('n')]\n"


def py(code: str, **fields: Any) -> dict[str, Any]:
    return {"runtime": "python3", "code": code, **fields}


def js(code: str, **fields: Any) -> dict[str, Any]:
    need("node")
    return {"runtime": "node", "code": code, **fields}


def test_a_chain_of_two_languages_keeps_order(runner: Harness) -> None:
    runner.add("f", {"a": py(ECHO), "b": js("m => m * 2"), "c": py(COUNT)}, ["a -> b", "b -> c"])
    out = runner.collect("f", "c")
    runner.start("f")
    runner.send("f/a", *range(50))
    runner.wait(lambda: len(out.got) == 50)
    assert out.got == [[i * 2, i + 1] for i in range(50)]
    assert out.numbers == list(range(50))


def test_an_error_becomes_a_dead_letter_that_can_be_replayed(runner: Harness) -> None:
    code = """
def run(m, c):
    if m == 'bad' and not c.get('fixed'):
        raise ValueError('no')
    if m == 'fix':
        c.set('fixed', True)
    return m
"""
    runner.add("f", {"a": py(code)})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", 1, "bad", 2)
    runner.wait(lambda: len(out.got) == 2)
    (letter,) = runner.wait(lambda: runner.ok(api.DeadLetters, flow_id="f"))
    assert (letter["message"], letter["error"]["type"], letter["port"]) == ("bad", "ValueError", "in")
    assert letter["error"]["line"] == 4
    runner.send("f/a", "fix")
    runner.ok(api.ReplayDeadLetter, id=letter["id"])
    runner.wait(lambda: "bad" in out.got)
    assert runner.ok(api.DeadLetters, flow_id="f") == []


def test_an_error_goes_to_the_error_port_when_it_is_wired(runner: Harness) -> None:
    code = "def run(m, c):\n    raise KeyError(m)\n"
    runner.add("f", {"a": py(code), "b": js("m => m")}, ["a.error -> b.in"])
    out = runner.collect("f", "b")
    runner.start("f")
    runner.send("f/a", {"x": [1]})
    runner.wait(lambda: out.got)
    assert out.got[0]["message"] == {"x": [1]}
    assert out.got[0]["module"] == "a"
    assert out.got[0]["error"]["type"] == "KeyError"
    assert runner.ok(api.DeadLetters, flow_id="f") == []


def test_retry_keeps_the_order_and_gives_up_in_the_end(runner: Harness) -> None:
    code = """
tries = {}
def run(m, c):
    tries[m] = tries.get(m, 0) + 1
    if m == 'once' and tries[m] < 2 or m == 'never':
        raise OSError(m)
    return [m, tries[m], c.redelivered]
"""
    runner.add("f", {"a": py(code, retry={"times": 2, "backoff_s": 0.01})})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", 1, "once", 2, "never", 3)
    runner.wait(lambda: len(out.got) == 4)
    assert out.got == [[1, 1, False], ["once", 2, True], [2, 1, False], [3, 1, False]]
    (letter,) = runner.ok(api.DeadLetters, flow_id="f")
    assert letter["message"] == "never"


@pytest.mark.parametrize("runtime", ["python3", "node"])
def test_a_message_that_kills_its_host_is_dead_after_three_deaths_alone(runner: Harness, runtime: str) -> None:
    """Its neighbours, also those of another module of the host, keep their order and are never blamed."""
    if runtime == "python3":
        poison = py("import os\ndef run(m, c):\n    if m == 'kill':\n        os.kill(os.getpid(), 9)\n    return m\n")
        other = py(ECHO)
    else:
        poison = js("m => { if (m === 'kill') process.kill(process.pid, 'SIGKILL'); return m }")
        other = js("m => m")
    runner.add("f", {"a": poison, "b": other})
    out, others = runner.collect("f", "a"), runner.collect("f", "b")
    runner.start("f")
    for i in range(20):
        runner.send("f/a", i if i != 10 else "kill")
        runner.send("f/b", i)
    runner.wait(lambda: len(out.got) == 19 and len(others.got) == 20)
    assert out.got == [i for i in range(20) if i != 10]
    assert others.got == list(range(20))
    (letter,) = runner.ok(api.DeadLetters, flow_id="f")
    assert letter["message"] == "kill"
    assert letter["error"]["type"] == "HostDied"


def test_a_turn_over_its_time_kills_the_host_and_counts_against_the_message(runner: Harness) -> None:
    code = "import time\ndef run(m, c):\n    if m == 'slow':\n        time.sleep(60)\n    return m\n"
    runner.add("f", {"a": py(code, timeout_s=0.2)})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", 1, "slow", 2)
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [1, 2]
    (letter,) = runner.ok(api.DeadLetters, flow_id="f")
    assert letter["message"] == "slow"
    assert "timeout_s" in letter["error"]["message"]


def test_kill_of_an_idle_host_changes_nothing(runner: Harness) -> None:
    runner.add("f", {"a": py(COUNT)})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", "x")
    runner.wait(lambda: out.got)
    bridge = runner.bridge("f", "python3")
    os.kill(bridge.host.pid, signal.SIGKILL)
    runner.wait(lambda: bridge.starts == 2 and bridge.life.name == "OPEN")
    runner.send("f/a", "y")
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [["x", 1], ["y", 2]]


def test_fused_modules_are_fused_again_after_a_death(runner: Harness) -> None:
    runner.add("f", {"a": py(COUNT), "b": py(ECHO), "c": py(COUNT)}, ["a -> b", "b -> c"])
    out = runner.collect("f", "c")
    runner.start("f")
    bridge = runner.bridge("f", "python3")
    fusable = bridge.fusing.fusable_wires
    assert bridge.fusing.fused == fusable and len(fusable) == 2
    for round_ in range(3):
        runner.send("f/a", *range(30))
        starts = bridge.starts
        os.kill(bridge.host.pid, signal.SIGKILL)
        runner.wait(lambda starts=starts: bridge.starts > starts and bridge.life.name == "OPEN")
        runner.wait(lambda: bridge.fusing.fused == fusable)
        runner.wait(lambda round_=round_: len(out.got) == 30 * (round_ + 1))
    assert [item[1] for item in out.got] == list(range(1, 91))
    assert [item[0][1] for item in out.got] == list(range(1, 91))
    figures = runner.state("f")["modules"]
    assert {figures[name]["completed"] for name in "abc"} == {90}


def test_back_pressure_reaches_the_source(runner: Harness) -> None:
    """A sink that takes nothing stops a fast source after a bounded number of messages; nothing is lost."""
    source = "def start(c):\n    for i in range(c.get('i', 0), 200_000):\n        c.set('i', i + 1)\n        yield i\n"
    runner.add("f", {"s": py(source), "n": js("m => m"), "p": py(ECHO, isolated=True)}, ["s -> n", "n -> p"])
    out = runner.collect("f", "p")
    out.hold(True)
    runner.start("f")
    source = runner.module("f", "s")
    runner.wait(lambda: "target" in source.state.recall.stops and not source.state.credit)
    figures = runner.state("f")["modules"]
    queued = sum(module["queued"] for module in figures.values())
    assert not out.got
    assert queued < 3 * (mailbox.MAILBOX_HIGH_MESSAGES + 30_000)
    assert source.state.sent < 200_000
    out.hold(False)
    runner.wait_idle("f")
    assert out.got == list(range(200_000))


def test_a_cycle_that_grows_stops_the_flow_and_names_the_wire(runner: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "FEEDBACK_CAP_MESSAGES", 20_000)
    runner.add("f", {"a": py(ECHO), "b": js("function*(m) { yield m; yield m }")}, ["a -> b", "b -> a"])
    runner.start("f")
    runner.send("f/a", 1)
    record = runner.record("f")
    runner.wait(lambda: record.state == "failed")
    assert "b.out->a.in" in record.failed_for[0]


def test_a_cycle_that_does_not_grow_just_runs(runner: Harness) -> None:
    code = "def run(m, c):\n    c.send('done' if m >= 100 else 'again', m + 1)\n"
    runner.add("f", {"a": py(code), "b": js("m => m")}, ["a.again -> b", "b -> a"])
    out = runner.collect("f", "a.done")
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: out.got)
    assert out.got == [101]


def test_a_lossy_wire_drops_and_counts(runner: Harness) -> None:
    source = "def start(c):\n    for i in range(60_000):\n        yield i\n"
    runner.add("f", {"s": py(source), "n": js("m => m")}, [{"from": "s.out", "to": "n.in", "delivery": "lossy"}])
    out = runner.collect("f", "n")
    out.hold(True)
    runner.start("f")
    runner.wait(lambda: runner.module("f", "s").state.sent == 60_000)
    out.hold(False)
    runner.wait_idle("f")
    dropped = runner.state("f")["modules"]["n"]["dropped"]
    assert dropped > 0
    assert len(out.got) == 60_000 - dropped
    assert out.got == sorted(out.got)


def test_stop_and_start_go_on_where_they_were(runner: Harness) -> None:
    runner.add("f", {"a": py(COUNT)})
    out = runner.collect("f", "a")
    runner.send("f/a", "early")
    runner.start("f")
    runner.wait(lambda: out.got)
    runner.ok(api.StopFlow, flow_id="f")
    runner.ok(api.StopFlow, flow_id="f")
    runner.send("f/a", "late")
    runner.start("f")
    runner.wait(lambda: len(out.got) == 2)
    assert out.got == [["early", 1], ["late", 2]]


def test_an_update_keeps_mailboxes_and_contexts(runner: Harness) -> None:
    runner.add("f", {"a": py(COUNT), "b": py(ECHO)}, ["a -> b"])
    out = runner.collect("f", "b")
    runner.start("f")
    runner.send("f/a", 1, 2)
    runner.wait(lambda: len(out.got) == 2)
    js_count = "(m, c) => { c.set('n', c.get('n', 0) + 1); return ['js', m, c.get('n')] }"
    runner.add("f", {"a": js(js_count), "b": py(ECHO)}, ["a -> b"])
    runner.send("f/a", 3)
    runner.wait(lambda: len(out.got) == 3)
    assert out.got == [[1, 1], [2, 2], ["js", 3, 3]]
    reply = runner.call(api.AddOrUpdateFlow, flow={"id": "f", "modules": {"a": py("def run(:\n")}, "wires": []})
    assert not reply.ok
    assert "SyntaxError" in reply.error
    runner.send("f/a", 4)
    runner.wait(lambda: len(out.got) == 4)
    assert out.got[3] == ["js", 4, 4]


def test_a_full_mailbox_refuses_api_messages(runner: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "MAILBOX_HIGH_MESSAGES", 5)
    runner.add("f", {"a": py(ECHO)})
    runner.send("f/a", *range(6))
    reply = runner.call(api.SendMessage, flow_module_id="f/a", message=6)
    assert not reply.ok
    assert "full" in reply.error


@pytest.mark.parametrize("runtime", ["python3", "node"])
def test_ids_of_a_source_go_on_after_a_death(runner: Harness, runtime: str) -> None:
    """Each message a source makes has an id of its own, also when its host has died in between."""
    if runtime == "python3":
        source = py(
            "import time\ndef start(c):\n    while c.get('i', 0) < 300:\n        c.set('i', c.get('i', 0) + 1)\n"
            "        time.sleep(0.002)\n        yield c.get('i')\n"
        )
        stage = py("def run(m, c):\n    return [m, c.message_id]\n")
    else:
        source = js(
            "exports.start = async function* (c) { while (c.get('i', 0) < 300) { c.set('i', c.get('i', 0) + 1);"
            " await new Promise(r => setTimeout(r, 2)); yield c.get('i') } }",
            name="s.js",
        )
        stage = js("(m, c) => [m, c.messageId]")
    runner.add("f", {"s": source, "t": stage}, ["s -> t"])
    out = runner.collect("f", "t")
    runner.start("f")
    bridge = runner.bridge("f", runtime)
    for share in (60, 150):
        runner.wait(lambda share=share: len(out.got) > share)
        bridge.host.kill()
    runner.wait_idle("f")
    assert [item[0] for item in out.got] == list(range(1, 301))
    assert len({item[1] for item in out.got}) == 300


def test_a_full_store_of_dead_letters_stops_the_flow(runner: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.flow.letters.MAX_DEAD_LETTERS", 3)
    runner.add("f", {"a": py("def run(m, c):\n    raise ValueError(m)\n")})
    runner.start("f")
    runner.send("f/a", 1, 2, 3)
    record = runner.record("f")
    runner.wait(lambda: record.state == "failed")
    assert "3 dead letters" in record.failed_for[0]
    assert [letter["message"] for letter in runner.ok(api.DeadLetters, flow_id="f")] == [1, 2, 3]


def test_a_wire_with_queued_messages_is_not_fused_at_a_restart(runner: Harness) -> None:
    """Or what goes through inside the host would overtake what waits in the mailbox."""
    slow = "import time\ndef run(m, c):\n    time.sleep(0.02)\n    return m\n"
    runner.add("f", {"a": py(slow), "b": py(ECHO)}, ["a -> b"])
    out = runner.collect("f", "b")
    runner.start("f")
    bridge, target = runner.bridge("f", "python3"), runner.module("f", "b")
    target.state.recall.stops.add("test")  # b takes nothing
    runner.send("f/a", *range(5))
    bridge.host.kill()
    runner.wait(lambda: target.state.mailbox.queued == 5)  # probation is over, b's wire cannot run dry
    starts = bridge.starts
    bridge.host.kill()
    runner.wait(lambda: bridge.starts > starts and bridge.life.name == "OPEN")
    runner.send("f/a", *range(5, 10))
    actor = runner.actor(runner.record("f").modules["b"])
    actor.receiveMsg_GoOn(GoOn(reason="test"), actor.address)
    runner.wait(lambda: len(out.got) == 10)
    assert out.got == list(range(10))
    runner.wait(lambda: bridge.fusing.fused == bridge.fusing.fusable_wires)


def test_a_dead_letter_that_cannot_be_replayed_stays(runner: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    runner.add("f", {"a": py("def run(m, c):\n    raise ValueError(m)\n")})
    runner.start("f")
    runner.send("f/a", "bad")
    (letter,) = runner.wait(lambda: runner.ok(api.DeadLetters, flow_id="f"))
    runner.ok(api.StopFlow, flow_id="f")
    monkeypatch.setattr(mailbox, "MAILBOX_HIGH_MESSAGES", 2)
    runner.send("f/a", *range(3))
    reply = runner.call(api.ReplayDeadLetter, id=letter["id"])
    assert not reply.ok
    assert "full" in reply.error
    assert [kept["id"] for kept in runner.ok(api.DeadLetters, flow_id="f")] == [letter["id"]]


def test_requests_that_come_while_a_flow_is_removed(runner: Harness) -> None:
    """They are looked at when it is gone: what needs it is refused, adding it adds it anew."""
    modules = {"a": {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}}
    runner.add("f", modules)
    runner.start("f")
    removal = runner.post(api.RemoveFlow, flow_id="f")
    again = runner.post(api.RemoveFlow, flow_id="f")
    start = runner.post(api.StartFlow, flow_id="f")
    message = runner.post(api.SendMessage, flow_module_id="f/a", port="in", message=1)
    added = runner.post(api.AddOrUpdateFlow, flow={"id": "f", "modules": modules, "wires": []})
    state = runner.post(api.FlowState, flow_id="f")
    assert runner.reply(removal).ok
    assert "no flow 'f'" in str(runner.reply(again).error)
    assert "no flow 'f'" in str(runner.reply(start).error)
    assert not runner.reply(message).ok
    assert runner.reply(added).ok
    assert runner.reply(state).value["state"] == "stopped"
