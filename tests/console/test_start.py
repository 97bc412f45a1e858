"""What is so before and beside any verb: signals, what is wrong in front of it, where its errors go."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.deployments import RUNNER

HIDE = b"\x1b[?25l"
AT_AN_IMPORT = """
import importlib.abc, os, signal, sys


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "argparse":
            os.kill(os.getpid(), signal.SIGINT)


sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize(("ignored", "status"), [(False, -signal.SIGINT), (True, 0)])
def test_ctrl_c_while_the_command_is_imported(tmp_path: Path, ignored: bool, status: int) -> None:
    (tmp_path / "sitecustomize.py").write_text(AT_AN_IMPORT)
    path = os.pathsep.join([str(tmp_path), str(Path.cwd())])
    how = signal.SIG_IGN if ignored else signal.SIG_DFL
    done = subprocess.run(
        [*RUNNER, "completion", "bash"], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
        check=False, preexec_fn=lambda: signal.signal(signal.SIGINT, how),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, "")
    assert bool(done.stdout) is ignored


@pytest.mark.parametrize(("words", "status"), [(["state", "nothing"], 1), (["stat"], 2)])
def test_errors_that_cannot_be_written_change_no_exit_status(tmp_path: Path, words: list[str], status: int) -> None:
    with Path("/dev/full").open("w") as full:
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        done = subprocess.run([*RUNNER, "--state", tmp_path, *words], stderr=full, env=buffered, check=False)
    assert done.returncode == status


@pytest.mark.parametrize("words", [["--json", "flows"], ["--runner", "main", "flows"], ["--all=1", "dead", "replay"]])
def test_an_option_in_front_of_the_command(words: list[str]) -> None:
    done = subprocess.run([*RUNNER, *words], capture_output=True, text=True, check=False)
    option = words[0].partition("=")[0]
    assert done.returncode == 2
    assert f"{option} stands behind the command: runner COMMAND {option} ..." in done.stderr


def test_a_signal_brings_the_cursor_back(tmp_path: Path) -> None:
    """As soon as the table of `runner run` has hidden it."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [*RUNNER, "--state", tmp_path, "run", Path("configs/words.yaml").absolute()], stdin=its, stdout=its, stderr=its,
        env=os.environ | {"TERM": "xterm"},
    )  # fmt: skip
    os.close(its)
    seen = b""
    with contextlib.suppress(OSError):  # EIO: it has ended
        while read := os.read(ours, 65536):
            if HIDE in seen + read and HIDE not in seen:
                process.terminate()
            seen += read
    os.close(ours)
    assert process.wait() == 0
    assert seen.rindex(b"\x1b[?25h") > seen.index(HIDE)
