"""Environments and builds: what is to be made, under which id, where it is, what is there. Starts no process.

Both are folders of a content-addressed cache, `environments/ID` and `builds/ID`. What has a name there is finished:
its file `about.json` was written last, and its `lock.json` is the one that was made. making.py makes them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from runtimes.manifest import Runtime

ABOUT, LOCK = "about.json", "lock.json"
_NOT_HASHED = ("__pycache__", "node_modules", "starter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to make one folder of the cache: the command, what it reads from stdin, what about.json is to say."""

    place: Path
    runtime: str
    command: tuple[str, ...]
    request: dict[str, Any]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The name of the folder."""
        return self.place.name

    @property
    def has_lock(self) -> bool:
        """Whether the command has to leave lock.json: environments do."""
        return "dependencies" in self.about


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The text of a module, as it is compiled. Two modules of one text are one unit."""

    name: str
    code: str
    files: Mapping[str, str]

    @property
    def id(self) -> str:
        """`u_` and 16 hex digits."""
        return f"u_{_digest([self.name, self.code, dict(self.files)])[:16]}"


def cache_folder() -> Path:
    """`$RUNNER_CACHE`, or `$XDG_CACHE_HOME/runner`, or `~/.cache/runner`."""
    if os.environ.get("RUNNER_CACHE"):
        return Path(os.environ["RUNNER_CACHE"]).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runner"


def environment_id(runtime: Runtime, version: str, dependencies: Iterable[str]) -> str:
    """`RUNTIME-` and 12 hex digits: of the runtime, its version here, its folder's files and the dependencies."""
    parts = [runtime.id, version, _folder_digest(runtime.folder), sorted(set(dependencies))]
    return f"{runtime.id}-{_digest(parts)[:12]}"


def environment_recipe(cache: Path, runtime: Runtime, version: str, dependencies: Iterable[str]) -> Recipe | None:
    """How to make an environment; None if these dependencies need none."""
    wanted = sorted(set(dependencies))
    if not runtime.environment or not (wanted or runtime.environment_always):
        return None
    place = cache / "environments" / environment_id(runtime, version, wanted)
    return Recipe(
        place=place,
        runtime=runtime.id,
        command=tuple(runtime.environment_command()),
        request={"dependencies": wanted, "final": str(place)},
        about={"runtime": runtime.id, "version": version, "dependencies": wanted},
    )


def build_recipe(
    cache: Path, runtime: Runtime, version: str, dependencies: Iterable[str], units: Iterable[Unit]
) -> Recipe | None:
    """How to compile units in the environment of these dependencies; None if the runtime compiles nothing."""
    if not runtime.build:
        return None
    environment = environment_recipe(cache, runtime, version, dependencies)
    by_id = {unit.id: unit for unit in units}
    parts = [environment_id(runtime, version, dependencies), sorted(by_id)]
    place = cache / "builds" / f"{runtime.id}-{_digest(parts)[:12]}"
    texts = [
        {"unit": id, "name": unit.name, "code": unit.code, "files": dict(unit.files)}
        for id, unit in sorted(by_id.items())
    ]
    return Recipe(
        place=place,
        runtime=runtime.id,
        command=tuple(runtime.build_command()),
        request={
            "environment": str(environment.place) if environment else None, "final": str(place), "units": texts,
        },
        about={"runtime": runtime.id, "version": version, "units": sorted(by_id)},
    )  # fmt: skip


def about_of(place: Path) -> dict[str, Any] | None:
    """What about.json says of a finished folder; None if there is none, or its lock was changed."""
    try:
        about = json.loads(_read(place / ABOUT))
        if not isinstance(about, dict) or about.get("lock") != lock_digest(place):
            return None
    except (OSError, ValueError):
        return None
    return about


def lock_digest(place: Path) -> str | None:
    """The hash of lock.json, None if there is none."""
    try:
        return hashlib.sha256(_read(place / LOCK)).hexdigest()
    except OSError:
        return None


def read_locked(place: Path) -> list[str]:
    """The list `locked` of lock.json; raises ValueError with a sentence if it is not as it has to be."""
    try:
        lock = json.loads(_read(place / LOCK))
    except (OSError, ValueError) as error:
        raise ValueError(f"it has left no good {LOCK}: {error}") from None
    locked = lock.get("locked") if isinstance(lock, dict) else None
    if not isinstance(locked, list) or not all(isinstance(spec, str) for spec in locked):
        raise ValueError(f'its {LOCK} has no list of text "locked"')
    return locked


def _read(path: Path) -> bytes:
    """Of a file that a command has left: if it is anything else, say a FIFO, it is an OSError, never a wait."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return file.read()


def finished(cache: Path, kind: str) -> dict[str, dict[str, Any]]:
    """What about.json says of every finished folder of `environments` or `builds`, by id."""
    folder = cache / kind
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return {entry.name: about for entry in entries if (about := about_of(entry)) is not None}


@lru_cache(maxsize=256)
def _folder_digest(folder: Path) -> str:
    """Of the files of a runtime's folder; read once a process, for a running runner stays what it is."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if not any(part.startswith(".") or part in _NOT_HASHED for part in parts) and path.is_file():
            text = path.read_bytes()
            digest.update(f"{'/'.join(parts)}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
