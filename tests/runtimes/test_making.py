"""Environments and builds on disk: their names, that what has a name is finished, that nothing half-made stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtimes.environments import Unit, about_of, build_recipe, environment_recipe, finished
from runtimes.making import Failure, InUseError, Making, hold, is_used, leftovers, make, take_away
from runtimes.manifest import Runtime, load_runtimes
from tests.deployments import gone
from tests.harness import TOYS


@pytest.fixture
def toy() -> Runtime:
    return load_runtimes([TOYS])["toy"]


def environment(cache: Path, toy: Runtime, *dependencies: str) -> Any:
    recipe = environment_recipe(cache, toy, "1.2", dependencies)
    assert recipe is not None
    return recipe


def build(cache: Path, toy: Runtime, *codes: str) -> Any:
    recipe = build_recipe(cache, toy, "1.2", (), [Unit(name="a.toy", code=code, files={}) for code in codes])
    assert recipe is not None
    return recipe


def test_a_unit_is_its_text() -> None:
    # sha256 of ["parse.go","ü",{"a":"1","b":"2"}]
    assert Unit(name="parse.go", code="ü", files={"b": "2", "a": "1"}).id == "u_5581b61d04e058a9"
    assert Unit(name="parse.go", code="ü", files={"a": "1", "b": "2"}).id == "u_5581b61d04e058a9"
    assert Unit(name="parse.go", code="ü", files={"a": "1"}).id != "u_5581b61d04e058a9"
    assert Unit(name="parse.go", code="\ud800", files={}).id.startswith("u_")


def test_ids(cache: Path, toy: Runtime, tmp_path: Path) -> None:
    first = environment(cache, toy, "p=1", "q=2")
    assert first.id.startswith("toy-")
    assert first.place == cache / "environments" / first.id
    assert environment(cache, toy, "q=2", "p=1", "q=2").id == first.id
    assert environment(cache, toy, "p=1").id != first.id
    assert environment_recipe(cache, toy, "1.3", ("p=1", "q=2")).id != first.id  # type: ignore[union-attr]
    shutil.copytree(TOYS / "toy", tmp_path / "changed" / "toy")
    (tmp_path / "changed" / "toy" / "build.py").write_text("")
    changed = load_runtimes([tmp_path / "changed"])["toy"]
    assert environment(cache, changed, "p=1", "q=2").id != first.id
    assert environment_recipe(cache, toy, "1.2", ()) is None
    assert build(cache, toy, "x = 1", "x = 1").request["units"] == build(cache, toy, "x = 1").request["units"]
    assert build(cache, toy, "x = 1").id != build(cache, toy, "x = 2").id


def test_what_is_made_has_a_name_and_says_what_it_is(cache: Path, toy: Runtime) -> None:
    recipe = environment(cache, toy, "p=1")
    assert make(cache, recipe) is None
    assert (recipe.place / "p.txt").read_text() == "1"
    about = about_of(recipe.place)
    assert about is not None
    assert (about["dependencies"], about["locked"], about["runtime"]) == (["p=1"], ["p=1.0"], "toy")
    assert about["bytes"] > 0
    assert list((cache / "making").iterdir()) == []


def test_what_cannot_be_made_has_none(cache: Path, toy: Runtime) -> None:
    assert make(cache, environment(cache, toy, "p=1", "missing=q")) == Failure(reason="there is no package q")
    failure = make(cache, build(cache, toy, "x = 1", "x ="))
    assert failure is not None
    (unit,) = failure.units
    assert unit["unit"] == Unit(name="a.toy", code="x =", files={}).id
    assert unit["error"] | {"message": ""} == {
        "type": "SyntaxError", "message": "", "file": "a.toy", "line": 1, "column": 4
    }  # fmt: skip
    assert finished(cache, "environments") == finished(cache, "builds") == {}
    assert list((cache / "making").iterdir()) == []


@pytest.mark.parametrize("damage", ["lock changed", "lock gone", "about gone"])
def test_what_was_damaged_is_made_again(cache: Path, toy: Runtime, damage: str) -> None:
    recipe = environment(cache, toy, "p=1")
    make(cache, recipe)
    if damage == "lock changed":
        (recipe.place / "lock.json").write_text('{"locked": ["p=2"]}')
    else:
        (recipe.place / ("lock.json" if damage == "lock gone" else "about.json")).unlink()
    (recipe.place / "p.txt").write_text("wrong")
    assert finished(cache, "environments") == {}
    assert hold(recipe.place) is None
    assert make(cache, recipe) is None
    assert (recipe.place / "p.txt").read_text() == "1"


@pytest.mark.parametrize("lock", [None, "nonsense", "[]", '{"locked": 5}', '{"locked": [5]}'])
def test_an_environment_without_a_good_lock_is_none(cache: Path, toy: Runtime, lock: str | None) -> None:
    making = Making(cache, environment(cache, toy, "p=1"))
    if lock is not None:
        (making.result / "lock.json").write_text(lock)
    failure = making.finish("4 .")
    making.release()
    assert failure is not None
    assert "lock.json" in failure.reason
    assert finished(cache, "environments") == {}


def test_a_command_that_leaves_fifos_is_not_waited_for(cache: Path, toy: Runtime) -> None:
    """Where the lock and the description are to be."""
    making = Making(cache, environment(cache, toy, "p=1"))
    os.mkfifo(making.result / "lock.json")
    failure = making.finish("4 .")
    assert failure is not None
    assert failure.reason == "it has left no good lock.json: [Errno 22] not a regular file: " + repr(
        str(making.result / "lock.json")
    )
    (making.result / "lock.json").unlink()
    (making.result / "lock.json").write_text('{"locked": []}')
    os.mkfifo(making.result / "about.json")
    assert making.finish("4 .") is None
    making.release()
    (name,) = finished(cache, "environments")
    place = cache / "environments" / name
    (place / "about.json").unlink()
    os.mkfifo(place / "about.json")
    assert finished(cache, "environments") == {}
    assert hold(place) is None
    assert not is_used(place)
    (place / "about.json").unlink()


def test_what_is_held_stays(cache: Path, toy: Runtime) -> None:
    recipe = environment(cache, toy, "p=1")
    make(cache, recipe)
    first, second = hold(recipe.place), hold(recipe.place)
    assert first is not None
    assert second is not None
    for fd in (first, second):
        assert is_used(recipe.place)
        with pytest.raises(InUseError):
            take_away(cache, recipe.place)
        os.close(fd)
    assert not is_used(recipe.place)
    trash = take_away(cache, recipe.place)
    assert hold(recipe.place) is None
    assert leftovers(cache) == [trash]


MAKE = """
import sys
from pathlib import Path
from runtimes.environments import environment_recipe
from runtimes.making import make
from runtimes.manifest import load_runtimes
cache, toys, dependency = sys.argv[1:]
make(Path(cache), environment_recipe(Path(cache), load_runtimes([Path(toys)])["toy"], "1.2", [dependency]))
"""


def test_kill_9_of_a_maker_leaves_nothing_that_looks_finished(cache: Path, toy: Runtime, gate: Path) -> None:
    dependency = f"wait={gate}"
    maker = subprocess.Popen([sys.executable, "-c", MAKE, str(cache), str(TOYS), dependency])
    try:
        with gate.open("w"):  # opens when the command reads: it is half-way
            (folder,) = (cache / "making").iterdir()
            command = int((folder / "pid").read_text())
            assert (folder / "result" / "wait.txt").exists()
            assert leftovers(cache) == []  # it is no leftover while its maker lives
            maker.send_signal(signal.SIGKILL)
            maker.wait()
            assert gone([command])
    finally:
        maker.kill()
        maker.wait()
    recipe = environment(cache, toy, dependency)
    assert finished(cache, "environments") == {}
    assert hold(recipe.place) is None
    assert leftovers(cache) == [folder]


def test_what_a_dead_makers_command_has_started_is_ended(cache: Path, toy: Runtime) -> None:
    making = Making(cache, environment(cache, toy, "p=1"))
    marked = {**os.environ, "RUNNER_MAKING_FOLDER": str(making.folder)}
    survivor = subprocess.Popen(["sleep", "100"], process_group=0, env=marked)
    bystander = subprocess.Popen(["sleep", "100"], process_group=survivor.pid)
    try:
        (making.folder / "pid").write_text(str(survivor.pid))
        making.release()  # as its death would
        assert leftovers(cache) == [making.folder]
        assert survivor.wait(60) == -signal.SIGKILL
        assert bystander.poll() is None
    finally:
        for process in (survivor, bystander):
            process.kill()
            process.wait()


def test_two_makers_of_one_thing_do_not_fight(cache: Path, toy: Runtime) -> None:
    recipe = environment(cache, toy, "p=1")
    slow = Making(cache, recipe)
    assert make(cache, recipe) is None
    held = hold(recipe.place)
    (slow.result / "lock.json").write_text(json.dumps({"locked": ["p=1.0"]}))
    assert slow.finish("4 .") is None
    slow.release()
    assert held is not None
    assert os.path.samestat(os.fstat(held), (recipe.place / "about.json").stat())  # the one in use
    os.close(held)
