"""What a test expects: values as they are, and matchers, which must say so."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.console.flow_test import place_problems
from actors.definition.matchers import has_matcher, matcher_problems, matches, port_problems
from actors.definition.model import FlowError
from actors.definition.validation import check_flow
from runtimes.conformance.values import equal

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "$any"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


@given(VALUES, VALUES)
def test_without_a_matcher_it_is_equality(expected: Any, value: Any) -> None:
    assert not has_matcher(expected)
    assert matches(expected, value) == equal(expected, value) == matches({"$exactly": expected}, value)
    assert matches(expected, expected)


@pytest.mark.parametrize(
    ("expected", "right", "wrong"),
    [
        ({"$partial": {"a": 1, "b": {"c": 2}}}, {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}, {"a": 1, "b": {}}),
        ({"$partial": {"a": [{"b": 1}]}}, {"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}, {"b": 1}]}),
        ({"a": {"$pattern": "^x\\d"}}, {"a": "x1y"}, {"a": "yx1"}),
        ({"a": {"$pattern": "1"}}, {"a": "1"}, {"a": 1}),
        ([{"$near": [1.5, 0.1]}], [1.41], [1.39]),
        ({"$near": 0.3}, 0.1 + 0.2, 0.3001),
        ({"$near": 1}, 1, True),
        ({"$type": "number"}, 1.5, True),
        ({"$type": "null"}, None, 0),
        ({"a": {"$any": True}}, {"a": [None]}, {}),
        ({"$one_of": [1, {"$pattern": "a"}]}, "ba", 2),
        ({"$exactly": {"$pattern": "a"}}, {"$pattern": "a"}, "a"),
        ({"$partial": {"a": {"$exactly": {"b": 1}}}}, {"a": {"b": 1}, "c": 0}, {"a": {"b": 1, "c": 0}}),
        ({"$ref": "#/x"}, {"$ref": "#/x"}, {"$ref": "#/y"}),
        ({"$any": True, "b": 1}, {"$any": True, "b": 1}, {"b": 1}),
    ],
)
def test_what_each_takes_and_does_not(expected: Any, right: Any, wrong: Any) -> None:
    assert matches(expected, right) and not matches(expected, wrong)
    assert not list(matcher_problems(expected, ()))


@given(st.lists(st.integers(0, 3), max_size=5), st.lists(st.integers(0, 3), max_size=5), st.randoms())
def test_in_any_order_is_a_comparison_of_bags(wanted: list[int], got: list[int], chance: random.Random) -> None:
    chance.shuffle(got)
    mixed = [{"$one_of": [one]} if chance.random() < 0.5 else one for one in wanted]
    assert (place_problems("a.out", {"$unordered": mixed}, got) == []) == (sorted(wanted) == sorted(got))


def test_the_pairs_are_found_however_greedy_the_first_is() -> None:
    assert place_problems("a.out", {"$unordered": [{"$any": True}, 1]}, [1, 2]) == []
    assert place_problems("a.out", {"$contains": [1, 3]}, [0, 1, 2, 3]) == []
    assert place_problems("a.out", {"$contains": [3, 1]}, [0, 1, 2, 3]) == [
        "a.out: 1 is not among the messages, in this order: [0, 1, 2, 3]"
    ]
    assert place_problems("a.out", {"$count": 2}, [0]) == ["a.out: 1 message, expected 2"]


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        ([{"$partal": {}}], "there is no matcher '$partal'; did you mean '$partial'?"),
        ([{"a": {"$pattern": "("}}], "$pattern takes a regular expression"),
        ([{"$near": "1"}], "$near takes a number, or [number, how far"),
        ([{"$type": "int"}], "$type takes one of null, boolean"),
        ({"$cont": [1]}, "a list of messages is wanted, or an object with one of $unordered"),
        ({"$count": True}, "$count takes a whole number"),
        ({"$unordered": [{"$any": 1}]}, "$any takes true"),
    ],
)
def test_a_matcher_that_is_none(expected: Any, says: str) -> None:
    assert says in "".join(text for _, text in port_problems(expected, ()))


def test_their_place_in_a_flow() -> None:
    modules = {"a": {"runtime": "python3", "code": "run = print"}}
    test = {"name": "t", "send": {}, "expect": {"a": [1, {"$pattern": 1}]}, "dead": {"b": [], "a": [{"typ": "E"}]}}
    with pytest.raises(FlowError) as refused:
        check_flow({"id": "f", "modules": modules, "tests": [test]})
    assert any("`tests[0].dead.a[0].typ` is not a known field" in problem for problem in refused.value.problems)
    test["dead"]["a"] = []
    with pytest.raises(FlowError) as refused:
        check_flow({"id": "f", "modules": modules, "tests": [test]})
    first, second = refused.value.problems
    assert first.startswith("`tests[0].dead.b`: there is no module 'b'")
    assert second.startswith("`tests[0].expect.a[1].$pattern`: $pattern takes")
