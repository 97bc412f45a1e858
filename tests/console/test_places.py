"""Where nothing can be written or opened: which place that is, what to do about it, and nothing half is left."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.deployments import RUNNER, TIMEOUT_S, cli, flow

TEST = {"name": "t", "send": {"a": [1]}, "expect": {"a": [1]}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f.json").write_text(json.dumps({**flow("f"), "tests": [TEST]}))
    (tmp_path / "d.json").write_text(json.dumps({"name": "d", "runners": {"main": {}}, "flows": []}))
    return tmp_path


@pytest.mark.parametrize(
    "words", [["run", "f.json"], ["test", "f.json"], ["check", "f.json"], ["up", "d.json"], ["up", "d.json", "-d"]]
)
@pytest.mark.parametrize(
    ("state", "why"), [("f.json", "Not a directory"), ("/proc/no", "No such file or directory")]
)  # /proc: of root, too
def test_the_state_directory(folder: Path, words: list[str], state: str, why: str) -> None:
    state = str(folder / state)
    done = cli(Path(state), words[0], str(folder / words[1]), *words[2:])
    wanted = f"runner: the state directory {state}: {why}; --state DIR or $RUNNER_STATE names another one\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", wanted)


def test_a_flow_file_that_cannot_be_written(folder: Path) -> None:
    """As on a full disk."""
    file = folder / "f.yaml"
    test = json.dumps({**TEST, "expect": {"a": [2]}})
    text = f"# {'-' * 200_000}\nid: f\nmodules: {json.dumps(flow()['modules'])}\ntests:\n  - {test}\n"
    file.write_text(text)
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))
    done = subprocess.run(
        [*RUNNER, "--state", str(folder / "state"), "test", str(file), "--update"], preexec_fn=limit,
        text=True, capture_output=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, f"runner: {file}: File too large; it is as it was\n")
    assert file.read_text() == text and not list(folder.glob(".*"))


def test_a_port_that_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        deployment = {"name": "g", "runners": {"main": {}}, "flows": [], "gateway": {"listen": address}}
        (folder / "g.json").write_text(json.dumps(deployment))
        for words in (["run", str(folder / "f.json"), "--serve", address], ["up", str(folder / "g.json")]):
            done = cli(folder / "state", *words)
            assert done.returncode == 1
            assert done.stderr.splitlines()[0] == (
                f"runner: the gateway cannot be opened: {address}: Address already in use; "
                "--serve HOST:PORT, or `gateway: {listen: HOST:PORT}`, names another port, 0 any that is free"
            )
