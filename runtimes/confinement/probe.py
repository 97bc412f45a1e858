"""Runs as a host does, and tries what a host must not be able to: `probe.py FACTS ...`.

FACTS: `{"runner": pid, "file": path, "memory": path, "socket": path, "abstract": name}`, all of whoever asks. It prints
what it is, and of each thing that it has tried null if it worked, or why it did not, as JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
import sys
from collections.abc import Callable
from typing import Any

PTRACE = {"x86_64": 101, "aarch64": 117}
PTRACE_SEIZE = 0x4206
NEW_USER = 0x10000000
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Try everything, and print as JSON what was refused, and how this process is confined."""
    facts = json.loads(sys.argv[1])
    print(json.dumps(confinement() | {"tried": {what: _refusal(attempt, facts) for what, attempt in TRIES.items()}}))


def confinement() -> dict[str, Any]:
    """Of this process: the number of filters of its system calls, its capabilities in hexadecimal, its namespaces."""
    with open("/proc/self/status") as file:
        status = {name: value.strip() for name, _, value in (line.partition(":") for line in file)}
    return {
        "filters": int(status.get("Seccomp_filters", status["Seccomp"])), "capabilities": status["CapEff"],
        "namespaces": {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in ("mnt", "user", "ipc")},
    }  # fmt: skip


def _refusal(attempt: Callable[[Any], object], facts: Any) -> str | None:
    try:
        attempt(facts)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _write(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY))


def _look(facts: Any) -> None:
    os.listdir(f"/proc/{facts['runner']}/fd")
    os.readlink(f"/proc/{facts['runner']}/fd/0")


def _list(facts: Any) -> None:
    if not os.path.exists(facts["socket"]):
        raise OSError(0, "it is not to be seen")


def _connect(address: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(address)
        if client.recv(1) != b"y":
            raise OSError(0, "the runner refuses it")


def _limit(facts: Any) -> None:
    now = resource.prlimit(facts["runner"], resource.RLIMIT_NOFILE)
    resource.prlimit(facts["runner"], resource.RLIMIT_NOFILE, now)


TRIES: dict[str, Callable[[Any], object]] = {
    "write elsewhere": lambda facts: _write(facts["file"]),
    "change modes elsewhere": lambda facts: os.chmod(facts["file"], 0o600),
    "make set-uid files": lambda _: os.close(os.open("probe", os.O_CREAT | os.O_WRONLY, 0o4700)),
    "see the state directory": _list,
    "use the API": lambda facts: _connect(facts["socket"]),
    "look into the runner": _look,
    "signal the runner": lambda facts: os.kill(facts["runner"], 0),
    "change the runner's limits": _limit,
    "trace the runner": lambda facts: _checked(
        _libc.syscall(PTRACE.get(os.uname().machine, -1), PTRACE_SEIZE, facts["runner"], 0, 0)
    ),
    "use others' abstract sockets": lambda facts: _connect(f"\0{facts['abstract']}"),
    "use others' shared memory": lambda facts: _write(facts["memory"]),
    "make namespaces": lambda _: _checked(_libc.unshare(NEW_USER)),
}

if __name__ == "__main__":
    main()
