"""Runners that cannot be reached: stopped by a signal, of another user, too many waiting. A sentence, soon."""

from __future__ import annotations

import json
import os
import re
import signal
import site
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import actors
from actors.console import calls
from actors.console.client import RunnerClient, RunnerError
from actors.console.errors import UserError
from actors.console.live_runners import LiveRunner, find_runner, live_runners
from actors.deployment.folder import DeploymentFolder
from actors.doors import rpc
from actors.doors.unix_socket import connect
from actors.preparation.state_folder import RunFolder
from tests.deployments import RUNNER, cli, flow, plant

VERBS = [
    ["runtimes"], ["flows"], ["apply", "FILE"], ["remove", "f"], ["start", "f"], ["stop", "f"], ["rollback", "f"],
    ["state", "f"], ["audit"], ["send", "f/a", "1"], ["tap", "f/a"], ["dead", "list", "f"], ["dead", "replay", "f/1"],
    ["break", "f/a"], ["unbreak", "f/a"], ["pause", "f"], ["resume", "f"], ["step"], ["held", "list", "f"],
    ["held", "drop", "f/a#1"], ["deps", "list", "python3"], ["deps", "gc"],
]  # fmt: skip


@contextmanager
def live(folder: Path, name: str = "f") -> Iterator[subprocess.Popen[bytes]]:
    """`runner run` of a flow that waits."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(flow(name)))
    words = [*RUNNER, "--state", str(folder / "state"), "run", str(file)]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            while b"waits for" not in process.stderr.readline():
                assert process.poll() is None
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.stderr.read()
    assert process.returncode == 0


def stopped(process: subprocess.Popen[bytes]) -> str:
    process.send_signal(signal.SIGSTOP)
    return f"runner: the runner f ({process.pid}) is stopped by a signal: `kill -CONT {process.pid}` lets it go on\n"


def test_a_runner_that_is_stopped_by_a_signal(tmp_path: Path) -> None:
    """Every verb: a word after 3 s, and so also when as many wait for it as can."""
    with live(tmp_path) as process, ThreadPoolExecutor(6) as pool:
        said = stopped(process)

        def call(verb: list[str]) -> tuple[int, str, str]:
            done = cli(tmp_path / "state", *(word.replace("FILE", str(tmp_path / "f.json")) for word in verb))
            return done.returncode, done.stdout, done.stderr

        began = time.monotonic()
        assert call(["flows"]) == (1, "", said)
        assert 3 <= time.monotonic() - began < 20
        answers = list(pool.map(call, VERBS))
        assert {answer[:2] for answer in answers} == {(1, "")}
        assert all(answer[2] == said or "as many calls as can be" in answer[2] for answer in answers), answers
        (runner,) = live_runners(tmp_path / "state")
        waiting = []
        with pytest.raises(BlockingIOError):
            while len(waiting) < 1000:
                waiting.append(connect(runner.socket))
        assert "does not answer: as many calls as can be wait for it already" in call(["flows"])[2]
        for connection in waiting:
            connection.close()


def test_the_others_can_be_reached(tmp_path: Path) -> None:
    with live(tmp_path) as process, live(tmp_path, "g"):
        said = stopped(process)
        assert cli(tmp_path / "state", "send", "g/a", "1").returncode == 0
        assert cli(tmp_path / "state", "apply", str(tmp_path / "g.json")).returncode == 0
        done = cli(tmp_path / "state", "send", "h/a", "1")
        assert done.returncode == 1 and "no live runner has the flow 'h'" in done.stderr and said in done.stderr


def test_a_runner_that_is_busy_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "ANSWER_TIMEOUT_S", (0.1, 60.0))
    monkeypatch.setattr(calls, "_is_stopped", lambda _pid: False)
    with live(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        (runner,) = live_runners(tmp_path / "state")
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(ask, runner)
            assert not wait([asking], timeout=0.5).done
            process.send_signal(signal.SIGCONT)
            assert asking.result(60) == ["f"]


def ask(runner: LiveRunner) -> list[str]:
    with calls.reached(runner) as client:
        return [flow["id"] for flow in client.list_flows()]


def test_a_runner_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is closed to others: seen from there nothing is in it."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    folder = tmp_path / "runs" / str(os.getpid())
    folder.mkdir(parents=True)
    with pytest.raises(UserError, match=rf"the runner in {tmp_path} \({os.getpid()}\) belongs to the user "):
        find_runner(tmp_path, None)
    folder.rename(folder.parent / "4194305")  # a process that cannot be
    with pytest.raises(UserError, match="no runner is live"):
        find_runner(tmp_path, None)


def test_a_runner_that_is_being_restarted(tmp_path: Path) -> None:
    """It is waited for; one that has no door for long is named."""
    with plant(tmp_path) as up:
        os.kill(up.wait_until_up()["runners"]["edge"], signal.SIGKILL)
        assert (done := up.cli("flows")).returncode == 0, done.stderr


def test_a_process_without_a_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.console.live_runners, "RESTART_S", 0.1)
    folder = RunFolder(tmp_path)
    try:
        with pytest.raises(UserError, match=rf"the process {os.getpid()} is at work in .*nobody answers for it"):
            find_runner(tmp_path, None)
    finally:
        folder.close()
    with pytest.raises(UserError, match="no runner is live"):
        find_runner(tmp_path, None)


PYTHON = "/usr/bin/python3"  # the one of the tests may be closed to others
NOBODY = 65534


def as_nobody(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A verb as another user."""
    packages = os.pathsep.join([str(Path(actors.__file__).parents[1]), *site.getsitepackages()])
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": packages, "RUNNER_CACHE": "/nonexistent"}
    env |= variables
    return subprocess.run(
        [PYTHON, "-B", "-m", "actors.console", *words], cwd=folder, env=env, user=NOBODY, group=NOBODY, extra_groups=[],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A folder that others may look into, with things that they may not."""
    if os.geteuid():
        pytest.skip("only root can be another user")
    version = "import sys; print(sys.version_info[:2])"
    done = subprocess.run([PYTHON, "-c", version], capture_output=True, text=True, check=False)
    if done.stdout.strip() != str(sys.version_info[:2]):
        pytest.skip(f"{PYTHON} is another Python")
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed" / "runs").mkdir(parents=True)
        (folder / "closed").chmod(0o700)
        (folder / "open" / "runs" / str(os.getpid())).mkdir(parents=True)
        (folder / "open" / "runs" / str(os.getpid())).chmod(0o700)
        for file in ("f.json", "secret.json"):
            (folder / file).write_text(json.dumps(flow("f")))
        (folder / "own").mkdir()
        os.chown(folder / "own", NOBODY, NOBODY)
        (folder / "plant.yaml").write_text("name: plant\nrunners: {edge: {}}\nflows: [{file: f.json}]\n")
        (folder / "secret.json").chmod(0o600)
        yield folder


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--state closed flows", "closed cannot be looked into: it belongs to the user root"),
        ("--state open flows", "belongs to the user root: nobody else can reach it"),
        ("--state open send f/a 1", "belongs to the user root: nobody else can reach it"),
        ("--state open run f.json", "the state directory open: Permission denied"),
        ("--state closed run f.json", "the state directory closed: Permission denied"),
        ("--state new run f.json", "new: Permission denied"),
        ("--state closed up plant.yaml", "closed: Permission denied; --state DIR"),
        ("--state closed down", "closed/deployments: Permission denied"),
        ("--state new test f.json", "carries no tests"),
        ("--state new run secret.json", "secret.json cannot be read: Permission denied"),
        ("--state new run f.json -i a.in=secret.json", "-i a.in=secret.json: Permission denied"),
        ("--state new run f.json -o a.out=out", "-o a.out=out: Permission denied"),
        ("--state new new python3 x", "x.py cannot be written: Permission denied"),
        ("--state new deps list python3", "new: Permission denied"),
        ("--state closed doctor", None),
    ],
)
def test_permission_errors_are_sentences(foreign: Path, words: str, says: str | None) -> None:
    done = as_nobody(foreign, *words.split())
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    if says is None:
        assert re.search("MISSING +state folder +closed: Permission denied", done.stdout)
    else:
        assert says in done.stderr, done.stderr
        assert all(line.startswith("runner: ") for line in done.stderr.splitlines()), done.stderr


@pytest.mark.parametrize("words", ["list python3", "remove python3 x", "gc", "install python3 six"])
def test_a_cache_that_is_closed_is_a_sentence(foreign: Path, words: str) -> None:
    closed = str(foreign / "closed" / "cache")
    done = as_nobody(foreign, "--state", "own", "deps", *words.split(), RUNNER_CACHE=closed)
    (sentence,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert sentence.startswith("runner: ") and f"{closed}/" in sentence and sentence.endswith(": Permission denied")


def test_a_folder_of_runtimes_that_is_closed_is_a_sentence(foreign: Path) -> None:
    done = as_nobody(foreign, "--state", "own", "runtimes", RUNNER_RUNTIMES=str(foreign / "closed"))
    assert (done.returncode, done.stderr) == (1, f"runner: {foreign / 'closed'}: Permission denied\n")


@pytest.mark.parametrize("words", [["runtimes"], ["run", "f.yaml"], ["deps", "gc"], ["up", "plant.yaml"], ["doctor"]])
def test_a_runtime_of_ours_that_is_no_runtime_is_a_sentence(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "mine" / "x").mkdir(parents=True)
    (tmp_path / "mine" / "x" / "runtime.yaml").write_text("id: x\nname: [")
    (tmp_path / "f.yaml").write_text("id: f\nmodules: {a: {runtime: python3, code: x}}\n")
    (tmp_path / "plant.yaml").write_text("name: p\nrunners: {main: {}}\nflows: [{file: f.yaml}]\n")
    done = subprocess.run(
        [sys.executable, "-m", "actors.console", "--state", "state", *words], cwd=tmp_path, capture_output=True,
        text=True, timeout=60, check=False, env={**os.environ, "RUNNER_RUNTIMES": "mine"},
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "mine/x/runtime.yaml: cannot be read: " in done.stderr + done.stdout


def test_refused_before_it_has_asked(tmp_path: Path) -> None:
    """The reason is said, also where the connection is closed before the question is written."""
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind(str(path))
        listener.listen()
        for _ in range(100):
            pool.submit(_refuse, listener)
            with RunnerClient(socket=path) as client, pytest.raises(RunnerError, match="no more are taken"):
                client.call("listFlows")


def _refuse(listener: socket.socket) -> None:
    with listener.accept()[0] as client:
        client.send(rpc.failure(None, rpc.REFUSED, "no more are taken"))


def test_a_deployment_that_has_failed_says_why(tmp_path: Path) -> None:
    """Nobody is there who could be asked: what it wrote down at its end is said."""
    folder = DeploymentFolder(tmp_path, "plant")
    folder.path.mkdir(parents=True)
    folder.record({"pid": 1, "flows": ["f"]})
    folder.end(["the disk is full"])
    with pytest.raises(UserError) as refused:
        find_runner(tmp_path, None)
    said = f"plant, the last time: the disk is full; its log: {folder.path / 'log'}"
    assert refused.value.sentences[1:] == (said,)
