"""Looks at what a host and the processes below it use, and says when that is more than they may. Kills nobody."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from actors.definition.limits import HostLimits

WATCH_S = 0.1
MAX_PROCESSES = 256
MAX_TEMP_FILES = 100_000
PAUSE_PER_SIZING = 50  # sizing a folder of many files takes 2 % of the runner's time at most
IDLE_LOAD = 0.1  # of a processor: an idle host that uses less is not at work
_MIB = 1 << 20
_RESIDENT = re.compile(rb"Rss(?:Anon|Shmem):\s+(\d+) kB")
_TICKS = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """What a process and everything below it use: memory, processor time since its start, processes.

    Memory is what is resident and of no file: a file's pages are shared, and the kernel takes them back when it must.
    """

    memory_bytes: int
    cpu_s: float
    processes: int


def usage(pid: int) -> Usage:
    """Of now; a process that has ended uses nothing. No more than MAX_PROCESSES + 1 are looked at."""
    memory = ticks = processes = 0
    waiting = [pid]
    while waiting and processes <= MAX_PROCESSES:
        process = Path("/proc", str(waiting.pop()))
        with suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # also of children that have ended
            memory += sum(map(int, _RESIDENT.findall((process / "status").read_bytes()))) << 10
            processes += 1
            for task in os.listdir(process / "task"):  # noqa: PTH208  half the time of iterdir
                waiting += map(int, (process / "task" / task / "children").read_text().split())
    return Usage(memory, ticks / _TICKS, processes)


def folder_bytes(folder: Path) -> tuple[int, int]:
    """What a folder takes on the disk, and how many files it has (not all of more than MAX_TEMP_FILES)."""
    total = count = 0
    waiting = [str(folder)]
    while waiting and count <= MAX_TEMP_FILES:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                with suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return total, count


class HostWatch:
    """The watch of one host. `check()` every WATCH_S seconds."""

    def __init__(self, pid: int, temp: Path, limits: HostLimits) -> None:
        self._pid, self._temp, self._limits = pid, temp, limits
        self._commits = self._spent_s = self._cpu_s = 0.0
        self._then = self._next_sizing = time.monotonic()
        self._memory_mb = 0

    @property
    def seen(self) -> str:
        """For a host that ended by itself: its language's heap limit may have been the reason."""
        limit = self._limits.memory_mb
        return "" if limit is None else f"; it last used {self._memory_mb} MiB of memory, limits.memory_mb is {limit}"

    def check(self, *, working: bool, busy: bool, commits: int) -> str | None:
        """Why the host has to be killed. `working`: its time counts; `busy`: it has been given something to do."""
        used = usage(self._pid)
        return (
            self._memory(used) or self._processes(used) or self._processor(used, working, busy, commits) or self._disk()
        )

    def _memory(self, used: Usage) -> str | None:
        limit, self._memory_mb = self._limits.memory_mb, used.memory_bytes // _MIB
        if limit is None or used.memory_bytes <= limit * _MIB:
            return None
        return f"it used {self._memory_mb} MiB of memory, limits.memory_mb is {limit}"

    def _processes(self, used: Usage) -> str | None:
        if used.processes <= MAX_PROCESSES:
            return None
        return f"it had more than {MAX_PROCESSES} processes, which is what a host with limits may have"

    def _processor(self, used: Usage, working: bool, busy: bool, commits: int) -> str | None:
        now = time.monotonic()
        load = (used.cpu_s - self._cpu_s) / (now - self._then + 1e-9)
        if not working or commits != self._commits:
            self._commits, self._spent_s = commits, 0.0
        elif busy or load > IDLE_LOAD:
            self._spent_s += used.cpu_s - self._cpu_s
        self._cpu_s, self._then = used.cpu_s, now
        limit = self._limits.cpu_s
        if limit is None or self._spent_s <= limit:
            return None
        return f"it spins: {self._spent_s:.1f} s of processor time without a commit, limits.cpu_s is {limit}"

    def _disk(self) -> str | None:
        now = time.monotonic()
        limit = self._limits.temp_mb
        if limit is None or now < self._next_sizing:
            return None
        total, count = folder_bytes(self._temp)
        self._next_sizing = now + PAUSE_PER_SIZING * (time.monotonic() - now)
        if count > MAX_TEMP_FILES:
            return f"its temporary folder has more than {MAX_TEMP_FILES} files"
        if total <= limit * _MIB:
            return None
        return f"its temporary folder has {total // _MIB} MiB, limits.temp_mb is {limit}"
