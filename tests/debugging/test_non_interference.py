"""Debugging and updating change no result: random flows, random schedules, real hosts (DESIGN section 6).

`EXAMPLES=500 pytest ...` runs more. What fails is printed whole, with the line that runs it again; much depends on
timing, so an example that failed may pass, and hypothesis does not shrink.
"""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import count
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from actors.messages import client_to_runner as api
from tests.debugging import model
from tests.debugging.random_flows import talks
from tests.debugging.schedule import Schedule, ops
from tests.harness import Harness, need

IDS = count()


def examples(number: int) -> Any:
    """Settings for so many examples."""
    return settings(
        max_examples=int(os.environ.get("EXAMPLES", number)), deadline=None, database=None, print_blob=True,
        phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def example(runner: Harness, data: st.DataObject) -> None:
    talk = data.draw(talks(), "flow")
    drawn = data.draw(ops(talk), "schedule")
    run = Schedule(runner, f"f{next(IDS)}", talk)
    runner.ok(api.AddOrUpdateFlow, flow=run.flow())
    outs = {place: runner.collect(run.id, place) for place in data.draw(st.sets(places(talk), max_size=2), "outs")}
    runner.start(run.id)
    for op in drawn:
        run.do(op)
    run.finish()
    note(f"refused: {run.refused}")
    contexts = {name: decoded(runner.module(run.id, name).state.context) for name in talk.modules}
    dead: dict[str, list[model.Message]] = defaultdict(list)
    for letter in runner.ok(api.DeadLetters, flow_id=run.id):
        dead[letter["flowModuleId"].partition("/")[2]].append(letter["message"])
    sent = {**model.replay(talk, contexts), **run.sent}
    model.check_wires(talk, sent, contexts, dead)
    for place, out in outs.items():
        assert out.got == sent.get(place, []), place
        assert out.numbers == list(range(len(out.got))), place
    if talk.is_tree:
        undebugged = model.undebugged(talk, run.sent)
        assert {name: model.without_versions(context) for name, context in contexts.items()} == undebugged
    runner.audit()
    assert runner.record(run.id).gauge.pending == 0
    runner.ok(api.RemoveFlow, flow_id=run.id)


def places(talk: Any) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{name}.{'out' if t.length else 'a'}" for name, t in talk.modules.items()])


def decoded(context: dict[bytes, bytes]) -> dict[str, Any]:
    return {key.decode(): orjson.loads(value) for key, value in context.items()}


@examples(20)
@given(data=st.data())
def test_debugging_changes_nothing(runner: Harness, data: st.DataObject) -> None:
    need("node")
    example(runner, data)


@pytest.mark.full
@pytest.mark.timeout(1200)
@examples(200)
@given(data=st.data())
def test_debugging_changes_nothing_at_length(runner: Harness, data: st.DataObject) -> None:
    need("node")
    example(runner, data)
