"""Environments of python3 and node: apart, shared, kept while in use, made offline."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from tests.harness import Harness, need, running
from tests.packages import tarball, wheel

PYTHON = "import tinypack\n\n\ndef run(message, context):\n    return [message, tinypack.VERSION]\n"
COMMON = "const { VERSION } = require('tinypack')\nmodule.exports = (message) => [message, VERSION]\n"
ESM = "import { VERSION } from 'tinypack'\nexport default (message) => [message, VERSION]\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both versions of a package for both languages; no index is asked."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for version in ("1.0.0", "2.0.0"):
        wheel(folder, "tinypack", version, f"VERSION = {version!r}\n")
        tarball(folder, "tinypack", version, f"exports.VERSION = '{version}'\n")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    return folder


@pytest.fixture
def home(cache: Path, packages: Path, tmp_path: Path) -> Iterator[Harness]:
    assert cache
    assert packages
    with running(tmp_path / "state") as harness:
        yield harness


def spec(runtime: str, packages: Path, version: str) -> str:
    if runtime == "python3":
        return f"tinypack=={version}"
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: apt-get install npm")
    return f"file:{packages / f'tinypack-{version}.tgz'}"


def start_both(home: Harness, packages: Path, runtime: str, code: str) -> Any:
    """A flow of two modules that want different versions of one package, and what leaves it."""
    need(runtime)
    modules: dict[str, Any] = {
        name: {"runtime": runtime, "code": code, "dependencies": [spec(runtime, packages, version)]}
        for name, version in (("one", "1.0.0"), ("two", "2.0.0"))
    }
    modules["out"] = {"runtime": runtime, "code": "def run(m, c):\n    return m\n"}
    if runtime == "node":
        modules["out"]["code"] = "(m) => m"
    home.add("f", modules, ["one -> out", "two -> out"])
    out = home.collect("f", "out")
    home.start("f")
    return out


def environments(home: Harness, runtime: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = home.ok(api.ListDependencies, runtime_id=runtime)
    return found


@pytest.mark.parametrize(("runtime", "code"), [("python3", PYTHON), ("node", COMMON), ("node", ESM)])
def test_conflicting_versions_in_one_flow(home: Harness, packages: Path, runtime: str, code: str) -> None:
    out = start_both(home, packages, runtime, code)
    home.send("f/one", "a")
    home.wait(lambda: len(out.got) == 1)
    home.send("f/two", "b")
    home.wait(lambda: len(out.got) == 2)
    assert out.got == [["a", "1.0.0"], ["b", "2.0.0"]]
    mark = "==" if runtime == "python3" else "@"
    found = environments(home, runtime)
    assert sorted(e["locked"] for e in found) == [[f"tinypack{mark}1.0.0"], [f"tinypack{mark}2.0.0"]]
    assert all(e["usedBy"] == ["f"] and e["state"] == "ready" and e["bytes"] > 0 for e in found)


@pytest.mark.parametrize("runtime", ["python3", "node"])
def test_what_is_in_use_is_not_removed(home: Harness, packages: Path, runtime: str) -> None:
    start_both(home, packages, runtime, PYTHON if runtime == "python3" else COMMON)
    ids = [e["environmentId"] for e in environments(home, runtime)]
    assert len(ids) == 2
    remove = {"runtime_id": runtime, "environment_id": ids[0]}
    for _ in range(2):  # also when it is stopped: it will be started again
        reply = home.call(api.RemoveDependencies, **remove)
        assert not reply.ok
        assert reply.error == f"{ids[0]} is in use by f"
        assert home.ok(api.CollectDependencies) == {"removed": [], "bytes": 0}
        home.ok(api.StopFlow, flow_id="f")
    home.ok(api.RemoveFlow, flow_id="f")
    home.ok(api.RemoveDependencies, **remove)
    assert [e["environmentId"] for e in environments(home, runtime)] == ids[1:]
    collected = home.ok(api.CollectDependencies, runtime_id=runtime)
    assert collected["removed"] == ids[1:]
    assert collected["bytes"] > 0
    assert environments(home, runtime) == []
    reply = home.call(api.RemoveDependencies, **remove)
    assert reply.error == f"{runtime} has no environment '{ids[0]}'; it has none"


def test_another_runner_keeps_it_too(home: Harness, packages: Path, tmp_path: Path) -> None:
    start_both(home, packages, "python3", PYTHON)
    (first, second) = environments(home, "python3")
    with running(tmp_path / "other") as other:
        assert [e["usedBy"] for e in environments(other, "python3")] == [["another runner"]] * 2
        remove = {"runtime_id": "python3", "environment_id": first["environmentId"]}
        assert (
            other.call(api.RemoveDependencies, **remove).error
            == f"{remove['environment_id']} is in use by another runner"
        )
        assert other.ok(api.CollectDependencies)["removed"] == []
        home.ok(api.StopFlow, flow_id="f")
        assert len(other.ok(api.CollectDependencies)["removed"]) == 2
        assert second["environmentId"] not in [e["environmentId"] for e in environments(home, "python3")]
    home.start("f")  # it is made again


def test_a_second_flow_waits_for_nothing(home: Harness, packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start_both(home, packages, "python3", PYTHON)
    monkeypatch.setattr("actors.preparation.actor.Making", None)  # nothing is made from here on
    home.add("g", {"a": {"runtime": "python3", "code": PYTHON, "dependencies": ["tinypack==2.0.0"]}})
    out = home.collect("g", "a")
    home.start("g")
    home.send("g/a", 1)
    home.wait(lambda: out.got == [[1, "2.0.0"]])
    used = {e["locked"][0]: e["usedBy"] for e in environments(home, "python3")}
    assert used == {"tinypack==1.0.0": ["f"], "tinypack==2.0.0": ["f", "g"]}


@pytest.mark.parametrize("runtime", ["python3", "node"])
def test_what_does_not_exist_is_a_sentence(home: Harness, packages: Path, runtime: str) -> None:
    wanted = spec(runtime, packages, "3.0.0")
    reply = home.call(api.InstallDependencies, runtime_id=runtime, dependencies=[wanted])
    assert not reply.ok
    assert "could not be prepared" in reply.error
    assert ("tinypack==3.0.0" if runtime == "python3" else "tinypack-3.0.0.tgz") in reply.error
    assert environments(home, runtime) == []
    assert home.call(api.InstallDependencies, runtime_id=runtime, dependencies=[]).error == (
        "there is nothing to install: name at least one dependency"
    )


@pytest.mark.parametrize(
    ("runtime", "wanted", "right"),
    [
        ("python3", "tinypack@1", "tinypack==1"),
        ("python3", "tinypack@^1.2", "tinypack==1.2"),
        ("node", "tinypack==1", "tinypack@1"),
        ("node", "@tiny/pack>=1.2", "@tiny/pack@1.2"),
        ("go", "example.com/tiny/pack==1.0.0", "example.com/tiny/pack@v1.0.0"),
    ],
)
def test_the_notation_of_another_language(home: Harness, runtime: str, wanted: str, right: str) -> None:
    need(runtime)
    code = {"python3": PYTHON, "node": "m => m", "go": "package module"}[runtime]
    module = {"runtime": runtime, "code": code, "dependencies": [wanted]}
    home.add("f", {"a": module, "b": module})
    reply = home.call(api.StartFlow, flow_id="f")
    assert reply.error.startswith(f"f: the environment of a, b ({wanted}) could not be prepared: ")
    assert f"a version is written {right}, not {wanted}" in reply.error


def counter(imports: str, version: str) -> str:
    body = "    context.set('n', context.get('n', 0) + 1)\n"
    return f"{imports}\n\ndef run(message, context):\n{body}    return [{version}, context.get('n')]\n"


def test_an_update_brings_dependencies_and_a_bad_one_changes_nothing(home: Harness) -> None:
    """The module moves to another host, with its context; a set that does not exist leaves it where it is."""
    plain, packed = counter("", "'none'"), counter("import tinypack", "tinypack.VERSION")

    def flow(code: str, *dependencies: str) -> dict[str, Any]:
        return {"id": "f", "modules": {"a": {"runtime": "python3", "code": code, "dependencies": [*dependencies]}}}

    home.ok(api.AddOrUpdateFlow, flow=flow(plain))
    out = home.collect("f", "a")
    home.start("f")
    steps = [(flow(packed, "tinypack==1.0.0"), True), (flow(packed, "tinypack==9"), False),
             (flow(packed, "tinypack==2.0.0"), True), (flow(packed), False), (flow(plain), True)]  # fmt: skip
    for number, (wanted, good) in enumerate(steps, 1):
        home.send("f/a", None)
        home.wait(lambda number=number: len(out.got) == number)
        reply = home.call(api.AddOrUpdateFlow, flow=wanted)
        assert reply.ok is good, reply.error
        if number == 2:
            assert "(tinypack==9) could not be prepared" in reply.error
        if number == 4:
            assert "No module named 'tinypack'" in reply.error
    home.send("f/a", None)
    home.wait(lambda: len(out.got) == 6)
    assert out.got == [["none", 1], ["1.0.0", 2], ["1.0.0", 3], ["2.0.0", 4], ["2.0.0", 5], ["none", 6]]
    assert [e["usedBy"] for e in environments(home, "python3")] == [[], []]
    assert len(home.ok(api.CollectDependencies)["removed"]) == 2  # no hold was left behind


def reachable(host: str) -> None:
    try:
        socket.create_connection((host, 443), 5).close()
    except OSError as error:
        pytest.skip(f"{host} cannot be reached: {error}")


def test_numpy_and_offline_reuse(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is asked once; after that a removed environment is made again without it."""
    reachable("pypi.org")
    code = "import numpy\n\n\ndef run(message, context):\n    return float(numpy.mean(message))\n"
    with running(tmp_path / "state") as home:
        for network in (True, False):
            if not network:
                monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
                monkeypatch.setenv("UV_HTTP_TIMEOUT", "2")
                monkeypatch.setenv("UV_HTTP_RETRIES", "0")
            home.add("f", {"a": {"runtime": "python3", "code": code, "dependencies": ["numpy==2.*"]}})
            out = home.collect("f", "a")
            home.start("f")
            home.send("f/a", [1, 2, 6])
            home.wait(lambda out=out: out.got == [3.0])
            home.ok(api.RemoveFlow, flow_id="f")
            assert len(home.ok(api.CollectDependencies)["removed"]) == 1
    assert not list((cache / "environments").iterdir())


def test_npm_offline_reuse(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("node")
    spec("node", tmp_path, "1.0.0")
    reachable("registry.npmjs.org")
    with running(tmp_path / "state") as home:
        for network in (True, False):
            if not network:
                monkeypatch.setenv("npm_config_https_proxy", "http://127.0.0.1:9")
                monkeypatch.setenv("npm_config_fetch_retries", "0")
            home.ok(api.InstallDependencies, runtime_id="node", dependencies=["ms@2.0.0"])
            (found,) = environments(home, "node")
            assert found["locked"] == ["ms@2.0.0"]
            lock = json.loads((cache / "environments" / found["environmentId"] / "package-lock.json").read_text())
            assert lock["packages"]["node_modules/ms"]["resolved"].startswith("https://")
            home.ok(api.RemoveDependencies, runtime_id="node", environment_id=found["environmentId"])
