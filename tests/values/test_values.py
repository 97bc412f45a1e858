"""A value on a wire is a value: a flow whose wires are fused does what it does isolated, tapped, stepped, killed.

Random trees of modules with random, hostile programs (cases.py) are played in every way (play.py), and everything
that can be seen is compared. `EXAMPLES=160 CASES=600 pytest tests/values -s` plays some 20,000 cases and prints how
many; a failure prints the tree and its seed.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from runtimes.making import Failure
from runtimes.manifest import load_runtimes, runtime_folders
from tests.compiling import compiled
from tests.harness import Harness, need
from tests.values.cases import Tree, trees
from tests.values.languages import LANGUAGES, Language
from tests.values.play import VARIANTS, Seen, play

EXAMPLES = int(os.environ.get("EXAMPLES", "6"))
CASES = int(os.environ.get("CASES", "40"))  # of one tree at most

NOT_YET: dict[str, str] = {}  # runtimes that are red, and why


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of dead letters are meant."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def difference(fused: Seen, other: Seen, variant: str) -> str:
    """What differs, a line each."""
    lines = []
    for key in sorted({*fused, *other}):
        if variant == "isolated" and ".id " in key:
            continue  # a wire that cannot be fused counts its messages, one that can names them after their parents
        one, two = fused.get(key), other.get(key)
        if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
            lines += [
                f"{key}[{n}]: fused {a}, {variant} {b}" for n, (a, b) in enumerate(zip(one, two, strict=True)) if a != b
            ]
        elif one != two:
            lines.append(f"{key}: fused {one}, {variant} {two}")
    return "\n".join(line[:1000] for line in lines[:20])


def compare(runner: Harness, tree: Tree, happened: Counter[str]) -> None:
    fused = play(runner, tree, "fused", happened)
    for variant in VARIANTS:
        other = play(runner, tree, variant, happened)
        if different := difference(fused, other, variant):
            for name, programs in tree.programs().items():
                note(f"{name}: {programs}")
            pytest.fail(f"{tree}\n{different}", pytrace=False)
    happened["cases"] += tree.count
    happened["dead letters"] += sum(len(value) for key, value in fused.items() if key.startswith("dead "))


def build(language: Language) -> None:
    """Compile its modules, which may take longer than a reply of the runner."""
    runtime = load_runtimes(runtime_folders())[language.runtime]
    for style in language.styles if runtime.build else ():
        made = compiled(runtime, {language.file: (language.code(style), {})})
        assert not isinstance(made, Failure), made


def languages() -> list[Any]:
    """Those of languages.py."""
    return [
        pytest.param(
            language, id=language.runtime,
            marks=[pytest.mark.xfail(reason=NOT_YET[language.runtime])] if language.runtime in NOT_YET else [],
        )
        for language in LANGUAGES.values()
    ]  # fmt: skip


@pytest.mark.parametrize("language", languages())
@pytest.mark.timeout(3600)
def test_random_trees(runner: Harness, language: Language) -> None:
    need(language.runtime)
    build(language)
    happened: Counter[str] = Counter()

    phases = [Phase.generate] if language.runtime in NOT_YET else list(Phase)

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, print_blob=True, report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck), phases=phases,
    )  # fmt: skip
    @given(data=st.data())
    def one(data: st.DataObject) -> None:
        compare(runner, data.draw(trees(language, CASES), "tree"), happened)

    one()
    print(dict(happened))
    assert happened["fused: hosts with fused wires"] and not happened["isolated: hosts with fused wires"]
    assert all(happened[what] for what in ("tapped: hosts with fused wires", "waves", "killed: deaths", "dead letters"))
    assert all(happened[what] for what in ("joined: modules", "halted: hits"))
