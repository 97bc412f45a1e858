"""`STATE/deployments/NAME`, or `STATE/agents/NAME` of an agent: its own keys, who is up, and a lock that every process
of it holds.

The lock is inherited by fork: it is free only when the last process has ended, whichever way it ended. The record of
who is up goes when all has ended in order: if it is there without a process, something was lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runtimes import locks

DEPLOYMENTS, AGENTS = "deployments", "agents"
LOCK, CHANGING, RECORD, KEYS = "lock", "changing", "deployment.json", "keys"
ERRORS_BYTES = 4096  # of the record, blank at first: to say at the end what was lost takes no room on a full disk


class DeploymentFolder:
    """The folder of one deployment, of `runner up` itself or seen from outside."""

    def __init__(self, state: Path, name: str, kind: str = DEPLOYMENTS) -> None:
        self.name = name
        self.path = state / kind / name
        self._lock = -1

    def take(self) -> bool:
        """Lock it for this process and all that it forks; False if it is up already."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self.path / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        if not locks.seize(fd):
            os.close(fd)
            return False
        self._lock = fd
        return True

    def left_behind(self) -> dict[str, Any]:
        """What `record` wrote the last time, if that did not end in order, with a sentence as `said`; else {}."""
        facts = self.read()
        if not facts:
            return {}
        flows = ", ".join(facts["flows"]) or "none"
        why = "; ".join(facts["errors"]) or f"`runner up` ({facts['pid']}) did not end in order"
        said = f"{self.name}, the last time: {why}; messages and contexts of its flows ({flows}) may be lost"
        return {**facts, "said": said}

    def leave(self) -> None:
        """Leave the lock to the processes that have been forked."""
        os.close(self._lock)

    @contextlib.contextmanager
    def changing(self) -> Iterator[bool]:
        """While files are applied to what is up; False if somebody else does that now."""
        fd = os.open(self.path / CHANGING, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            yield locks.seize(fd)
        finally:
            os.close(fd)

    def record(self, facts: dict[str, Any]) -> None:
        """Write down who is up."""
        text = json.dumps({"name": self.name, **{name: facts[name] for name in facts.keys() - {"name", "errors"}}})
        (self.path / RECORD).write_text(f"{text}\n{'':{ERRORS_BYTES}}", "utf-8")

    def read(self) -> dict[str, Any]:
        """What `record` wrote, with `errors` if it has ended with any; {} if nothing is there."""
        try:
            text, _, errors = (self.path / RECORD).read_bytes().partition(b"\n")
            facts: dict[str, Any] = json.loads(text)
        except (OSError, ValueError):
            return {}
        return {**facts, "errors": errors.decode(errors="ignore").strip().splitlines()}

    @property
    def is_up(self) -> bool:
        """Whether any process of it lives."""
        return locks.is_locked(self.path / LOCK)

    def processes(self) -> list[int]:
        """Every process, other than this one, that has the lock open."""
        lock = str((self.path / LOCK).resolve())
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # somebody else's, or it has just ended
                if any(str(fd.readlink()) == lock for fd in (process / "fd").iterdir()):
                    found.append(int(process.name))
        return [pid for pid in found if pid != os.getpid()]

    def wait_for_end(self, timeout_s: float) -> bool:
        """Until no other process has the lock; False if some still do after `timeout_s`."""
        until = time.monotonic() + timeout_s
        while pids := self.processes():
            for pid in pids:
                if not _wait(pid, until - time.monotonic()):
                    return False
        return True

    def kill(self) -> None:
        """End what has not ended by itself."""
        while pids := self.processes():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                _wait(pid, 5.0)

    def end(self, errors: Sequence[str] = ()) -> None:
        """It is down: its own keys and the record go, a log stays. With `errors` the record stays, and has them."""
        shutil.rmtree(self.path / KEYS, ignore_errors=True)
        for name in (CHANGING, LOCK) if errors else (CHANGING, RECORD, LOCK):
            (self.path / name).unlink(missing_ok=True)
        if errors and self.read():
            with contextlib.suppress(OSError), (self.path / RECORD).open("r+b") as file:
                file.seek(-ERRORS_BYTES, os.SEEK_END)
                file.write("\n".join(errors).encode()[:ERRORS_BYTES])
        with contextlib.suppress(OSError):
            self.path.rmdir()


def deployments(state: Path) -> list[DeploymentFolder]:
    """Those that are up."""
    folders = [DeploymentFolder(state, path.name) for path in sorted((state / DEPLOYMENTS).glob("*"))]
    return [folder for folder in folders if folder.is_up]


def _wait(pid: int, timeout_s: float) -> bool:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(max(0.0, timeout_s) * 1000))
    finally:
        os.close(fd)
