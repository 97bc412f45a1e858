"""`scripts/setup`, with a Python in the path that only makes the folder: what has become of a .venv since."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.test_docs import ROOT

PYTHON = """#!/bin/bash
[ "$1 $2" = "-m venv" ] || exit 0
mkdir -p $3/bin
for name in python pip runner; do
  printf '#!%s/bin/bash\\nexit 0' "$PWD/alive" > $3/bin/$name; chmod +x $3/bin/$name
done
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose .venv works as long as `alive` is there, beside the programs that setup needs."""
    folder = tmp_path / "project"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup", folder / "scripts")
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "runtimes/python3/copying.c"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "alive" / "bin").mkdir(parents=True)
    (folder / "alive" / "bin" / "bash").symlink_to("/bin/bash")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text(PYTHON)
    (tmp_path / "bin" / "python3").chmod(0o755)
    return folder


def setup(project: Path) -> list[str]:
    """What it says."""
    path = os.pathsep.join([str(project.parent / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        [project / "scripts" / "setup"], env={"PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


MADE = ["making .venv", "installing the project and its packages into .venv"]


def test_it_is_made_once(project: Path) -> None:
    assert setup(project) == MADE
    assert setup(project) == []


def test_new_requirements_are_installed_into_what_is_there(project: Path) -> None:
    setup(project)
    newer = (project / ".venv" / "stamp").stat().st_mtime + 1
    os.utime(project / "setup.cfg", (newer, newer))
    assert setup(project) == MADE[1:]


def test_ctrl_c_while_it_is_made(project: Path) -> None:
    """Python is there, pip is not."""
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to("/bin/true")
    assert setup(project) == MADE


def test_a_folder_that_was_moved(project: Path) -> None:
    """Its programs begin with the path of a Python that is not there any more."""
    setup(project)
    moved = project.with_name("moved")
    project.rename(moved)
    assert setup(moved) == MADE
    assert setup(moved) == []
