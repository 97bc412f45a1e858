"""Power loss of machines of two runners: after each group its runner's state is copied; after the cut a copy is put
back. What the copy has, everything acknowledged is in; an older one is a disk that did not keep what it said it had.
"""

from __future__ import annotations

import contextlib
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.deployments import gone
from tests.links.plant import seed
from tests.links.test_two_runners import Runner, Two, arrived
from tests.links.test_wires_that_survive import chain, check

TOTAL = 60_000
FULL = pytest.mark.full
HOOK = """
import shutil, sys
from pathlib import Path
from actors.journal import child, store
mark = store.Store.mark
state = Path(sys.argv[1]).parent
copies = state.parent.parent / "copies" / state.name
def copying(self, number):  # durable, and nobody knows yet
    mark(self, number)
    shutil.copytree(state, copies / f"{number}.new", ignore=lambda _folder, names: {*names} & {"kept"})
    (copies / f"{number}.new").rename(copies / str(number))
    shutil.rmtree(copies / str(number - 2), ignore_errors=True)
child.Store.mark = copying
child.main(Path(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    monkeypatch.setenv("JOURNAL_CHILD", HOOK)
    with contextlib.closing(Two(tmp_path, keeps=True)) as it:
        yield it


def newest(runner: Runner) -> Path:
    """The copy after the last group of which there is a whole one."""
    folder = runner.folder / "copies" / runner.name
    return max((path for path in folder.iterdir() if path.suffix != ".new"), key=lambda path: int(path.name))


def put_back(runner: Runner, copy: Path) -> None:
    """As it was on the disk then; the copies of later groups are of another life."""
    shutil.rmtree(runner.state[0])
    copy.rename(runner.state[0])
    shutil.rmtree(runner.folder / "copies" / runner.name)


def cut_power(*runners: Runner) -> None:
    """One after the other; whoever is left may notice. What a process still does then, reaches no disk."""
    for runner in runners:
        others = psutil.Process(runner.process.pid).children(recursive=True)
        runner.end(kill=True)
        assert gone([process.pid for process in others])


def on(two: Two, document: dict[str, Any], *runners: Runner) -> None:
    for runner in runners:
        runner.start()
    two._tell_places()
    two.apply(document, *runners)


def test_no_power_loss_loses_what_was_acknowledged(two: Two) -> None:
    """Of one machine, of the other, of both at once; the links go on with what is on the disks."""
    print("seed", number := seed())
    rng, document = random.Random(number), chain(TOTAL, durable=True)
    two.apply(document)
    cuts = [[two.a], [two.b], [two.a, two.b], [two.b, two.a]]
    rng.shuffle(cuts)
    for place, runners in enumerate(cuts, 1):
        two.until(lambda: arrived(two) >= TOTAL * place // 6)  # noqa: B023
        cut_power(*runners)
        for runner in runners:
            put_back(runner, newest(runner))
        on(two, document, *runners)
    check(two, TOTAL)


@pytest.mark.parametrize(("name", "kept", "said"), [
    ("a", True, "source.out->middle.in: a has sent [0-9,]+ messages? that it does not know any more"),
    ("b", True, "source.out->middle.in: this runner has acknowledged [0-9,]+ messages? of a that it does not have"),
    pytest.param("a", False, "source.out->middle.in: a has sent [0-9,]+ messages? that it does not", marks=FULL),
    pytest.param("b", False, "source.out->middle.in: this runner has acknowledged [0-9,]+ messages? of a", marks=FULL),
])  # fmt: skip
def test_a_disk_that_did_not_keep_what_it_said_it_had(
    two: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kept: bool, said: str
) -> None:
    """Or has lost all. It is named where it can be seen, nothing passes, other wires go on; --accept-loss goes on."""
    document = chain(10_000_000, durable=True)
    two.apply(document)
    runner: Runner = getattr(two, name)
    two.until(lambda: arrived(two) > 1000)
    old = tmp_path / "old"
    if kept:
        newest(runner).rename(old)  # there is one until two more are
    else:
        old.mkdir()
    before = arrived(two)
    two.until(lambda: arrived(two) > before + 3000)
    cut_power(runner)
    put_back(runner, old)
    monkeypatch.delenv("JOURNAL_CHILD")
    on(two, document, runner)
    state = lambda: "\n".join(  # noqa: E731
        [str(each.client.call("flowState", "f")["lost"]) for each in (two.a, two.b)]
    )
    two.until(lambda: re.search(f"{said}.*: a state folder is older than it was; .*--accept-loss", state()) is not None)
    middle = two.b.completed("middle")
    other = {**chain(1000, durable=True), "id": "g"}
    two.apply(other)
    two.until(lambda: two.a.client.call("flowState", "g")["modules"]["sum"]["completed"] == 1000)
    two.again(two.a, document, kill=True)  # what it has sent now it knows, and yet
    two.until(lambda: re.search(f"{said}.*: a state folder is older than it was; .*--accept-loss", state()) is not None)
    assert two.b.completed("middle") == middle, "nothing passes"
    monkeypatch.setenv("ACCEPT_LOSS", "1")
    for each in (two.a, two.b):
        two.again(each, document, kill=True)
    before = arrived(two)
    two.until(lambda: arrived(two) > before + 1000)
    assert re.search(f"{said}.*: a state folder is older than it was; accepted", state())
