"""Makes the folders that environments.py describes: in a temporary folder of the same cache, renamed into place.

`CACHE/making/NAME` holds `lock` (locked while its maker lives), `pid` (of the command), `request` (its stdin) and
`result` (its working directory, which gets the name). So nothing half-made ever has a name, and what a
killed runner has left is found: its lock is free. Also: who uses what, and taking away what nobody uses.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtimes import locks, sweep
from runtimes.environments import ABOUT, Recipe, about_of, lock_digest, read_locked
from runtimes.launching import kill_group, launched

NICENESS = 10
MAKING = "making"
REMOVED = "removed-"
STDERR_LINES = 40


class InUseError(Exception):
    """Some process uses what was to be removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why something could not be made; `units`: what the compiler says of them, {"unit", "error"}."""

    reason: str
    units: tuple[dict[str, Any], ...] = ()


class Making:
    """A folder that is being made."""

    def __init__(self, cache: Path, recipe: Recipe) -> None:
        self.recipe = recipe
        self.folder = _temporary(cache, f"{recipe.id}-")
        self._lock = locks.own(self.folder)
        self.result = self.folder / "result"
        try:
            self.result.mkdir()
            (self.folder / "request").write_text(json.dumps(recipe.request), "utf-8")
        except OSError:
            self.release()
            raise
        self._variables = {
            **os.environ, "RUNNER_CACHE": str(cache), sweep.MAKING_FOLDER: str(self.folder), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip

    def start(self, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
        """Start the command in a process group of its own; raises OSError."""
        with (self.folder / "request").open("rb") as request:
            process = subprocess.Popen(
                launched(self.recipe.command, NICENESS), stdin=request, stdout=stdout, stderr=stderr, cwd=self.result,
                env=self._variables, start_new_session=True,
            )  # fmt: skip
        (self.folder / "pid").write_text(str(process.pid))
        return process

    def size_command(self) -> list[str]:
        """What prints the size of the result in KiB."""
        return ["du", "-sk", str(self.result)]

    def finish(self, size: str) -> Failure | None:
        """Give the result its name; `size` is what the size command printed."""
        try:
            return self._name(size)
        except OSError as error:
            return Failure(reason=f"{self.recipe.place}: {error.strerror}")

    def _name(self, size: str) -> Failure | None:
        place, about = self.recipe.place, dict(self.recipe.about)
        if self.recipe.has_lock:
            try:
                about["locked"] = read_locked(self.result)
            except ValueError as error:
                return Failure(reason=str(error))
        about |= {"lock": lock_digest(self.result), "bytes": int(size.split(maxsplit=1)[0]) * 1024, "made": time.time()}
        (self.result / ABOUT).unlink(missing_ok=True)  # whatever the command has put there
        (self.result / ABOUT).write_text(json.dumps(about), "utf-8")
        place.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            with contextlib.suppress(OSError):  # there is one already
                self.result.rename(place)
                break
            if about_of(place) is not None:  # another runner was faster
                break
            with contextlib.suppress(FileNotFoundError):  # somebody has damaged what was there
                place.rename(self.folder / "damaged")
        if about_of(place) is None:
            return Failure(reason=f"{place} cannot be written")
        return None

    def release(self) -> None:
        """It is over, whether it has a name or not: what is left in `folder` may be removed by anyone."""
        os.close(self._lock)


def make(cache: Path, recipe: Recipe) -> Failure | None:
    """Make it, if it is not there, and wait; for programs that have nothing else to do."""
    if about_of(recipe.place) is not None:
        return None
    making = Making(cache, recipe)
    try:
        process = making.start(subprocess.PIPE, subprocess.PIPE)
        try:
            out, err = process.communicate()
        except BaseException:  # Ctrl-C, say
            kill_group(process.pid)
            process.wait()
            raise
        if process.returncode:
            lines = [part.decode(errors="replace").splitlines() for part in (out, err)]
            return failure_of(process.returncode, lines[0][-1:], lines[1][-STDERR_LINES:])
        return making.finish(subprocess.run(making.size_command(), capture_output=True, text=True, check=True).stdout)
    except OSError as error:
        return Failure(reason=f"{recipe.command[0]} cannot be started: {error.strerror}")
    finally:
        making.release()
        sweep.remove(making.folder)


def failure_of(status: int, last_line: list[str], stderr: list[str]) -> Failure:
    """What a command that did not exit with 0 says of it."""
    reason = "\n".join(stderr).strip() or (f"exit status {status}" if status >= 0 else f"signal {-status}")
    try:
        errors = json.loads(last_line[0])["errors"]
        units = [{"unit": str(e["unit"]), "error": {"type": "BuildError", "message": "", **e["error"]}} for e in errors]
        return Failure(reason=reason, units=tuple(units))
    except (IndexError, KeyError, TypeError, ValueError):
        pass
    return Failure(reason=reason)


# use and removal ---------------------------------------------------------------------------------------------------


def hold(place: Path) -> int | None:
    """A descriptor that keeps a finished folder from being removed until it is closed; None if there is none."""
    try:
        fd = os.open(place / ABOUT, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if locks.share(fd) and about_of(place) is not None and _is_still(fd, place / ABOUT):
        return fd
    os.close(fd)  # it is being taken away
    return None


def is_used(place: Path) -> bool:
    """Whether any process holds it."""
    return locks.is_locked(place / ABOUT)


def take_away(cache: Path, place: Path) -> Path:
    """Take its name from a folder; returns where it can be deleted. Raises InUseError."""
    with (place / ABOUT).open("r+b") as file:
        if not locks.seize(file.fileno()):
            raise InUseError(f"{place.name} is in use")
        trash = _temporary(cache, REMOVED)
        place.rename(trash / place.name)
    return trash


def leftovers(cache: Path) -> list[Path]:
    """End what is left of the commands of dead runners; returns the folders they have left, to be deleted."""
    folders = (cache / MAKING).glob("*")
    dead = [folder for folder in folders if folder.name.startswith(REMOVED) or locks.is_abandoned(folder)]
    if dead:
        sweep.end_marked(map(str, dead))
    return dead


def _is_still(fd: int, path: Path) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except OSError:
        return False


def _temporary(cache: Path, prefix: str) -> Path:
    parent = cache / MAKING
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
