"""`runner deps`: without a live runner, with one, cancelled, and what a killed `runner run` leaves of a build."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtimes.environments import finished
from tests.deployments import RUNNER, TIMEOUT_S, Plant, cli, gone, plant

LINES = ["  taking p", "  taking q"]


@pytest.fixture(params=["no live runner", "a live runner", "several runners"])
def state(request: pytest.FixtureRequest, cache: Path, tmp_path: Path) -> Iterator[Path]:
    assert cache
    if request.param == "no live runner":
        yield tmp_path / "state"
        return
    runners: dict[str, Any] = {"edge": {}}
    if request.param == "several runners":  # without one that is named, all that offer the runtime are meant
        runners |= {"big": {"runtimes": ["python3", "toy"]}, "other": {"runtimes": ["python3"]}}
    with plant(tmp_path, runners=runners) as deployment:
        deployment.wait_until_up()
        yield deployment.state


def deps(state: Path, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = cli(state, "deps", *words)
    assert done.returncode == status, done
    assert "Traceback" not in done.stderr
    return done


def test_list_install_remove_collect(state: Path) -> None:
    assert deps(state, "list", "toy").stdout == "toy has no environments\n"
    assert deps(state, "list").stdout == "there are no environments\n"
    done = deps(state, "install", "toy", "p=1", "q=2")
    assert [line for line in done.stderr.splitlines() if "taking" in line] == LINES
    environment = done.stdout.strip()
    assert deps(state, "install", "toy", "q=2", "p=1").stdout.strip() == environment
    (listed,) = json.loads(deps(state, "list", "toy", "--json").stdout)
    assert listed.pop("bytes") > 0
    assert listed.pop("runners", ["edge", "big"]) == ["edge", "big"]
    assert listed == {
        "environmentId": environment, "dependencies": ["p=1", "q=2"], "locked": ["p=1.0", "q=2.0"], "state": "ready",
        "usedBy": [],
    }  # fmt: skip
    table = deps(state, "list", "toy").stdout.splitlines()
    assert table[0].split()[:3] == ["ENVIRONMENT", "STATE", "SIZE"]
    assert table[1].startswith(f"{environment}  ready")
    assert deps(state, "list").stdout.splitlines()[1].startswith(f"{environment}  ready")
    assert deps(state, "remove", "toy", environment).stdout == f"{environment}: removed\n"
    assert "has no environment" in deps(state, "remove", "toy", environment, status=1).stderr
    deps(state, "install", "toy", "p=1")
    deps(state, "install", "toy", "p=2")
    assert len(json.loads(deps(state, "gc", "--json").stdout)["removed"]) == 2
    assert deps(state, "gc", "toy").stdout == "there is nothing that nobody uses\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["install", "toy", "missing=p"], "could not be prepared: there is no package p"),
        (["install", "toy"], "there is nothing to install"),
        (["install", "toy", " "], "dependencies: must be a list of at most 1000 texts"),
        (["install", "cobol", "x"], "there is no runtime 'cobol'; there are "),
        (["list", "cobol"], "there is no runtime 'cobol'"),
        (["gc", "cobol"], "there is no runtime 'cobol'"),
    ],
)
def test_refusals(cache: Path, tmp_path: Path, words: list[str], text: str) -> None:
    assert cache
    assert text in deps(tmp_path / "state", *words, status=1).stderr


def test_ctrl_c_cancels_an_installation(state: Path, cache: Path, gate: Path) -> None:
    command = [*RUNNER, "--state", str(state), "deps", "install", "toy", f"wait={gate}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with gate.open("w"):  # opens when it is half-way
        preparing = int(next((cache / "making").glob("*/pid")).read_text())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
        assert (process.returncode, out) == (130, ""), err
        assert gone([preparing])
    assert finished(cache, "environments") == {}
    assert deps(state, "list", "toy").stdout == "toy has no environments\n"


def test_one_client_cancels_for_another(cache: Path, gate: Path, tmp_path: Path) -> None:
    wanted = ("toy", [f"wait={gate}"])
    with plant(tmp_path) as deployment:
        deployment.wait_until_up()
        with deployment.client() as first, deployment.client() as second:
            future = first.begin("installDependencies", *wanted)
            with gate.open("w"):
                (entry,) = second.list_dependencies("toy")
                assert (entry["state"], entry["progress"]) == ("preparing", "taking wait")
                assert not second.remove_dependencies("toy", entry["environmentId"])
                assert second.cancel_dependencies(*wanted)
                problem = future.exception(TIMEOUT_S)
            assert "could not be prepared: it was cancelled" in str(problem)
            assert second.list_dependencies("toy") == []
    assert finished(cache, "environments") == {}


def write_flow(tmp_path: Path, gate: Path) -> Path:
    code = f"# compile: read {gate}\ndef run(message, context):\n    return message\n"
    path = tmp_path / "f.json"
    path.write_text(json.dumps({"id": "f", "modules": {"a": {"runtime": "toy", "code": code}}}))
    return path


def run(tmp_path: Path, flow: Path, *more: str) -> list[str]:
    return [*RUNNER, "--state", str(tmp_path / "state"), "run", str(flow), *more]


def test_ctrl_c_ends_a_run_that_still_compiles(cache: Path, gate: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        run(tmp_path, write_flow(tmp_path, gate)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        with gate.open("w"):
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 1
        assert "f: the modules of toy could not be compiled: it was cancelled" in err
    assert finished(cache, "builds") == {}


def test_kill_9_of_a_run_that_compiles(cache: Path, gate: Path, tmp_path: Path) -> None:
    """Nothing looks finished, the compiler does not stay, and the next run clears up and compiles."""
    flow = write_flow(tmp_path, gate)
    process: Any = subprocess.Popen(run(tmp_path, flow), stderr=subprocess.DEVNULL)
    with gate.open("w"):
        (folder,) = (cache / "making").iterdir()
        compiler = int((folder / "pid").read_text())
        process.kill()
        process.wait()
        assert gone([compiler])
    assert finished(cache, "builds") == {}
    process = subprocess.Popen(run(tmp_path, flow, "--for", "0"), stderr=subprocess.PIPE, text=True)
    gate.write_text("go")
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, err
    assert len(finished(cache, "builds")) == 1
    assert not folder.exists()


def test_a_deployment_with_a_compiled_flow(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(
        json.dumps({"id": "f", "modules": {"a": {"runtime": "toy", "code": "def run(m, c):\n    return m\n"}}})
    )
    deployment = Plant(tmp_path, flows=[{"file": "f.json"}])
    try:
        deployment.wait_until_up()
        with deployment.client() as client:
            assert client.flow_state("f")["state"] == "running"
    finally:
        deployment.end()
    assert len(finished(cache, "builds")) == 1


def test_what_a_stopped_flow_of_another_runner_uses_stays(cache: Path, tmp_path: Path) -> None:
    assert cache
    module = {"runtime": "toy", "code": "def run(m, c): pass\n", "dependencies": ["p=1"]}
    (tmp_path / "f.json").write_text(json.dumps({"id": "f", "modules": {"a": module}}))
    runners: dict[str, Any] = {"edge": {}, "big": {}, "other": {}}
    for place in runners:
        with plant(tmp_path, runners=runners, flows=[{"file": "f.json", "place": {"a": place}}]) as up:
            up.wait_until_up()
            assert up.cli("stop", "f").returncode == 0
            deps(up.state, "install", "toy", "p=2")
            removed = json.loads(deps(up.state, "gc", "--json").stdout)["removed"]
            [left] = json.loads(deps(up.state, "list", "toy", "--json").stdout)
            assert (left["usedBy"], left["dependencies"]) == (["f"], ["p=1"]) and left["environmentId"] not in removed
            assert up.cli("remove", "f").returncode == 0
            assert json.loads(deps(up.state, "gc", "toy", "--json").stdout)["removed"] == [left["environmentId"]]
            assert up.cli("down").returncode == 0
