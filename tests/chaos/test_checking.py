"""What is told of a run that did something else than a calm one. Nothing runs."""

from __future__ import annotations

from typing import Any

import pytest

from actors.chaos.checking import Verdict, verdict
from actors.chaos.copying import Copy
from actors.chaos.trying import Outcome

IDS = [f"p0#{number}" for number in range(6)]


def outcome(ids: list[str] | None = None, **fields: Any) -> Outcome:
    seen = [(id, f"digest of {id}", id) for id in (IDS if ids is None else ids)]
    row = {"accepted": 6, "completed": 6, "queued": 0, "dropped": 0, "deadLettered": 0}
    return Outcome(
        **{"sent": list(IDS), "ports": {"a.out": seen}, "contexts": {"a": {"n": 6}}, "accounts": {"a": row}, **fields}
    )


def judge(
    got: Outcome, lost: dict[str, int] | None = None, second: Outcome | None = None, one_way: bool = True
) -> Verdict:
    copy = Copy({}, {"p0": "a.in"}, {"collect0": "a.out"}, {"poison_python3": "poison"}, ("a",))
    return verdict(copy, frozenset({"a"} if one_way else ()), (outcome(), second or outcome()), got, lost)


def test_the_same_is_right() -> None:
    found = judge(outcome())
    assert (found.problems, found.loose, found.compared) == ({}, [], 6)


@pytest.mark.parametrize(
    ("ids", "kind"),
    [(IDS[:5], "lost"), ([*IDS, IDS[2]], "repeated"), ([*IDS[:2], IDS[3], IDS[2], *IDS[4:]], "reordered")],
)
def test_what_is_wrong_has_a_name(ids: list[str], kind: str) -> None:
    assert set(judge(outcome(ids)).problems) == {kind}


def test_order_is_that_in_which_messages_were_taken() -> None:
    """One that was refused, and sent again, came later."""
    later = [*IDS[:2], *IDS[3:], IDS[2]]
    assert judge(outcome(later, sent=later)).problems == {}


def test_over_two_ways_there_is_no_order() -> None:
    assert judge(outcome(list(reversed(IDS))), one_way=False).problems == {}


def test_another_value_and_another_context_are_errors() -> None:
    got = outcome()
    got.ports["a.out"][3] = ("p0#3", "another", "x")
    got.contexts["a"] = {"n": 5}
    assert [len(texts) for texts in judge(got).problems.values()] == [2]
    assert set(judge(got).problems) == {"context errors"}


def test_what_differs_by_itself_is_looked_at_loosely() -> None:
    other = outcome(contexts={"a": {"n": "now"}})
    other.ports["a.out"][0] = ("p0#0", "the time", "x")
    got = outcome(contexts={"a": {"n": "then"}})
    got.ports["a.out"][0] = ("p0#0", "another time", "x")
    found = judge(got, second=other)
    assert found.problems == {}
    assert len(found.loose) == 2
    assert set(judge(outcome(IDS[1:]), second=other).problems) == {"lost"}


def test_a_message_that_may_have_been_taken_may_be_there_or_not() -> None:
    for ids in (IDS[:5], IDS):
        assert judge(outcome(ids, sent=IDS[:5], maybe={IDS[5]})).problems == {}


def test_without_a_journal_a_death_may_cost_what_was_counted() -> None:
    got = outcome(IDS[:4])
    assert judge(got, lost={"feed.p0->a.in": 2}).excused
    assert judge(got, lost={"feed.p0->a.in": 2}).problems == {}
    assert set(judge(got, lost={"feed.p0->a.in": 1}).problems) == {"lost"}
    assert set(judge(got, lost={}).problems) == {"lost"}
    assert set(judge(outcome([*IDS, IDS[1]]), lost={"feed.p0->a.in": 9}).problems) == {"repeated"}


@pytest.mark.parametrize(
    ("dead", "wrong"), [({"poison": 2}, False), ({"poison": 1}, True), ({"poison": 2, "a": 1}, True)]
)
def test_each_poison_becomes_one_dead_letter_and_nothing_else(dead: dict[str, int], wrong: bool) -> None:
    assert bool(judge(outcome(dead=dead, poisons=2)).problems) is wrong


def test_accounts_and_standstill_are_told() -> None:
    got = outcome(problems=["nothing has moved for 20 s", "the accounts of a do not balance"])
    assert set(judge(got).problems) == {"stuck", "accounts"}
