"""Ctrl-C before there is anybody to take it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.deployments import RUNNER

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
