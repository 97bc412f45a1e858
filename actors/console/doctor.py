"""`runner doctor`: what this machine has, and what is missing."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.console.isolation import find_isolation, isolation_rows
from actors.console.live_runners import live_runners, state_folder
from actors.console.text import columns
from actors.system.in_process import ActorSystem
from runtimes.environments import cache_folder
from runtimes.manifest import find_version, load_runtimes, runtime_folders

PACKAGES = ("thespian", "orjson", "pyyaml", "psutil", "rich", "msgpack", "uv")
THESPIAN = "4.0.1"  # actors/system/signing.py and actors/system/in_process.py know its inside
PIPE_LIMITS = ("pipe-max-size", "pipe-user-pages-soft", "pipe-user-pages-hard")


def doctor(options: argparse.Namespace) -> int:
    """Print every check. Exit status 1 if something is missing that every flow needs."""
    checks = list(_checks(state_folder(options.state)))
    if options.json:
        print(json.dumps(checks))
    else:
        marks = {True: "ok", False: "MISSING", None: "-"}
        print(columns(("", "WHAT", ""), [(marks[c["ok"]], c["what"], c["found"]) for c in checks]))
    return 1 if any(check["ok"] is False for check in checks) else 0


def _check(what: str, ok: bool | None, found: Any) -> dict[str, Any]:
    """`ok` None: good to have, but not needed by every flow."""
    return {"what": what, "ok": ok, "found": str(found)}


def _checks(state: Path) -> Iterator[dict[str, Any]]:
    yield _check("python", True, platform.python_version())
    yield _check("kernel", platform.system() == "Linux", f"{platform.system()} {platform.release()}")
    for name in PACKAGES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield _check(name, False, "not installed")
        else:
            fits = name != "thespian" or version == THESPIAN
            yield _check(name, fits, version if fits else f"{version}, but {THESPIAN} is needed")
    for runtime in load_runtimes(runtime_folders()).values():
        found = find_version(runtime)
        ok = True if found.version else False if runtime.id == "python3" else None
        yield _check(f"runtime {runtime.id}", ok, found.version or found.reason)
    yield _state_check(state)
    yield _cache_check(cache_folder())
    yield _check("live runners", None, ", ".join(f"{r.name} ({r.pid})" for r in live_runners(state)) or "none")
    yield from _kernel_checks()
    yield from _isolation_checks(state)


def _state_check(state: Path) -> dict[str, Any]:
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=state) as folder:
            os.mkfifo(Path(folder) / "fifo")
    except OSError as error:
        return _check("state folder", False, f"{state}: {error.strerror}")
    return _check("state folder", True, state)


def _isolation_checks(state: Path) -> Iterator[dict[str, Any]]:
    """What is enforced for user code on this machine; docs/security.md says more."""
    try:
        for what, found in isolation_rows(find_isolation(state)):
            yield _check(what, None, found)
    except OSError as error:
        yield _check("isolation", False, f"a host cannot be started: {error.strerror}")
    names = "open files, core dumps, file size and data segment of hosts with limits"
    root = os.getuid() == 0
    yield _check("rlimits", None, names if root else f"{names}, processes of the user")
    user = "root: RLIMIT_NPROC does not hold" if root else f"{os.getuid()}, the runner's own"
    yield _check("user of hosts", None, user)
    yield _check("cgroup", None, "not used: memory, processor time and processes are watched ten times a second")


def _cache_check(cache: Path) -> dict[str, Any]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache):
            pass
    except OSError as error:
        return _check("cache folder", False, f"{cache}: {error.strerror}")
    return _check("cache folder", True, cache)


def _kernel_checks() -> Iterator[dict[str, Any]]:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        yield _check("pidfd", False, error.strerror)
    else:
        yield _check("pidfd", True, "works")
    try:
        ActorSystem().shutdown()
    except OSError as error:
        yield _check("epoll, timerfd", False, error.strerror)
    else:
        yield _check("epoll, timerfd", True, "work")
    for name in PIPE_LIMITS:
        path = Path("/proc/sys/fs") / name
        try:
            yield _check(name, None, path.read_text().strip())
        except OSError as error:
            yield _check(name, None, error.strerror)
