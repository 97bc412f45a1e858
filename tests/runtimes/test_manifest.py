from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runtimes.manifest import ManifestError, Runtime, find_version, find_versions, load_runtimes, runtime_folders

REPOSITORY = Path(__file__).parents[2]
GOOD = """id: toy
name: Toy
version: {command: [toy, --version], minimum: "1.2"}
install: apt-get install toy
extensions: [.toy]
hot_load: true
host: ["{python}", "{folder}/host.py"]
"""


def write(folder: Path, text: str, name: str = "toy") -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "runtime.yaml").write_text(text)
    return folder


def toy(folder: Path, text: str = GOOD) -> Runtime:
    return load_runtimes([write(folder, text)])["toy"]


def program(folder: Path, script: str) -> str:
    path = folder / "toy"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_runtimes_of_the_repository() -> None:
    runtimes = load_runtimes([REPOSITORY / "runtimes"])
    assert {"python3", "node"} <= runtimes.keys()
    assert runtimes["node"].extensions[0] == ".js"
    assert runtimes["python3"].hot_load is True


def test_host_command_names_python_and_folder(tmp_path: Path) -> None:
    assert toy(tmp_path).host_command() == [sys.executable, str(tmp_path / "toy" / "host.py")]


def test_places_are_filled_in_and_words_without_a_place_left_out(tmp_path: Path) -> None:
    text = GOOD.replace('"{folder}/host.py"]', '"{build}/host", "--environment={environment}"]')
    runtime = toy(tmp_path, text.replace("hot_load: true", "hot_load: false\nbuild: {command: [x, '{folder}']}"))
    environment, build = Path("/e"), Path("/b")
    assert runtime.host_command(environment, build) == [sys.executable, "/b/host", "--environment=/e"]
    assert runtime.host_command(build=build) == [sys.executable, "/b/host"]
    assert runtime.build_command() == ["x", str(tmp_path / "toy")]
    assert (runtime.environment_command(), runtime.environment_always) == ([], False)


def test_a_host_is_told_how_much_memory_it_has(tmp_path: Path) -> None:
    text = GOOD.replace('"{folder}/host.py"', '"{memory}", x')
    memory = "memory: {arguments: [--heap, '{heap_mb}'], environment: {LIMIT: '{memory_mb}MiB'}, data_segment: true}\n"
    runtime = toy(tmp_path, text + memory)
    assert runtime.host_command(memory_mb=100) == [sys.executable, "--heap", "75", "x"]
    assert runtime.host_command() == [sys.executable, "x"]
    assert (runtime.host_variables(100), runtime.host_variables(None)) == ({"LIMIT": "100MiB"}, {})
    assert runtime.data_segment


def test_more_folders_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_RUNTIMES", f"{write(tmp_path / '1', GOOD)}:{tmp_path / 'none'}")
    assert load_runtimes(runtime_folders()).keys() >= {"python3", "node", "toy"}


def test_several_folders(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1", GOOD), write(tmp_path / "2", GOOD.replace("id: toy", "id: other"))
    assert list(load_runtimes([one, two, tmp_path / "none"])) == ["toy", "other"]


def test_an_id_twice_is_refused(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1", GOOD), write(tmp_path / "2", GOOD)
    with pytest.raises(ManifestError, match=r"2/toy/runtime.yaml: id: 'toy' is also in .*1/toy"):
        load_runtimes([one, two])


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("hot_load: true", "hot_load: true\nfast: true", "fast: unknown field"),
        ("install: apt-get install toy\n", "", "install: missing"),
        (', minimum: "1.2"', "", "version.minimum: missing"),
        ('minimum: "1.2"', 'minimum: "1.2", maximum: "2"', "version.maximum: unknown field"),
        ('minimum: "1.2"', "minimum: 1.2", "version.minimum: must be text"),
        ('minimum: "1.2"', 'minimum: "new"', "version.minimum: must be numbers and dots"),
        ("version: {", "version: [] #", "version: must be a mapping"),
        ("hot_load: true", "hot_load: often", "hot_load: must be true or false"),
        ("extensions: [.toy]", "extensions: .toy", "extensions: must be a list of words"),
        ("[toy, --version]", "[]", "version.command: must be a list of words"),
        ("id: toy", "id: 1toy", "id: '1toy' must match"),
        ("name: Toy", "name: ''", "name: must be text"),
        ("id: toy", "id: [", "cannot be read"),
        ("id: toy", "id: toy\nbuild: {command: [x]}", "hot_load: must be false for a runtime with build"),
        ("id: toy", "id: toy\nbuild: {}", "build.command: missing"),
        ("id: toy", "id: toy\nbuild: {command: x}", "build.command: must be a list of words"),
        ("id: toy", "id: toy\nbuild: {command: [x], always: true}", "build.always: unknown field"),
        ("id: toy", "id: toy\nenvironment: [x]", "environment: must be a mapping"),
        ("id: toy", "id: toy\nenvironment: {always: true}", "environment.command: missing"),
        ("id: toy", "id: toy\nenvironment: {command: [x], always: 1}", "environment.always: must be true or false"),
        ("id: toy", "id: toy\nmemory: {heap: 1}", "memory.heap: unknown field"),
        ("id: toy", "id: toy\nmemory: {arguments: [x]}", "host: must have the word {memory}"),
        ("{folder}/host.py", "{memory}", "host: must have the word {memory}"),
        ("id: toy", "id: toy\nmemory: {environment: {A: 1}}", "memory.environment.A: must be text"),
        ("id: toy", "id: toy\nmemory: {environment: [A]}", "memory.environment: must be a mapping"),
        ("id: toy", "id: toy\nmemory: {data_segment: 1}", "memory.data_segment: must be true or false"),
    ],
)
def test_a_bad_manifest_names_file_and_field(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    with pytest.raises(ManifestError) as error:
        toy(tmp_path, GOOD.replace(old, new))
    assert f"{tmp_path}/toy/runtime.yaml: {problem}" in str(error.value)


def test_an_empty_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="the file: must be a mapping"):
        toy(tmp_path, "")


def test_python_needs_no_subprocess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.run", None)
    monkeypatch.setattr("runtimes.manifest._found", {})
    found = find_version(load_runtimes([REPOSITORY / "runtimes"])["python3"])
    assert found.version == ".".join(map(str, sys.version_info[:3]))
    assert found.reason == ""


def test_what_is_installed_meanwhile_is_found(tmp_path: Path) -> None:
    text = GOOD.replace("[toy,", f"[{tmp_path / 'toy'},")
    found = toy(tmp_path / "runtimes", text)
    assert find_version(found).version is None
    program(tmp_path, "echo 1.5")
    assert find_version(found).version == "1.5"


def test_a_missing_command_is_a_reason_with_the_install_line(tmp_path: Path) -> None:
    runtime = toy(tmp_path, GOOD.replace("[toy,", "[/nowhere/toy,"))
    found = find_version(runtime)
    assert found.version is None
    assert found.reason == "Toy is not installed: /nowhere/toy was not found; install it with: apt-get install toy"


def test_a_version_is_found_once(tmp_path: Path) -> None:
    command = program(tmp_path, f"echo x >> {tmp_path}/calls; echo 'toy version v1.10.3 (x86)'")
    runtime = toy(tmp_path / "r", GOOD.replace("[toy,", f"[{command},"))
    assert [find_version(runtime).version for _ in range(3)] == ["1.10.3"] * 3
    assert (tmp_path / "calls").read_text() == "x\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 1.1.9", "Toy 1.1.9 is older than 1.2; install it with: apt-get install toy"),
        ("echo hello", "Toy: no version in 'hello'; install it with: apt-get install toy"),
        ("echo broken >&2; exit 3", "exited with 3: broken; install it with: apt-get install toy"),
    ],
)
def test_an_unusable_version_is_a_reason(tmp_path: Path, script: str, reason: str) -> None:
    runtime = toy(tmp_path / "r", GOOD.replace("[toy,", f"[{program(tmp_path, script)},"))
    found = find_version(runtime)
    assert found.version is None
    assert reason in found.reason


@pytest.mark.parametrize(
    ("output", "version"), [("v20.20.2", "20.20.2"), ("SBCL 2.2.9.debian", "2.2.9"), ("1.2", "1.2")]
)
def test_versions_are_parsed(tmp_path: Path, output: str, version: str) -> None:
    assert toy(tmp_path).parse_version(output).version == version


def test_versions_are_found_side_by_side(tmp_path: Path) -> None:
    """Later nobody waits for them: the commands are not run again."""
    runtimes = []
    for number in range(3):
        folder = tmp_path / f"r{number}"
        folder.mkdir()
        ran = folder / "ran"
        text = (REPOSITORY / "runtimes" / "ruby" / "runtime.yaml").read_text()
        words = f"[sh, -c, 'echo >>{ran}; echo 3.{number + 1}']"
        text = text.replace("id: ruby", f"id: r{number}").replace("[ruby, --version]", words)
        (folder / "runtime.yaml").write_text(text)
        runtimes.append(load_runtimes([tmp_path])[f"r{number}"])
    find_versions(runtimes)
    assert [find_version(runtime).version for runtime in runtimes] == ["3.1", "3.2", "3.3"]
    assert [(runtime.folder / "ran").read_text() for runtime in runtimes] == ["\n"] * 3
