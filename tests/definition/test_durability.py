"""`disk` is contagious downstream; what comes from and goes to the outside follows."""

from __future__ import annotations

import random
from typing import Any

import pytest

from actors.definition.durability import KeptWires, is_durable
from actors.definition.model import Flow, FlowError
from actors.definition.places import Places
from actors.definition.reading import read_flow_file
from actors.definition.validation import check_flow


def flow(*wires: Any, names: str = "abcd", **fields: Any) -> Flow:
    modules = {name: {"runtime": "browser" if name == "p" else "python3", "code": "x"} for name in names}
    return check_flow({"id": "f", "modules": modules, "wires": list(wires), **fields})


def classes(flow: Flow) -> str:
    return " ".join(wire.delivery.name for wire in flow.wires)


def wire(text: str, delivery: str) -> dict[str, str]:
    source, _, target = text.partition("->")
    return {"from": source, "to": target, "delivery": delivery}


def test_what_follows_a_disk_wire_is_disk() -> None:
    assert classes(flow("a->b", wire("b->c", "disk"), "c->d", "d.error->a")) == "disk disk disk disk"
    assert classes(flow("a->b", wire("b->c", "disk"), "c->d")) == "memory disk disk"
    assert classes(flow("a->b", wire("b->c", "disk"), wire("c->d", "lossy"), "d->a")) == "memory disk lossy memory"


def test_durable_is_the_class_of_the_others() -> None:
    assert classes(flow("a->b", "b->c", wire("c->d", "lossy"), durable=True)) == "disk disk lossy"
    assert classes(flow(wire("a->b", "memory"), "b->c", durable=True)) == "memory disk"


def test_a_page_keeps_nothing() -> None:
    assert classes(flow("a->b", "b->p", "p->c", names="abcp", durable=True)) == "disk memory disk"
    assert classes(flow(wire("a->b", "disk"), "b->p", "p->c", names="abcp")) == "disk memory memory"


def test_memory_behind_disk_is_refused_with_its_place(tmp_path: Any) -> None:
    (tmp_path / "f.yaml").write_text(
        "id: f\nmodules:\n  a: {runtime: python3, code: x}\n  b: {runtime: python3, code: x}\n"
        "wires:\n  - {from: a, to: b, delivery: disk}\n  - {from: b, to: a,\n     delivery: memory}\n"
    )
    source = read_flow_file(tmp_path / "f.yaml")
    assert isinstance(source.places, Places)
    with pytest.raises(FlowError) as caught:
        check_flow(source.document, source.places)
    assert caught.value.problems == [
        f"{tmp_path}/f.yaml:8:6: `wires[1].delivery`: `memory` would lose what a.out->b.in, which is `disk`, keeps; "
        "leave it out, or say `disk` or `lossy`."
    ]


@pytest.mark.parametrize("seed", range(30))
def test_on_every_way_from_a_disk_wire_nothing_is_lost(seed: int) -> None:
    """Against the definition itself: walk all ways."""
    rng, names = random.Random(seed), "abcdef"
    pairs = rng.sample([(x, y) for x in names for y in names], 9)
    wires = [rng.choice([f"{x}->{y}", f"{x}->{y}", wire(f"{x}->{y}", rng.choice(["disk", "lossy"]))]) for x, y in pairs]
    made = flow(*wires, names=names)

    def reached(start: set[str]) -> set[str]:
        firm = [w for w in made.wires if not w.delivery.may_drop]
        while more := {w.to_module for w in firm if w.from_module in start} - start:
            start |= more
        return start

    said = {w["from"][0] + w["to"][0] for w in wires if isinstance(w, dict) and w["delivery"] == "disk"}
    behind = reached({pair[1] for pair in said})
    kept = KeptWires(made)
    for w in made.wires:
        if not w.delivery.may_drop:
            must = w.from_module in behind or w.from_module + w.to_module in said
            assert (w.delivery.name == "disk") == must == kept[w.id], w
    for name in names:
        loses = any(w.from_module in reached({name}) and w.delivery.name == "memory" for w in made.wires)
        assert kept[f"-i->{name}.in"] == kept[f"api->{name}.in"] == (is_durable(made) and not loses)


def test_ends_of_a_durable_flow() -> None:
    kept = KeptWires(flow(wire("a->b", "memory"), "b->c", durable=True))
    assert not kept["-i->a.in"]
    assert kept["-i2->b.in"] and kept["dead->c.in"] and kept["c.out->-o"] and kept["a.out->-o2"]
    assert not kept["c.out->tap#1"]
    assert not any(KeptWires(flow("a->b"))[name] for name in ("a.out->b.in", "-i->a.in", "b.out->-o"))
    assert is_durable(flow(names="a", durable=True)) and not is_durable(flow("a->b"))
