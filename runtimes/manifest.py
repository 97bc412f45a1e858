"""What runtime.yaml says about a runtime: how to find its version, start its host, install it, prepare what it needs.

It knows nothing of hosts, links or the runner. A runtime that is missing is not an error here: it has a reason.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE_NAME = "runtime.yaml"
RUNTIMES_FOLDER = Path(__file__).parent
VERSION_TIMEOUT_S = 10.0
_VERSION = re.compile(r"\d+(?:\.\d+)+|\d+")
_FIELDS = {"id", "name", "version", "install", "extensions", "hot_load", "host"}
_OPTIONAL = {"environment", "build", "memory"}  # docs/decisions/004-environments-and-builds.md, docs/security.md
_MEMORY = "{memory}"
ID_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class ManifestError(Exception):
    """A runtime.yaml cannot be used; the message names the file and the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One runtime as its manifest describes it. Commands may hold {python} and {folder}.

    `environment` and `build`: what prepares an environment and compiles modules, () if the runtime has none;
    `environment_always`: an environment is also made of no dependencies. `memory_arguments` (in
    place of the host's word {memory}), `memory_variables`: how a host learns `limits.memory_mb`, as {memory_mb} or
    {heap_mb}, three quarters of it; `data_segment`: it copes with the kernel's refusal of memory, RLIMIT_DATA.
    """

    id: str
    name: str
    folder: Path
    host: tuple[str, ...]
    version: tuple[str, ...]
    minimum: str
    install: str
    extensions: tuple[str, ...]
    hot_load: bool
    environment: tuple[str, ...] = ()
    environment_always: bool = False
    build: tuple[str, ...] = ()
    memory_arguments: tuple[str, ...] = ()
    memory_variables: tuple[tuple[str, str], ...] = ()
    data_segment: bool = False

    def host_command(
        self, environment: Path | None = None, build: Path | None = None, memory_mb: int | None = None
    ) -> list[str]:
        """What starts the host; the paths of its two pipes come behind it.

        A word with the place of something that this host has not is left out.
        """
        command = [self._filled(word) for word in self.host]
        for name, place in (("{environment}", environment), ("{build}", build)):
            command = [word.replace(name, str(place)) for word in command if place is not None or name not in word]
        if _MEMORY in command:
            at = command.index(_MEMORY)
            command[at : at + 1] = [_with_memory(w, memory_mb) for w in self.memory_arguments] if memory_mb else []
        return command

    def host_variables(self, memory_mb: int | None) -> dict[str, str]:
        """The environment variables of a host with this limit."""
        if memory_mb is None:
            return {}
        return {name: _with_memory(value, memory_mb) for name, value in self.memory_variables}

    def environment_command(self) -> list[str]:
        """What prepares an environment."""
        return [self._filled(word) for word in self.environment]

    def build_command(self) -> list[str]:
        """What compiles modules and host together."""
        return [self._filled(word) for word in self.build]

    def version_command(self) -> list[str]:
        """What prints the version."""
        return [self._filled(word) for word in self.version]

    def _filled(self, word: str) -> str:
        return word.replace("{python}", sys.executable).replace("{folder}", str(self.folder))

    def parse_version(self, output: str) -> Found:
        """The version in what the version command has printed, if it is new enough."""
        match = _VERSION.search(output)
        if match is None:
            return Found(None, f"{self.name}: no version in {output.strip()[:80]!r}; {self._advice()}")
        if _numbers(match[0]) < _numbers(self.minimum):
            return Found(None, f"{self.name} {match[0]} is older than {self.minimum}; {self._advice()}")
        return Found(match[0], "")

    def missing(self) -> Found:
        """The answer when the version command is not there."""
        return Found(None, f"{self.name} is not installed: {self.version_command()[0]} was not found; {self._advice()}")

    def failing(self, problem: str) -> Found:
        """The answer when the version command fails."""
        return Found(None, f"{self.name}: {' '.join(self.version_command())} {problem}; {self._advice()}")

    def _advice(self) -> str:
        return f"install it with: {self.install}"


@dataclass(frozen=True, slots=True)
class Found:
    """The version of a runtime on this machine, or None and the reason, a sentence with the install line."""

    version: str | None
    reason: str


def runtime_folders() -> list[Path]:
    """Where runtimes are: ours, and the folders of `$RUNNER_RUNTIMES` (separated by colons)."""
    others = os.environ.get("RUNNER_RUNTIMES", "").split(os.pathsep)
    return [RUNTIMES_FOLDER, *(Path(folder).absolute() for folder in others if folder)]


def load_runtimes(folders: Iterable[Path]) -> dict[str, Runtime]:
    """The runtimes of every FOLDER/*/runtime.yaml by id; raises ManifestError, and OSError of a folder."""
    runtimes: dict[str, Runtime] = {}
    for path in sorted(path for folder in folders for path in _listed(folder)):
        runtime = read_manifest(path)
        if runtime.id in runtimes:
            raise ManifestError(f"{path}: id: {runtime.id!r} is also in {runtimes[runtime.id].folder}")
        runtimes[runtime.id] = runtime
    return runtimes


def _listed(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    os.scandir(folder).close()  # glob takes a closed one for an empty one
    return list(folder.glob(f"*/{FILE_NAME}"))


def read_manifest(path: Path) -> Runtime:
    """One runtime.yaml; raises ManifestError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ManifestError(f"{path}: cannot be read: {error}") from None
    _check_fields(path, "", content, _FIELDS, _OPTIONAL)
    _check_fields(path, "version.", content["version"], {"command", "minimum"})
    environment, build = content.get("environment"), content.get("build")
    if environment is not None:
        _check_fields(path, "environment.", environment, {"command"}, {"always"})
        if not isinstance(environment.get("always", False), bool):
            raise ManifestError(f"{path}: environment.always: must be true or false")
    if build is not None:
        _check_fields(path, "build.", build, {"command"})
        _words(path, "build.command", build["command"])
        if content["hot_load"]:
            raise ManifestError(f"{path}: hot_load: must be false for a runtime with build")
    memory = content.get("memory", {})
    _check_fields(path, "memory.", memory, set(), {"arguments", "environment", "data_segment"})
    variables = memory.get("environment", {})
    _check_fields(path, "memory.environment.", variables, set(), variables)
    if ("arguments" in memory) != (_MEMORY in content["host"]):
        raise ManifestError(f"{path}: host: must have the word {_MEMORY} if there are memory.arguments, and only then")
    if not isinstance(memory.get("data_segment", False), bool):
        raise ManifestError(f"{path}: memory.data_segment: must be true or false")
    identifier = _text(path, "id", content["id"])
    if not ID_PATTERN.fullmatch(identifier):
        raise ManifestError(f"{path}: id: {identifier!r} must match {ID_PATTERN.pattern}")
    minimum = _text(path, "version.minimum", content["version"]["minimum"])
    if not _VERSION.fullmatch(minimum):
        raise ManifestError(f'{path}: version.minimum: must be numbers and dots, such as "3.11", it is {minimum!r}')
    if not isinstance(content["hot_load"], bool):
        raise ManifestError(f"{path}: hot_load: must be true or false")
    return Runtime(
        id=identifier,
        name=_text(path, "name", content["name"]),
        folder=path.parent,
        host=_words(path, "host", content["host"]),
        version=_words(path, "version.command", content["version"]["command"]),
        minimum=minimum,
        install=_text(path, "install", content["install"]),
        extensions=_words(path, "extensions", content["extensions"]),
        hot_load=content["hot_load"],
        environment=_words(path, "environment.command", environment["command"]) if environment else (),
        environment_always=bool(environment and environment.get("always", False)),
        build=_words(path, "build.command", build["command"]) if build else (),
        memory_arguments=_words(path, "memory.arguments", memory["arguments"]) if "arguments" in memory else (),
        memory_variables=tuple(
            (name, _text(path, f"memory.environment.{name}", variables[name])) for name in variables
        ),
        data_segment=memory.get("data_segment", False),
    )


def _check_fields(path: Path, prefix: str, content: Any, needed: set[str], optional: Iterable[str] = ()) -> None:
    known = needed | set(optional)
    if not isinstance(content, dict):
        raise ManifestError(f"{path}: {prefix.rstrip('.') or 'the file'}: must be a mapping")
    for name in content.keys() - known:
        raise ManifestError(f"{path}: {prefix}{name}: unknown field; known are {', '.join(sorted(known))}")
    for name in sorted(needed - content.keys()):
        raise ManifestError(f"{path}: {prefix}{name}: missing")


def _text(path: Path, name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ManifestError(f"{path}: {name}: must be text (in quotes, if it is a number)")
    return value


def _words(path: Path, name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise ManifestError(f"{path}: {name}: must be a list of words")
    return tuple(value)


def _with_memory(text: str, memory_mb: int) -> str:
    """The rest of the memory is for what the language's runtime itself needs."""
    return text.replace("{memory_mb}", str(memory_mb)).replace("{heap_mb}", str(memory_mb * 3 // 4))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


_found: dict[Runtime, Found] = {}


def find_version(runtime: Runtime) -> Found:
    """The version on this machine; asked for once a process, as soon as it is there."""
    command = runtime.version_command()
    if runtime not in _found:
        if shutil.which(command[0]) is None:
            return runtime.missing()
        _found[runtime] = _version_of(runtime, command)
    return _found[runtime]


def _version_of(runtime: Runtime, command: Sequence[str]) -> Found:
    if command[0] == sys.executable:  # Python's own needs no subprocess
        return runtime.parse_version(platform.python_version())
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return runtime.failing(f"failed ({error})")
    if done.returncode != 0:
        return runtime.failing(f"exited with {done.returncode}: {done.stderr.strip()[:200]}")
    return runtime.parse_version(done.stdout or done.stderr)


def find_versions(runtimes: Iterable[Runtime]) -> None:
    """Find them side by side, for a process that has nothing else to do yet; later it need not wait for any."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool:
        list(pool.map(find_version, runtimes))


def listed(runtimes: Iterable[Runtime]) -> list[dict[str, Any]]:
    """The answer of listRuntimes: id, name, version, available and, when it is not, the reason."""
    entries = []
    for runtime in runtimes:
        found = find_version(runtime)
        available = found.version is not None
        entry = {"id": runtime.id, "name": runtime.name, "version": found.version, "available": available}
        entries.append(entry if available else entry | {"reason": found.reason})
    return entries
