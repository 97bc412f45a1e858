"""The state directory: a locked folder per running runner, and the sweep of what a dead one left."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from runtimes import locks
from runtimes.manifest import runtime_folders
from runtimes.sweep import end_marked, remove, sweep_command

SWEEP_S = 1.0  # what takes longer is left to a process that outlives us
DEAD = "dead-"
_TO_NOWHERE = [  # whoever reads our output is not to wait for it
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0), (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)
]  # fmt: skip


def default_state_folder() -> Path:
    """`$RUNNER_STATE`, or `$XDG_STATE_HOME/runner`, or `~/.local/state/runner`."""
    if "RUNNER_STATE" in os.environ:
        return Path(os.environ["RUNNER_STATE"])
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "runner"


@contextlib.contextmanager
def of_state(state: Path) -> Iterator[None]:
    """What fails meanwhile is the state directory's fault, and an OSError that says so."""
    try:
        yield
    except OSError as error:
        said = f"{error.strerror}; --state DIR or $RUNNER_STATE names another one"
        raise OSError(error.errno, said, f"the state directory {state}") from None


class RunFolder:
    """`STATE/runs/PID`, mode 0700, locked for as long as this process lives; `close()` removes it."""

    def __init__(self, state: Path) -> None:
        runs = state.absolute() / "runs"  # a host has a working directory of its own
        with of_state(state):
            runs.mkdir(parents=True, exist_ok=True, mode=0o700)
            sweep(runs)
            self.path = runs / str(os.getpid())
            self.path.mkdir(mode=0o700)
            self._lock = locks.own(self.path)

    def close(self) -> None:
        """The runner ends in order."""
        _give_up([self.path], clean=1)  # its hosts have been swept one by one
        os.close(self._lock)

    def forget(self) -> None:
        """In a process that has been forked: it is the other one's."""
        os.close(self._lock)


def sweep(runs: Path) -> None:
    """End the hosts and remove the folders of runners that are dead: nobody holds the lock of their folder."""
    dead = [path for path in runs.glob("*") if path.name.startswith(DEAD) or locks.is_abandoned(path)]
    if dead:
        _give_up(dead, clean=3)


def _give_up(folders: list[Path], clean: int) -> None:
    """End what is marked with them, then give them up; they are gone, or soon will be."""
    end_marked(map(str, folders), clean)
    until = time.monotonic() + SWEEP_S
    left = []
    for folder in folders:
        if not remove(folder, until) and folder.exists():
            with contextlib.suppress(OSError):  # another runner does the same
                name = f"{DEAD}{os.urandom(8).hex()}"  # its own, a process number, may be needed again
                left.append(str(folder.rename(folder.with_name(name))))
    if left:
        command = ["/bin/sh", "-c", '"$@" &', "sh", *sweep_command(left)]  # init's child: nobody waits for it
        os.waitpid(os.posix_spawn(command[0], command, os.environ, file_actions=_TO_NOWHERE, setsid=True), 0)


def next_incarnation(path: Path) -> int:
    """How often a runner has been started, with this time; nobody else counts there. It is on the disk when known."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    number = int(path.read_text() or 0) + 1 if path.exists() else 1
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        file.write(str(number))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return number


def hidden_places(
    run_folder: Path, kept: Path | None, journals: Path | None = None, keys: Path | None = None
) -> tuple[str, ...]:
    """Folders that no host is to see: sockets, keys, kept flows, other hosts' folders, of other runners too."""
    places = {run_folder.parent.parent, default_state_folder()}
    places |= {kept.parent.parent} if kept else set()
    places |= {place for place in (journals, keys) if place}
    return tuple(str(place) for place in places)


def shown_places(cache: Path, hidden: tuple[str, ...]) -> tuple[str, ...]:
    """What hosts need, if it is in one of the hidden folders."""
    needed = [cache, Path(sys.prefix), Path(sys.base_prefix), *runtime_folders()]
    within = [Path(place).resolve() for place in hidden]
    return tuple(str(path) for path in needed if any(path.resolve().is_relative_to(place) for place in within))
