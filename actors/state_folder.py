"""The state directory: a locked folder per running runner, and the sweep of what a dead one left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
from pathlib import Path

from actors.host_process import FOLDER_VARIABLE


def default_state_folder() -> Path:
    """`$RUNNER_STATE`, or `$XDG_STATE_HOME/runner`, or `~/.local/state/runner`."""
    if "RUNNER_STATE" in os.environ:
        return Path(os.environ["RUNNER_STATE"])
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "runner"


class RunFolder:
    """`STATE/runs/PID`, mode 0700, locked for as long as this process lives; `close()` removes it."""

    def __init__(self, state: Path) -> None:
        runs = state / "runs"
        runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        sweep(runs)
        self.path = runs / str(os.getpid())
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(mode=0o700)
        self._lock = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """The runner ends in order."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def sweep(runs: Path) -> None:
    """End the hosts and remove the folders of runners that are dead: nobody holds the lock of their folder."""
    for folder in runs.iterdir():
        if _is_dead(folder):
            for pid_file in folder.glob("*/*/pid"):
                _kill_marked(pid_file)
            shutil.rmtree(folder, ignore_errors=True)


def _is_dead(folder: Path) -> bool:
    try:
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False  # just being made
    except NotADirectoryError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(fd)


def _kill_marked(pid_file: Path) -> None:
    """Kill what is left of a host's process group, if its environment says that it is that host's."""
    marker = f"{FOLDER_VARIABLE}={pid_file.parent}".encode()
    with contextlib.suppress(OSError, ValueError):
        group = int(pid_file.read_text())
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                pid = int(process.name)
                if os.getpgid(pid) == group and marker in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(pid, signal.SIGKILL)
