"""`runner new`: a starter in each language whose test passes."""

from __future__ import annotations

import json
import resource
import subprocess
from functools import partial
from pathlib import Path

import pytest

from runtimes.manifest import load_runtimes, runtime_folders
from tests.deployments import RUNNER
from tests.harness import need


def runner(folder: Path, *words: str, stdin: str = "", largest: int | None = None) -> subprocess.CompletedProcess[str]:
    """`largest`: bytes that a file can have, as on a full disk."""
    limit = None if largest is None else partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest, largest))
    return subprocess.run(
        [*RUNNER, *words], cwd=folder, input=stdin, text=True, capture_output=True, timeout=100, check=False,
        preexec_fn=limit,
    )  # fmt: skip


@pytest.mark.parametrize("runtime", sorted({*load_runtimes(runtime_folders())} - {"browser"}))  # no flow by itself
def test_a_starter(tmp_path: Path, runtime: str) -> None:
    need(runtime)
    done = runner(tmp_path, "new", runtime, "my-module")
    assert done.returncode == 0, done.stderr
    assert "runner test my-module.yaml" in done.stdout
    tested = runner(tmp_path, "test", "my-module.yaml")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    ran = runner(
        tmp_path, "--state", str(tmp_path / "state"), "run", "my-module.yaml",
        "-i", "my-module.in=-", "-o", "my-module.out=-", stdin='"hello"\n',
    )  # fmt: skip
    assert json.loads(ran.stdout) == {"count": 1, "message": "hello"}, ran.stderr
    again = runner(tmp_path, "new", runtime, "my-module")
    assert (again.returncode, "exists already" in again.stderr) == (1, True)


def test_mistakes(tmp_path: Path) -> None:
    for words, says in (
        (("cobol", "x"), "there is no runtime 'cobol'; there are go, node, "),
        (("js", "x"), "did you mean 'node'?"),
        (("python3", "a b"), "no module id"),
    ):
        done = runner(tmp_path, "new", *words)
        assert done.returncode in (1, 2)
        assert says in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing_half(tmp_path: Path) -> None:
    """The next try is not refused because of an empty file."""
    done = runner(tmp_path, "new", "python3", "x", largest=0)
    assert (done.returncode, done.stderr) == (
        1,
        "runner: x.py cannot be written: File too large; nothing was written\n",
    )
    assert not list(tmp_path.iterdir())
