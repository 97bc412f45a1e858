"""Runners in containers: started by podman or docker, found, killed, started again, ended in order, and none is left.

An engine that is no engine runs the same process without a container: what has to do with the process itself is tried
everywhere. With podman and the image of `scripts/container` it is a real one (`--full`).
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors.console.client import RunnerClient
from actors.definition.deployment import read_deployment
from actors.definition.model import FlowError
from actors.deployment.container.engine import container_name
from actors.deployment.container.talk import MAX_BYTES, Talk, TalkError
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_dispatcher import RunnerSaid
from tests.deployment.test_move import check, flow, up_with
from tests.deployment.test_runners_change import again, passes, places, runners, write
from tests.deployment.test_several_runners import until
from tests.deployments import Plant, gone, plant

ENGINE = """#!{python}
import os, sys
words = sys.argv[1:]
with open({log!r}, "a") as log:
    print(*words, file=log)
if words[:1] == ["info"] and os.path.exists({broken!r}):
    sys.exit("the engine is not there")
if words[:2] == ["image", "inspect"]:
    sys.exit(0 if words[2] == "here" else "no such image")
if words[0] == "run":
    at = words.index("here")
    for place, word in enumerate(words[:at]):
        if word == "-e":
            name, _, value = words[place + 1].partition("=")
            os.environ[name] = value
    os.makedirs(os.environ["HOME"], exist_ok=True)
    os.execv({python!r}, [{python!r}, "-m", "actors.console", *words[at + 1:]])
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Its log: the commands, one a line."""
    folder = tmp_path / "bin"
    folder.mkdir()
    log, broken = folder / "log", folder / "broken"
    for name in ("podman", "docker"):
        (folder / name).write_text(ENGINE.format(python=sys.executable, log=str(log), broken=str(broken)))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(actors.__file__).parents[1]))
    yield log


def contained(folder: Path, image: str, **more: Any) -> dict[str, Any]:
    """A plant whose runner `b` is in a container."""
    made = up_with(folder, flow(rate=500, **more), source="a", one="b", two="b", sum="c")
    made["runners"] = {"a": {}, "b": {"container": image, "runtimes": ["python3"]}, "c": {"runtimes": ["python3"]}}
    return made


def killed(client: RunnerClient) -> None:
    """The process of the runner `b`, by force; another one follows."""
    pid = runners(client)["b"]
    os.kill(pid, signal.SIGKILL)
    assert gone([pid])
    until(lambda: runners(client)["b"] not in (None, pid))
    until(lambda: client.flow_state("f")["state"] == "running")


def lives(up: Plant, client: RunnerClient) -> None:
    """What is true of any runner is true of it."""
    passes(client)
    row = next(row for row in client.list_runners() if row["name"] == "b")
    assert psutil.pid_exists(row["pid"]) and row["state"] == "up" and row["incarnation"] == 1
    with RunnerClient(state=up.state, runner="b") as alone:
        assert set(alone.flow_state("f")["modules"]) == {"one", "two"}
    killed(client)
    passes(client)
    assert (restarted := client.restart_runner("b")), restarted.error
    passes(client)
    for runner in "cb":
        assert (moved := client.move_module("f/two", runner)), moved.error
    check(up, client)


def test_a_runner_whose_process_is_behind_a_pipe(tmp_path: Path, engine: Path) -> None:
    with plant(tmp_path, **contained(tmp_path, "here", durable=True)) as up:
        up.wait_until_up()
        pids = up.pids()
        with up.client() as client:
            lives(up, client)
            pids += [runners(client)["b"]]
        assert up.cli("down").returncode == 0 and up.process.wait(60) == 0
        assert gone(pids)
    said = engine.read_text().splitlines()
    name = container_name(str(up.state / "kept" / "plant" / "b"))
    assert said.count(f"rm -f {name}") >= 3 and sum(line.startswith("run ") for line in said) == 3
    run = next(line for line in said if line.startswith("run "))
    assert "--pull never" in run and "--rm" in run and f"--name {name}" in run and "pull here" not in run


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("victim", ["dispatcherPid", pytest.param("pid", marks=pytest.mark.full)])
def test_with_its_deployment_it_ends(tmp_path: Path, victim: str) -> None:
    with plant(tmp_path, **contained(tmp_path, "here")) as up:
        facts = up.wait_until_up()
        with up.client() as client:
            pids = [runners(client)["b"], *up.pids()]
        os.kill(facts[victim], signal.SIGKILL)
        assert gone(pids)


def test_what_keeps_it_from_starting_is_said(tmp_path: Path, engine: Path) -> None:
    broken = engine.with_name("broken")
    cases = {
        "nowhere": "podman has no image nowhere here, and none is pulled by itself",
        "here": "no container engine works here (`podman info`: the engine is not there",
    }
    for image, error in cases.items():
        if image == "here":
            broken.touch()
        with plant(tmp_path, **contained(tmp_path, image)) as up:
            assert up.process.wait(60) == 1
            assert error in (log := up.log.read_text()) and "Traceback" not in log
        shutil.rmtree(tmp_path / "state")


def test_a_container_that_changes(tmp_path: Path, engine: Path) -> None:
    """A runner goes into one, with what it has, and out of it; an image that is not there is refused before."""
    plain = {"a": {}, "b": {"runtimes": ["python3"]}, "c": {"runtimes": ["python3"]}}
    inside = plain | {"b": {"runtimes": ["python3"], "container": "here", "limits": {"memory_mb": 512}}}
    place = {"source": "a", "one": "b", "two": "b", "sum": "c"}
    more = up_with(tmp_path, flow(rate=500), **place) | {"runners": plain}
    with plant(tmp_path, **more) as up:
        up.wait_until_up()
        with up.client() as client:
            write(up, plain | {"b": {"runtimes": ["python3"], "container": "nowhere"}}, place)
            refused = up.cli("up", str(up.file))
            assert refused.returncode == 1 and "has no image nowhere" in refused.stderr
            passes(client)
            write(up, inside, place)
            assert "would be started again (container, memory_mb)" in up.cli("up", str(up.file), "--plan").stdout
            assert [one["did"] for one in again(up)["runners"]] == ["restart"]
            assert "--memory 512m" in engine.read_text()
            passes(client)
            write(up, plain, place)
            assert [one["did"] for one in again(up)["runners"]] == ["restart"]
            assert places(client) == place
            check(up, client)


@pytest.mark.parametrize(
    ("runner", "says"),
    [
        ({"container": ""}, "the name of an image"),
        ({"container": "--privileged"}, "the name of an image"),
        ({"container": "an image"}, "the name of an image"),
        ({"limits": {"memory_mb": 100}}, "`runners.b.limits` are those of a `container`"),
        ({"container": "i", "limits": {"memory": 1}}, "memory_mb"),
        ({"container": "i", "machine": "m2"}, "its agent can be in a container"),
    ],
)
def test_what_a_file_may_not_say(tmp_path: Path, runner: dict[str, Any], says: str) -> None:
    machines = {"m1": {"address": "127.0.0.1"}, "m2": {"address": "127.0.0.2"}}
    more = {"machines": machines, "keys": "keys"} if "machine" in runner else {}
    file = tmp_path / "d.json"
    file.write_text(json.dumps({"name": "d", "runners": {"a": {}, "b": runner}, **more}))
    with pytest.raises(FlowError, match=says):
        read_deployment(file, ["python3"])


# what comes out of a container --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Foreign:
    """Not of ours."""

    command: str


def end() -> Talk:
    return Talk(lambda one: one if isinstance(one, int) and one > 1 << 40 else None, lambda number: ("at", number))


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.integers(0, 9)), max_leaves=9,
), st.data())  # fmt: skip
def test_any_message_comes_whole_however_it_is_cut(value: Any, data: st.DataObject) -> None:
    message = (1, RunnerSaid(said=(Reply(request_id="a", ok=True, value=value),)))
    stream = end().packed(message) * 2
    reader, came, at = end(), [], 0
    while at < len(stream):
        step = data.draw(st.integers(1, len(stream) - at))
        came += list(reader.feed(stream[at : at + step]))
        at += step
    assert came == [message, message]
    assert list(end().feed(end().packed([1 << 41]))) == [[("at", 1 << 41)]]


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/runner-was-broken-into",)


@pytest.mark.parametrize("bad", [Bomb(), Foreign("x"), subprocess.Popen, Path("/etc"), os.system, eval])
def test_what_is_none_of_ours_is_not_made(bad: Any) -> None:
    body = pickle.dumps((1, bad))
    with pytest.raises(TalkError, match="is none of our messages"):
        list(end().feed(len(body).to_bytes(4, "little") + body))
    assert not Path("/tmp/runner-was-broken-into").exists()


@pytest.mark.parametrize("data", [(MAX_BYTES + 1).to_bytes(4, "little"), b"\4\0\0\0abcd", b"\0\0\0\0"])
def test_garbage_is_no_message(data: bytes) -> None:
    with pytest.raises(TalkError):
        list(end().feed(data))


SAID = b"cactors.messages.runner_to_dispatcher\nRunnerSaid\n"


@pytest.mark.parametrize(
    "body",
    [
        b"N" + pickle.LONG_BINPUT + (50_000_000).to_bytes(4, "little") + b".",  # a table of so many places
        b"Np50000000\n.",
        pickle.BYTEARRAY8 + (1 << 44).to_bytes(8, "little") + b".",
        b"cbuiltins\nbytearray\nI99999999999\n\x85R.",
        SAID + b"(N}S'within_s'\nI7\nstb.",  # a class gets another value for everybody
    ],
)
def test_a_few_bytes_neither_fill_the_memory_nor_change_a_class(body: bytes) -> None:
    before, peak_kb = dict(vars(RunnerSaid)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(TalkError):
        assert list(end().feed(len(body).to_bytes(4, "little") + body)) == [None]
    assert dict(vars(RunnerSaid)) == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < peak_kb + (100 << 10)


def test_random_bytes_end_in_an_error_or_wait_for_more() -> None:
    for _ in range(2000):
        with contextlib.suppress(TalkError):
            list(end().feed(b"\x20\0\0\0" + random.randbytes(32)))


# a real one ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of `scripts/container` with the runner as it is here."""
    base, name = "localhost/polyglot-flow-runner:latest", "localhost/runner-test-containers"
    if shutil.which("podman") is None or subprocess.run(["podman", "image", "exists", base], check=False).returncode:
        pytest.skip(f"no podman here, or no image {base}: `scripts/container` makes it")
    folder = tmp_path_factory.mktemp("image")
    here = Path(actors.__file__).parents[1]
    packages = Path(psutil.__file__).parents[1]
    more = ("cryptography", "cffi", "h11", "websockets")  # an image of last month may lack them
    found = [here / name for name in ("actors", "runtimes", "catalogue")]
    found += [path for name in more if (path := packages / name).exists()]
    for path in found:
        shutil.copytree(path, folder / "site" / path.name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in packages.glob("_cffi_backend*"):
        shutil.copy(path, folder / "site")
    site = "/opt/venv/lib/python3.11/site-packages"
    (folder / "Containerfile").write_text(
        f"FROM {base}\nUSER root\nCOPY site {site}\nRUN /opt/venv/bin/python -m compileall -q {site}/actors\n"
    )
    limits = ["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=4096:4096"]
    build = ["podman", "build", "-q", "--pull=never", "--format", "docker", "--network", "host", *limits, "-t", name]
    subprocess.run([*build, str(folder)], check=True, capture_output=True, timeout=300)
    yield name
    subprocess.run(["podman", "rmi", "-f", name], check=False, capture_output=True, timeout=100)


def containers(up: Plant) -> list[str]:
    name = container_name(str(up.state / "kept" / "plant" / "b"))
    command = ["podman", "ps", "-a", "--filter", f"name={name}", "--format", "{{.Names}} {{.Status}}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout.split("\n")[:-1]


@pytest.mark.full
def test_a_real_container(tmp_path: Path, image: str) -> None:
    with plant(tmp_path, **contained(tmp_path, image, durable=True)) as up:
        up.wait_until_up()
        with up.client() as client:
            assert len(containers(up)) == 1
            lives(up, client)
            assert len(containers(up)) == 1
        assert up.cli("down").returncode == 0 and up.process.wait(100) == 0
        assert containers(up) == []


@pytest.mark.full
def test_a_real_container_that_hangs_or_is_killed_by_its_engine(tmp_path: Path, image: str) -> None:
    with plant(tmp_path, **contained(tmp_path, image, durable=True)) as up:
        facts = up.wait_until_up()
        with up.client() as client:
            passes(client)
            for act in ("kill", "hang", "rm"):
                pid = runners(client)["b"]
                name = containers(up)[0].split()[0]
                if act == "hang":
                    os.kill(pid, signal.SIGSTOP)
                else:
                    command = ["podman", *(["kill"] if act == "kill" else ["rm", "-f"]), name]
                    subprocess.run(command, check=True, capture_output=True, timeout=100)
                assert gone([pid])
                until(lambda old=pid: runners(client)["b"] not in (None, old))  # type: ignore[misc]
                passes(client)
            check(up, client)
            pids = [runners(client)["b"], *up.pids()]
        os.kill(facts["pid"], signal.SIGKILL)  # then the rest ends by itself, the container too
        assert gone(pids)
        until(lambda: containers(up) == [])
