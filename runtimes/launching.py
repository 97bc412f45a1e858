"""Child processes: started by launch.py, ended with their whole group."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

LAUNCHER = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")))


def launched(command: Sequence[str], niceness: int, options: Sequence[str] = ()) -> list[str]:
    """The command as launch.py is to start it, with its options: it dies with this process and gains no privileges."""
    return [*LAUNCHER, str(os.getpid()), str(niceness), *options, "--", *command]


def kill_group(pid: int) -> None:
    """End the leader of a process group and everything that it has started there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
