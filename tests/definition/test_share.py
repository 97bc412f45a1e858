"""A share of a flow: two halves of random flows, against the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from actors.definition import graph
from actors.definition.deliveries import LOSSY, MEMORY
from actors.definition.hosting import lay_out
from actors.definition.model import Flow, Module, Wire
from actors.definition.plan import cover, difference
from actors.definition.share import Share

IDS = tuple("abcdef")
MODULES = st.tuples(*(
    st.builds(
        Module, id=st.just(id), runtime=st.sampled_from(["python3", "node"]), name=st.just(id), code=st.just("'p'"),
        isolated=st.booleans(),
    )
    for id in IDS
))  # fmt: skip
WIRES = st.lists(
    st.builds(
        Wire, from_module=st.sampled_from(IDS), from_port=st.sampled_from(["out", "p", "error"]),
        to_module=st.sampled_from(IDS), to_port=st.sampled_from(["in", "q"]), delivery=st.sampled_from([MEMORY, LOSSY]),
    ),
    max_size=20, unique_by=lambda wire: wire.id,
)  # fmt: skip
FLOWS = st.builds(
    lambda modules, wires: Flow(id="f", modules={m.id: m for m in modules}, wires=tuple(wires)), MODULES, WIRES
)
HALVES = st.sets(st.sampled_from(IDS)).map(lambda here: (frozenset(here), frozenset(IDS) - here))


def flow(*wires: str) -> Flow:
    """A flow of wires like "a b"; all modules could share a host."""
    ends = [wire.split() for wire in wires]
    return Flow(
        id="f",
        modules={id: Module(id=id, runtime="python3", name=id, code="'p'") for id in IDS},
        wires=tuple(Wire(from_module=source, to_module=target) for source, target in ends),
    )


def test_what_is_here_in_the_order_of_the_file() -> None:
    share = Share(flow("c d", "b a", "a b", "b d"), frozenset({"b", "a", "gone"}))
    assert list(share.modules) == ["a", "b"]
    assert [wire.id for wire in share.wires] == ["b.out->a.in", "a.out->b.in", "b.out->d.in"]
    inputs, outputs = share.ends_of("b")
    assert [wire.from_module for wire in inputs] == ["a"]
    assert [wire.to_module for wire in outputs] == ["a", "d"]


@given(FLOWS)
def test_a_whole_flow(whole: Flow) -> None:
    share = Share.whole(whole)
    assert share.modules == whole.modules
    assert share.wires == whole.wires
    for module in whole.modules:
        assert share.ends_of(module).inputs == tuple(wire for wire in whole.wires if wire.to_module == module)
        assert share.ends_of(module).outputs == tuple(wire for wire in whole.wires if wire.from_module == module)


@given(FLOWS, HALVES)
def test_two_halves_have_each_module_and_each_end_once(whole: Flow, halves: tuple[frozenset[str], ...]) -> None:
    shares = [Share(whole, here) for here in halves]
    layouts = [lay_out(share) for share in shares]
    all_of_it = lay_out(Share.whole(whole))
    assert {**layouts[0].places, **layouts[1].places}.keys() == all_of_it.places.keys()
    assert not layouts[0].places.keys() & layouts[1].places.keys()
    feedback = graph.feedback_wires(whole)
    for share, layout in zip(shares, layouts, strict=True):
        assert layout.places.keys() == share.modules.keys() == layout.wires_in.keys()
        for module in share.modules:
            known = {id: (w.port, w.delivery, w.feedback) for id, w in layout.wires_in[module].items()}
            wanted = {w.id: (w.to_port, w.delivery, w.id in feedback) for w in whole.wires if w.to_module == module}
            assert known == wanted, "a module knows all its inputs, wherever they come from"
        sending = Counter(
            (plan.modules[slot], port) for plan in layout.plans.values() for slot, port in plan.outputs.values()
        )
        ports = {(w.from_module, w.from_port) for w in whole.wires if w.from_port != "error"}
        assert sending == Counter({place for place in ports if place[0] in share.here})


@given(FLOWS, HALVES)
def test_a_wire_between_the_halves_is_not_fused(whole: Flow, halves: tuple[frozenset[str], ...]) -> None:
    feedback = graph.feedback_wires(whole)
    fusable = graph.fusable_wires(Share.whole(whole), feedback)
    inner = {w.id for w in whole.wires if (w.from_module in halves[0]) == (w.to_module in halves[0])}
    parts = [graph.fusable_wires(Share(whole, here), feedback) for here in halves]
    assert parts[0] | parts[1] == fusable & inner
    for here in halves:
        share = Share(whole, here)
        for plan in lay_out(share).plans.values():
            away = {(w.from_module, w.from_port) for w in share.wires if w.to_module not in here}
            shown = {(plan.modules[slot], port) for n, (slot, port) in plan.outputs.items() if n in plan.outside}
            of_host = {place for place in away if place[0] in plan.modules.values() and place[1] != "error"}
            assert of_host <= shown, "what leads away leaves the host"


@given(FLOWS, HALVES, st.sampled_from(IDS))
def test_what_changes_elsewhere_changes_nothing_here(
    whole: Flow, halves: tuple[frozenset[str], ...], changed: str
) -> None:
    other = replace(whole.modules[changed], code="'q'")
    after = replace(whole, modules={**whole.modules, changed: other})
    for here in halves:
        found = difference(Share(whole, here), Share(after, here))
        assert found.replaced == {changed} & here
        assert found.nothing == (changed not in here)


def test_what_comes_and_goes_elsewhere() -> None:
    before, after = flow("a b"), flow("a b", "c d")
    del before.modules["e"], after.modules["f"]
    here = frozenset("ab")
    assert difference(Share(before, here), Share(after, here)).nothing
    away = frozenset("cdef")
    found = difference(Share(before, away), Share(after, away))
    assert (found.added, found.removed, found.rewired) == ({"e"}, {"f"}, {"c", "d"})


def test_a_way_from_here_to_here_by_way_of_elsewhere_is_covered() -> None:
    """Nobody here may handle what left before: who decides for all runners must know of the modules in between."""
    share = Share(flow("a b", "b c", "c d"), frozenset("ad"))
    assert cover(share, {"a", "d"}).modules == ("a", "b", "c", "d")


def test_what_would_be_fused_elsewhere_is_not_asked_of_here() -> None:
    whole = flow("a b", "b c")
    assert cover(Share.whole(whole), {"c"}).modules == ("a", "b", "c")
    assert cover(Share(whole, frozenset("bc")), {"c"}).modules == ("b", "c")
