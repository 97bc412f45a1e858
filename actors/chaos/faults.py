"""What can happen to processes and links: deaths, standstills, nonsense on a pipe, a full disk. Knows no flow.

Whatever is not there just now is left out: a fault that finds nothing to break does nothing, and is not counted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import psutil

BETWEEN_DEATHS_S, BETWEEN_DEATHS_OF_ONE_S = 0.6, 2.6  # more would be a host without progress: the flow has to stop
CAN_CUT = os.geteuid() == 0 and shutil.which("ss") is not None
GARBAGE = b"\xff\xff\xff\x7f\xff" + bytes(range(200, 255))  # no header: its kind does not exist
HALF_A_FRAME = struct.pack("<IBBHIIQ", 100, 1, 0, 0, 0, 1, 1)[:11]


class Victim(Protocol):
    """Whose processes these are."""

    def hosts(self) -> dict[str, int]:
        """The hosts that live, and their process ids."""

    def members(self) -> dict[str, int]:
        """The runners that live, and theirs."""

    def mortals(self) -> dict[str, int]:
        """Those of them that may die."""


class Faults:
    """`counts`: what was done, by name. `note` is told of each."""

    def __init__(self, victim: Victim, rng: random.Random, note: Callable[..., None]) -> None:
        self._victim, self._rng, self._note = victim, rng, note
        self.counts: Counter[str] = Counter()
        self._died: dict[str, float] = {}  # hosts, and "" for runners: when one has died last
        self._timers: list[threading.Timer] = []

    def by_name(self) -> dict[str, Callable[[], None]]:
        """Those that a user can choose; a cut does nothing where nobody may cut."""
        of_processes = (
            self.kill, self.freeze, self.slow, self.garbage, self.torn_frame, self.freeze_runner, self.kill_runner,
            self.cut, self.kill_journal, self.fill_disk,
        )  # fmt: skip
        return {fault.__name__: fault for fault in of_processes}

    def close(self) -> None:
        """What stands still goes on before this returns."""
        for timer in self._timers:
            timer.join()

    def spare(self, seconds: float) -> None:
        """No host dies for so long."""
        now = time.monotonic() + seconds - BETWEEN_DEATHS_OF_ONE_S
        self._died |= dict.fromkeys(self._victim.hosts(), now)

    def _did(self, what: str, *words: object) -> None:
        self.counts[what] += 1
        self._note(what, *words)

    def _stop(self, what: str, name: str, pid: int, seconds: float) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self._did(what, name, pid, seconds)
            self._later(seconds, lambda: _go_on(pid))

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, what)
        self._timers.append(timer)
        timer.start()

    # hosts ---------------------------------------------------------------------------------------------------------

    def _mortal_host(self) -> tuple[str, int] | None:
        now = time.monotonic()
        if now - max(self._died.values(), default=-99.0) < BETWEEN_DEATHS_S:
            return None
        hosts = [
            (host, pid) for host, pid in sorted(self._victim.hosts().items())
            if now - self._died.get(host, -99.0) > BETWEEN_DEATHS_OF_ONE_S
        ]  # fmt: skip
        return self._rng.choice(hosts) if hosts else None

    def kill(self) -> None:
        """kill -9 of a host."""
        if (found := self._mortal_host()) is not None:
            host, pid = found
            with contextlib.suppress(ProcessLookupError):
                if self._rng.random() < 0.5:  # it dies with messages that it has not looked at
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(0.05)
                os.kill(pid, signal.SIGKILL)
                self._died[host] = time.monotonic()
                self._did("kills", host, pid)

    def freeze(self) -> None:
        """A host stands still for a while."""
        hosts = sorted(self._victim.hosts().items())
        if hosts:
            (host, pid), seconds = self._rng.choice(hosts), self._rng.choice([0.05, 0.3, 1.2])
            self._stop("freezes", host, pid, seconds)

    def slow(self) -> None:
        """A host gets a tenth of its time, for a second."""
        hosts = sorted(self._victim.hosts().items())
        if hosts:
            host, pid = self._rng.choice(hosts)
            self._did("slow hosts", host, pid)
            with contextlib.suppress(ProcessLookupError):
                try:
                    for _ in range(20):
                        os.kill(pid, signal.SIGSTOP)
                        time.sleep(0.045)
                        os.kill(pid, signal.SIGCONT)
                        time.sleep(0.005)
                finally:
                    _go_on(pid)

    def garbage(self) -> None:
        """Bytes that are no frame, where a host writes to its runner."""
        self._write(GARBAGE, "garbage")

    def torn_frame(self) -> None:
        """Half a frame, and the host dies."""
        if (pid := self._write(HALF_A_FRAME, "torn frames")) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _write(self, data: bytes, what: str) -> int | None:
        """Between two frames: the host stands still meanwhile, and what it has said has been read."""
        if (found := self._mortal_host()) is None:
            return None
        host, pid = found
        try:
            os.kill(pid, signal.SIGSTOP)
            try:
                fd = os.open(_output_of(pid), os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                return None
            try:
                if not _is_read(fd):
                    return None
                os.write(fd, data)
            finally:
                os.close(fd)
            self._died[host] = time.monotonic()
            self._did(what, host, pid)
            return pid
        except (ProcessLookupError, BrokenPipeError):
            return None
        finally:
            _go_on(pid)

    # runners -------------------------------------------------------------------------------------------------------

    def freeze_runner(self) -> None:
        """A runner stands still: its links fall silent, after 3 s they are given up."""
        members = sorted(self._victim.members().items())
        if members:
            (name, pid), seconds = self._rng.choice(members), self._rng.choice([0.1, 1.0, 4.5])
            self._stop("frozen runners", name, pid, seconds)

    def kill_runner(self) -> None:
        """kill -9 of a runner. It has come back before the next one goes."""
        if members := self._mortal_runners():
            name, pid = self._rng.choice(members)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self._died[""] = time.monotonic()
                self._did("killed runners", name, pid)

    def kill_journal(self) -> None:
        """kill -9 of what writes a runner's journal: the runner dies of it."""
        for name, journal in self._journals():
            journal.kill()
            self._died[""] = time.monotonic()
            self._did("killed journals", name, journal.pid)
            return

    def fill_disk(self) -> None:
        """For a second a journal cannot get larger."""
        for name, journal in self._journals():
            _limit_files(journal.pid, 0)
            self._died[""] = time.monotonic()
            self._did("full disks", name, journal.pid)
            self._later(1.0, lambda pid=journal.pid: _limit_files(pid, resource.RLIM_INFINITY))  # type: ignore[misc]
            return

    def _mortal_runners(self) -> list[tuple[str, int]]:
        if time.monotonic() - self._died.get("", -99.0) < BETWEEN_DEATHS_OF_ONE_S:
            return []
        return sorted(self._victim.mortals().items())

    def _journals(self) -> Iterator[tuple[str, psutil.Process]]:
        members = self._mortal_runners()
        self._rng.shuffle(members)
        for name, pid in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(pid).children():
                    if any("journal" in word for word in child.cmdline()):
                        yield name, child

    def cut(self) -> None:
        """The connections between runners end, some or all. Who may not do that lets a runner stand still for long."""
        if not CAN_CUT:
            self.freeze_runner()
            return
        places: dict[tuple[Any, Any], int] = {}
        for pid in self._victim.members().values():
            with contextlib.suppress(psutil.NoSuchProcess):
                for one in psutil.Process(pid).net_connections("tcp"):
                    if one.status == psutil.CONN_ESTABLISHED:
                        places[one.laddr, one.raddr] = pid
        links = sorted({(here, there) for here, there in places if (there, here) in places and here < there})
        for here, there in self._rng.sample(links, self._rng.randint(min(1, len(links)), len(links))):
            ends = ["src", f"{here.ip}:{here.port}", "dst", f"{there.ip}:{there.port}"]
            subprocess.run(["ss", "-K", *ends], capture_output=True, check=False)
            self._did("cuts", here.port, there.port)


def _go_on(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _output_of(pid: int) -> Path:
    """Of a host, the pipe to its runner: it has no name any more. Raises OSError."""
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(path.readlink()).endswith("/out (deleted)"):
                return path
    raise FileNotFoundError(2, "no pipe")


def _is_read(fd: int) -> bool:
    """Whether what was written has been read, within half a second."""
    for _ in range(50):
        if not struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"))[0]:
            return True
        time.sleep(0.01)
    return False


def _limit_files(pid: int, soft: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
