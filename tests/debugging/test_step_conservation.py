"""Single steps conserve messages: pendingAfter = pendingBefore - taken + produced, and between two nothing moves."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from actors.messages import client_to_runner as api
from tests.debugging import model
from tests.debugging.examples import IDS, contexts_of, dead_letters_of, examples
from tests.debugging.random_flows import MAX_HOPS, Talk, talks
from tests.debugging.schedule import WHENS
from tests.harness import Harness, need

MAX_WAVES = 1500
Waiting = dict[str, dict[str, list[Any]]]  # module -> wire -> messages, the oldest first


def waiting(runner: Harness, flow_id: str, talk: Talk) -> Waiting:
    """Everything that waits anywhere."""
    found: Waiting = {name: defaultdict(list) for name in talk.modules}
    for name, address in runner.record(flow_id).modules.items():
        state = runner.actor(address).record.state
        assert not state.mailbox.window, f"{name}: something is at its host between two steps"
        for segment in state.mailbox.waiting():
            messages = [orjson.loads(segment.message(index)[0]) for index in range(segment.count)]
            found[name][segment.wire] += messages
    return found


def stepped(before: Waiting, wave: dict[str, Any], talk: Talk, tried: set[str]) -> Waiting:
    """What has to wait after a wave. `tried`: modules whose oldest message has failed before."""
    after: Waiting = {name: defaultdict(list, {w: list(m) for w, m in wires.items()}) for name, wires in before.items()}
    for name, talker in talk.modules.items():
        taken = wave.get(name)
        if taken is None:
            assert not any(before[name].values()), f"{name} has messages and did not run"
            continue
        assert len(taken["inputStates"]) <= 1
        for state in taken["inputStates"]:
            wire, _, _ = state["messageId"].rpartition("#")
            assert before[name][wire][0] == state["message"], "not the oldest one of its wire"
            assert state["pending"] == sum(map(len, before[name].values()))
            failed = {error["type"] for error in taken["errors"]}
            stays = "HostDied" in failed or (failed and talker.retry and name not in tried)
            if not stays:
                after[name][wire].pop(0)
        if not taken["inputStates"]:
            assert talker.length, f"{name} ran, but took nothing"
    for module, port, to in talk.wires:
        outputs = wave.get(module, {"outputStates": []})["outputStates"]
        after[to][f"{module}.{port}->{to}.in"] += [o["message"] for o in outputs if o["port"] == port]
    return after


def without_empty(found: Waiting) -> Waiting:
    return {name: {wire: messages for wire, messages in wires.items() if messages} for name, wires in found.items()}


def step_through(runner: Harness, data: st.DataObject) -> None:
    talk = data.draw(talks(), "flow")
    talk = replace(talk, modules={n: replace(t, length=min(t.length, 8)) for n, t in talk.modules.items()})
    flow_id = f"s{next(IDS)}"
    runner.ok(api.AddOrUpdateFlow, flow=talk.flow(flow_id))
    runner.start(flow_id)
    handlers = st.sampled_from(talk.handlers) if talk.handlers else st.nothing()
    for name in data.draw(st.sets(handlers, max_size=2), "breakpoints"):
        when = data.draw(st.sampled_from(WHENS))
        runner.ok(api.SetBreakPointAtModule, flow_module_id=f"{flow_id}/{name}", when=when)
    runner.ok(api.PauseFlow, flow_id=flow_id)
    sent: model.Sent = defaultdict(list)
    inputs = st.tuples(st.sampled_from(talk.inputs), st.integers(0, 999), st.integers(0, MAX_HOPS))
    for name, v, hops in data.draw(st.lists(inputs, min_size=1, max_size=6), "inputs") if talk.inputs else ():
        key = f"api:{name}"
        sent[key].append({"from": key, "k": len(sent[key]), "v": v, "hops": hops})
        runner.send(f"{flow_id}/{name}", sent[key][-1])
    kills = data.draw(st.sets(st.integers(0, 20), max_size=2), "kills before these waves")
    updates = data.draw(st.sets(st.integers(0, 20), max_size=2), "updates before these waves")
    for number in range(MAX_WAVES):
        before = waiting(runner, flow_id, talk)
        if number in kills:
            pids = [host["pid"] for host in runner.state(flow_id)["hosts"].values() if host["pid"]]
            os.kill(pids[number % len(pids)], signal.SIGKILL)
        if number in updates:
            name = sorted(talk.modules)[number % len(talk.modules)]
            talk = replace(talk, modules={**talk.modules, name: talk.modules[name].updated(number % 3 == 0)})
            runner.ok(api.AddOrUpdateFlow, flow=talk.flow(flow_id))
            assert waiting(runner, flow_id, talk) == before, "an update has moved something"
        tried = {name for name in talk.modules if runner.module(flow_id, name).state.blame.attempts}
        wave = runner.ok(api.SingleStepFlow, flow_id=flow_id)
        wave = {name.partition("/")[2]: result for name, result in wave.items()}
        note(f"wave {number}: {wave}")
        wanted = without_empty(stepped(before, wave, talk, tried))
        assert without_empty(waiting(runner, flow_id, talk)) == wanted, f"after wave {number}"
        contexts = contexts_of(runner, flow_id, talk)
        for name, result in wave.items():
            assert model.gathered(result["context"]) == contexts[name]
        if number < 10:
            runner.turn_for(0.015)  # longer than the backoff of a retry
            assert without_empty(waiting(runner, flow_id, talk)) == wanted, f"something moved after wave {number}"
            assert contexts_of(runner, flow_id, talk) == contexts
        if not wave:
            break
    else:
        pytest.fail(f"not at its end after {MAX_WAVES} waves")
    contexts = contexts_of(runner, flow_id, talk)
    sent = {**model.replay(talk, contexts), **sent}
    model.check_wires(talk, sent, contexts, dead_letters_of(runner, flow_id))
    runner.audit()
    runner.ok(api.ResumeFlow, flow_id=flow_id)
    runner.wait_idle(flow_id)
    runner.ok(api.RemoveFlow, flow_id=flow_id)


@examples(25)
@given(data=st.data())
def test_a_wave_takes_and_adds_what_it_says(runner: Harness, data: st.DataObject) -> None:
    need("node")
    step_through(runner, data)


@pytest.mark.full
@pytest.mark.timeout(1200)
@examples(250)
@given(data=st.data())
def test_a_wave_takes_and_adds_what_it_says_at_length(runner: Harness, data: st.DataObject) -> None:
    need("node")
    step_through(runner, data)
