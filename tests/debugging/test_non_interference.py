"""Debugging and updating change no result: random flows, random schedules, real hosts (DESIGN section 6).

`EXAMPLES=500 pytest ...` runs more. What fails is printed whole, with the decorator that makes `one` run it again;
much depends on timing, so an example that failed may pass.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from actors.messages import client_to_runner as api
from tests.debugging import model
from tests.debugging.examples import IDS, contexts_of, dead_letters_of, examples
from tests.debugging.random_flows import Talk, talks
from tests.debugging.schedule import Schedule, ops
from tests.harness import Harness, need

ROUNDS = 4


def example(runner: Harness, data: st.DataObject, happened: Counter[str]) -> None:
    talk = data.draw(talks(), "flow")
    drawn = data.draw(ops(talk), "schedule")
    run = Schedule(runner, f"f{next(IDS)}", talk, happened)
    runner.ok(api.AddOrUpdateFlow, flow=run.flow())
    outs = {place: runner.collect(run.id, place) for place in data.draw(st.sets(places(talk), max_size=2), "outs")}
    runner.start(run.id)
    for op in drawn:
        run.do(op)
    run.finish()
    note(f"refused: {run.refused}")
    contexts, dead = contexts_of(runner, run.id, talk), dead_letters_of(runner, run.id)
    sent = {**model.replay(talk, contexts), **run.sent}
    model.check_wires(talk, sent, contexts, dead)
    for place, out in outs.items():
        assert out.got == sent.get(place, []), place
        assert out.numbers == list(range(len(out.got))), place
    happened["fused"] += any(runner.actor(bridge).fusing.fused for bridge in runner.record(run.id).bridges.values())
    happened["tree"] += talk.is_tree
    if talk.is_tree:
        undebugged = model.undebugged(talk, run.sent)
        assert {name: model.without_versions(context) for name, context in contexts.items()} == undebugged
    runner.audit()
    assert runner.record(run.id).activity.pending == 0
    runner.ok(api.RemoveFlow, flow_id=run.id)


def places(talk: Talk) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{name}.{'out' if t.length else 'a'}" for name, t in talk.modules.items()])


def many(runner: Harness, number: int) -> None:
    """So many examples; in all of them together, everything that is to be no interference has to have happened.

    Chance may leave something out: then there are more.
    """
    need("node")
    happened: Counter[str] = Counter()

    @examples(number)
    @given(data=st.data())
    def one(data: st.DataObject) -> None:
        example(runner, data, happened)

    missing = wanted = ["break", "hit", "pause", "resume", "step", "release", "update", "kill", "fused", "tree"]
    for _ in range(ROUNDS):
        one()
        if not (missing := [what for what in wanted if not happened[what]]):
            break
    print(dict(happened))
    assert not missing, missing


def test_debugging_changes_nothing(runner: Harness) -> None:
    many(runner, 50)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_debugging_changes_nothing_at_length(runner: Harness) -> None:
    many(runner, 600)
