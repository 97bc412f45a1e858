"""Power loss: after each group the state and the output are copied; a copy is put back, and the run goes on from it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from actors.ends.file_mark import Progress
from actors.journal.store import recover
from tests.harness import need
from tests.journal.runs import Runs
from tests.test_run import same_lines

COUNT = 40_000
HOOK = """
import shutil, sys
from pathlib import Path
from actors.journal import child, store
mark = store.Store.mark
def copying(self, number):
    mark(self, number)
    folder = Path(sys.argv[1])
    others = lambda _folder, names: {*names} & {"runs", "in"}
    shutil.copytree(folder.parents[1], folder.parents[2] / "copies" / str(number), ignore=others)
child.Store.mark = copying
child.main(Path(sys.argv[1]), int(sys.argv[2]))
"""
PROGRAM = f"""
import sys
from actors.journal import writer
writer.CHILD = (sys.executable, "-c", {HOOK!r})
from actors.console.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, and `copies/N`: what was on the disk after group N."""
    need("node")
    folder = tmp_path_factory.mktemp("power") / "run"
    folder.mkdir()
    runs = Runs(folder, COUNT)
    runs.words[1:3] = ["-c", PROGRAM]
    done = runs.go()
    assert done.returncode == 0, done.stderr
    same_lines(runs.out, COUNT)
    return folder


def restored(copies: Path, chance: random.Random) -> tuple[Runs, Path]:
    """The run as it was after some group."""
    groups = sorted(int(path.name) for path in (copies.parent / "copies").iterdir())
    assert len(groups) > 5, groups
    group = chance.choice(groups)
    print(f"group {group} of {groups[-1]}")
    shutil.rmtree(copies / "state")
    shutil.copytree(copies.parent / "copies" / str(group) / "state", copies / "state")
    shutil.copy(copies.parent / "copies" / str(group) / "out", copies / "out")
    return Runs(copies, COUNT, copies / "flow.json"), copies / "state" / "journal" / "f.db"


@pytest.mark.parametrize("seed", range(5))
def test_from_any_group_the_run_comes_to_the_same_end(copies: Path, seed: int) -> None:
    """Of the output, what was not synced may be missing."""
    chance = random.Random(seed)
    runs, journal = restored(copies, chance)
    noted = Progress.decoded(recover(journal).facts["output/finish.out->-o"]).mark
    assert noted is not None
    size = runs.out.stat().st_size
    assert size >= noted.position
    with runs.out.open("r+b") as file:
        file.truncate(chance.randint(noted.position, size))
    done = runs.go()
    assert done.returncode == 0, done.stderr
    same_lines(runs.out, COUNT)


@pytest.mark.parametrize("what", ["flipped", "short", "no log", "gone", "no database"])
def test_damage_is_named_and_nothing_is_touched(copies: Path, what: str) -> None:
    """With --accept-loss the run goes on with what is left."""
    chance = random.Random(what)
    runs, journal = restored(copies, chance)
    recover(journal)  # the log is in the file now
    data = bytearray(journal.read_bytes())
    match what:
        case "flipped":
            data[data.index(b"numbers" if b"numbers" in data else b'{"id') + 3] ^= 16
            journal.write_bytes(data)
        case "short":
            journal.write_bytes(data[: len(data) // 2])
        case "no log":  # an older one: the groups after it are missing
            other = copies.parent / "copies" / "1" / "state" / "journal"
            for file in journal.parent.glob("f.db*"):
                file.unlink()
            for file in other.glob("f.db*"):
                shutil.copy(file, journal.parent / file.name)
        case "gone":
            journal.unlink()
        case "no database":
            journal.write_bytes(b"something else" * 5000)
    before, out = journal.exists() and journal.read_bytes(), runs.out.read_bytes()
    done = runs.go()
    assert done.returncode == 1, done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("runner: ")]
    assert str(journal) in said and "--accept-loss" in said, said
    assert runs.out.read_bytes() == out
    if what not in ("no log", "short"):  # SQLite reads those, and tidies up
        assert before == (journal.exists() and journal.read_bytes())
    done = runs.go("--accept-loss")
    assert "accepted: " in done.stderr, done.stderr
    assert done.returncode in (0, 1)
    if done.returncode:  # what it has forgotten of the output it says, too
        assert "--fresh" in done.stderr, done.stderr
