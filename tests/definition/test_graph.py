"""Cycles, order and hosts of flows, against slow and obvious definitions."""

# ruff: noqa: E501 (tables)

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.definition.deliveries import LOSSY
from actors.definition.graph import (
    feedback_wires,
    fusable_wires,
    host_groups,
    module_hash,
    runner_order,
    without_modules,
)
from actors.definition.model import Flow, FlowTest, Module, Retry, Wire
from actors.definition.share import Share
from actors.definition.validation import check_flow


def module(id: str, **fields: object) -> Module:
    return Module(**{"id": id, "runtime": "python3", "name": id, "code": "'other'", **fields})


def flow(*wires: str, modules: tuple[Module, ...] = ()) -> Flow:
    """A flow of wires like "a b"; modules that are not given are plain."""
    pairs = [wire.split() for wire in wires]
    known = {id: module(id) for pair in pairs for id in pair} | {each.id: each for each in modules}
    return Flow(
        id="f",
        modules=known,
        wires=tuple(Wire(from_module=source, to_module=target) for source, target in pairs),
    )


def short(ids: frozenset[str]) -> set[str]:
    return {id.replace(".out->", " ").replace(".in", "") for id in ids}


def reaches(wires: list[Wire], start: str, end: str) -> bool:
    seen, waiting = set(), [start]
    while waiting:
        at = waiting.pop()
        if at == end:
            return True
        if at not in seen:
            seen.add(at)
            waiting += [wire.to_module for wire in wires if wire.from_module == at]
    return False


def slow_feedback(graph: Flow) -> frozenset[str]:
    """The definition, word for word."""
    taken: list[Wire] = []
    feedback = set()
    for wire in graph.wires:
        if reaches(taken, wire.to_module, wire.from_module):
            feedback.add(wire.id)
        else:
            taken.append(wire)
    return frozenset(feedback)


IDS = st.sampled_from("abcdefgh")
PORTS = st.sampled_from(["in", "other"])
WIRES = st.lists(
    st.builds(Wire, from_module=IDS, to_module=IDS, to_port=PORTS), max_size=24, unique_by=lambda wire: wire.id
)
GRAPHS = st.builds(
    lambda ids, wires: Flow(id="f", modules={id: module(id) for id in ids}, wires=tuple(wires)),
    st.permutations("abcdefgh"),
    WIRES,
)


@pytest.mark.parametrize(
    ("wires", "feedback"),
    [
        (["a b", "b c"], set()),
        (["a b", "b a"], {"b a"}),
        (["b a", "a b"], {"a b"}),
        (["a a"], {"a a"}),
        (["a b", "b c", "c a", "c d", "d b"], {"c a", "d b"}),
        (["c a", "a b", "b c"], {"b c"}),
        (["a b", "a c", "b d", "c d"], set()),
    ],
)
def test_feedback_is_what_closes_a_cycle_in_file_order(wires, feedback):
    assert short(feedback_wires(flow(*wires))) == feedback


@given(GRAPHS)
def test_feedback_is_as_defined_and_without_it_no_cycle_is_left(graph):
    feedback = feedback_wires(graph)
    assert feedback == slow_feedback(graph)
    rest = replace(graph, wires=tuple(wire for wire in graph.wires if wire.id not in feedback))
    assert feedback_wires(rest) == frozenset()


@given(GRAPHS)
def test_the_order_puts_sources_first(graph):
    order = runner_order(graph)
    assert sorted(order) == sorted(graph.modules)
    feedback = feedback_wires(graph)
    for wire in graph.wires:
        if wire.id not in feedback:
            assert order.index(wire.from_module) < order.index(wire.to_module)


def test_the_order_is_that_of_the_file_where_it_can_be():
    assert runner_order(flow("c a", "b a", modules=(module("z"),))) == ("c", "b", "a", "z")


@pytest.mark.parametrize("backwards", [False, True])
def test_long_chains_and_rings_need_few_steps(backwards, monkeypatch):
    from actors.definition import graph as module_under_test

    visited = 0
    reached = module_under_test._OnlineOrder._reached

    def counting(self, *arguments):
        nonlocal visited
        found = reached(self, *arguments)
        visited += len(found)
        return found

    monkeypatch.setattr(module_under_test._OnlineOrder, "_reached", counting)
    wires = [f"m{n} m{n + 1}" for n in range(1000)]
    ring = flow(*(reversed(wires) if backwards else wires), "m1000 m0")
    assert short(feedback_wires(ring)) == {"m1000 m0"}
    assert visited < 5_000


@given(GRAPHS)
def test_a_flow_survives_being_written_and_checked(graph):
    document = {
        "id": graph.id,
        "modules": {id: {"runtime": "python3", "code": "'other'"} for id in graph.modules},
        "wires": [wire.id if index % 2 else {"from": f"{wire.from_module}.{wire.from_port}",
                                            "to": f"{wire.to_module}.{wire.to_port}"}
                  for index, wire in enumerate(graph.wires)],
    }  # fmt: skip
    assert check_flow(document) == replace(graph, document=document)


def test_modules_share_a_host_if_they_may_share_a_process():
    modules = (
        module("a"),
        module("b"),
        module("js", runtime="node"),
        module("alone", isolated=True),
        module("timed", timeout_s=1.0, env={"A": "1"}),
        module("e1", env={"A": "1", "B": "2"}),
        module("e2", env={"B": "2", "A": "1"}),
        module("small", limits={"memory_mb": 9}),
        module("far", runner="far"),
        module("numpy", dependencies=("numpy", "x")),
        module("numpy2", dependencies=("x", "numpy")),
    )
    groups = host_groups(Share.whole(flow(modules=modules)))
    assert list(groups.values()) == [
        ("a", "b"),
        ("js",),
        ("alone",),
        ("timed",),
        ("e1", "e2"),
        ("small",),
        ("far",),
        ("numpy", "numpy2"),
    ]
    assert list(groups)[:4] == ["python3", "node", "python3:alone", "python3:timed"]
    assert all(key.startswith("python3#") for key in list(groups)[4:])


@pytest.mark.parametrize(
    ("source", "target", "wire", "fusable"),
    [
        ({}, {}, {}, True),
        ({}, {}, {"from_port": "x", "to_port": "y"}, True),
        ({}, {"runtime": "node"}, {}, False),
        ({}, {"isolated": True}, {}, False),
        ({}, {"retry": Retry(times=1)}, {}, False),
        ({"retry": Retry(times=1)}, {}, {}, True),
        ({}, {"timeout_s": 1.0}, {}, False),
        ({}, {"concurrency": 2}, {}, False),
        ({"concurrency": 2}, {}, {}, False),
        ({}, {}, {"from_port": "error"}, False),
        ({}, {}, {"delivery": LOSSY}, False),
    ],
)
def test_which_wires_may_be_fused(source, target, wire, fusable):
    modules = {"a": module("a", **source), "b": module("b", **target)}
    graph = Flow(id="f", modules=modules, wires=(Wire(from_module="a", to_module="b", **wire),))
    assert bool(fusable_wires(Share.whole(graph), feedback_wires(graph))) is fusable


def test_a_feedback_wire_is_not_fused():
    graph = flow("a b", "b a")
    assert short(fusable_wires(Share.whole(graph), feedback_wires(graph))) == {"a b"}


def test_without_modules_drops_their_wires_and_tests():
    graph = replace(
        flow("a b", "b c", "a c"),
        tests=(
            FlowTest(name="all", send={"a.in": [1]}, expect={"c.out": [1]}),
            FlowTest(name="b", send={"b.in": [1]}, expect={}),
        ),
    )
    rest = without_modules(graph, {"b"})
    assert list(rest.modules) == ["a", "c"]
    assert short(frozenset(wire.id for wire in rest.wires)) == {"a c"}
    assert [test.name for test in rest.tests] == ["all"]
    assert without_modules(graph, ()) == graph


def test_a_modules_hash_covers_every_field_and_nothing_else():
    plain = module("a", files={"x": "1", "y": "2"})
    assert module_hash(plain) == module_hash(module("a", files={"y": "2", "x": "1"}))
    changes = [
        {"code": "y"}, {"runtime": "node"}, {"files": {"x": "1"}}, {"config": [1]}, {"dependencies": ("d",)}, {"name": "b"},
        {"ports_in": ()}, {"retry": Retry(times=1)}, {"env": {"A": "1"}}, {"limits": {"cpu_s": 1}}, {"state_version": 2},
        {"concurrency": 2}, {"timeout_s": 1.0}, {"window": True}, {"optional": True}, {"runner": "r"}, {"isolated": True},
    ]  # fmt: skip
    hashes = {module_hash(replace(plain, **change)) for change in changes}
    assert len(hashes | {module_hash(plain)}) == len(changes) + 1
