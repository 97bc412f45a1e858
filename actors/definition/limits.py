"""What a host may use: the limits of its modules as the kernel and the watch take them. Starts and watches nothing."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPEN_FILES = 4096
HOST_FILES = 32  # what a host itself has open: node about 20
TEMP_MB = 1024  # of a host with limits that does not say
MORE_TASKS = 4096  # of the host's user, than all of the machine when it starts: a backstop against fork bombs
_MIB = 1 << 20
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
_SHARED_MEMORY, _TERMINALS = "/dev/shm", "/dev/pts"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLimits:
    """The limits of one host; None: no limit. `data_segment`: the kernel refuses memory near `memory_mb`.

    `hidden` are folders that it is not to see, but for what of them is `shown`; `offline`: it gets no socket.
    """

    memory_mb: int | None = None
    cpu_s: int | None = None
    open_files: int = OPEN_FILES
    temp_mb: int | None = None
    writable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    data_segment: bool = False
    offline: bool = False

    @property
    def watched(self) -> bool:
        """Whether somebody has to look at what the host uses."""
        return self.temp_mb is not None

    def rlimits(self) -> dict[int, int]:
        """What the kernel enforces by itself, per process."""
        limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: self.open_files + HOST_FILES}
        if self.temp_mb is not None and not self.writable:  # a file elsewhere may be as large as it likes
            limits[resource.RLIMIT_FSIZE] = self.temp_mb * _MIB
        if self.memory_mb is not None and self.data_segment:
            limits[resource.RLIMIT_DATA] = self.memory_mb * _MIB * 15 // 16  # before the watch sees it
        if os.getuid() != 0:  # it does not hold for root
            limits[resource.RLIMIT_NPROC] = _tasks() + MORE_TASKS
        return limits

    def places(self) -> list[str]:
        """Where it may write besides its own folder, and what it can see, as options of runtimes/launch.py."""
        hidden = [*self.hidden, _TERMINALS, f"/run/user/{os.getuid()}"]
        own: list[str] = []
        if _SHARED_MEMORY not in self.writable:  # no quota covers it: hosts with limits have none
            (hidden if self.watched else own).append(_SHARED_MEMORY)
        places = {"write": (*_DEVICES, *self.writable), "own": own, "hide": hidden, "show": self.shown}
        offline = ["--offline=1"] if self.offline else []
        return offline + [f"--{what}={path}" for what, paths in places.items() for path in paths if Path(path).exists()]


def limits_of(
    limits: Mapping[str, Any], data_segment: bool, hidden: tuple[str, ...] = (), shown: tuple[str, ...] = ()
) -> HostLimits:
    """Of a module's `limits`; its host is watched if there is more than `writable`."""
    watched = bool(limits.keys() - {"writable"})
    return HostLimits(
        memory_mb=limits.get("memory_mb"),
        cpu_s=limits.get("cpu_s"),
        open_files=limits.get("open_files", OPEN_FILES),
        temp_mb=limits.get("temp_mb", TEMP_MB) if watched else None,
        writable=tuple(limits.get("writable", ())),
        hidden=hidden,
        shown=shown,
        data_segment=data_segment,
    )


def _tasks() -> int:
    """How many threads this machine has."""
    return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
