"""Ends the processes that are marked with a folder, and removes the folder: `python -I -S sweep.py FOLDER...`.

A process is marked by an environment variable that it has inherited, or by its mount namespace, which has a place of
the folder: no session, group or parent matters. Nothing else is ever ended or removed. A program of its own, because a
module may have left a million files, or a folder in a folder in a folder; as a library for whoever need not hurry.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

HOST_FOLDER, MAKING_FOLDER = "RUNNER_HOST_FOLDER", "RUNNER_MAKING_FOLDER"  # the variables
TEMP = "tmp"  # of a host, in its folder: what its mount namespace has of it
_MARKS = tuple(f"\0{name}=".encode() for name in (HOST_FOLDER, MAKING_FOLDER))
_OUR_MOUNTS = os.readlink("/proc/self/ns/mnt")
_READ_BYTES = 64 << 10
_PASSES = 100  # each finds what was forked during the one before
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def sweep_command(folders: Sequence[str]) -> list[str]:
    """This as a program."""
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), *folders]


# processes ---------------------------------------------------------------------------------------------------------


def end_marked(folders: Iterable[str], clean: int = 3) -> None:
    """Kill every process that is marked with one of these folders, or one that is in them.

    Until none is found `clean` times in a row: one that forks without end may be missed once.
    """
    names, found_none = list(folders), 0
    for _ in range(_PASSES):
        found_none = 0 if any(list(marked(names, kill=True))) else found_none + 1
        if found_none == clean:
            break


def marked(folders: Iterable[str], kill: bool = False) -> Iterator[bool]:
    """Look at one process after the other: whether it is marked so, and lives."""
    within = tuple(os.fsencode(os.path.join(folder, "")) for folder in folders)
    numbers = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    for pid in sorted(numbers, reverse=True):  # the newest may not live long
        if pid != os.getpid():
            yield _looked_at(pid, within, kill)


def _looked_at(pid: int, within: tuple[bytes, ...], kill: bool) -> bool:
    with contextlib.suppress(OSError):  # it has ended, or is another user's
        fd = os.pidfd_open(pid)  # of this one, and none that has the number after it
        try:
            if any(os.path.join(folder, b"").startswith(within) and _is_of(pid, folder) for folder in _marks(pid)):
                if kill:
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                return True
        finally:
            os.close(fd)
    return False


def _marks(pid: int) -> Iterator[bytes]:
    """The folders that a process is marked with."""
    variables = b"\0" + _read(f"/proc/{pid}/environ")
    for mark in _MARKS:
        _, found, rest = variables.partition(mark)
        if found:
            yield rest.partition(b"\0")[0]
    if os.readlink(f"/proc/{pid}/ns/mnt") != _OUR_MOUNTS:
        for line in _read(f"/proc/{pid}/mountinfo").splitlines():
            place = line.split(b" ", 5)[4].replace(b"\\040", b" ").replace(b"\\134", b"\\")
            if place.endswith(b"/" + TEMP.encode()):
                yield os.path.dirname(place)


def _is_of(pid: int, folder: bytes) -> bool:
    """Whether the process means the same folder as we do: in a container it may be another of the same name."""
    temp = os.path.join(folder, TEMP.encode())
    place = temp if os.path.isdir(temp) else folder
    return os.path.samestat(os.stat(place), os.stat(f"/proc/{pid}/root".encode() + place))


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [part := os.read(fd, _READ_BYTES)]
        while part:
            parts.append(part := os.read(fd, _READ_BYTES))
        return b"".join(parts)
    finally:
        os.close(fd)


# folders -----------------------------------------------------------------------------------------------------------


def remove(folder: str | os.PathLike[str], until: float = math.inf) -> bool:
    """Remove a folder and all that is in it; False if something is left, or the time `until` (monotonic) has come.

    However deep it is, whatever the modes in it are. No link is followed, no other file system is entered.
    """
    try:
        top = os.open(folder, os.O_RDONLY | _FOLDER)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(folder)  # it is a link, or a file
        return not os.path.lexists(folder)
    try:
        os.fchmod(top, 0o700)
        moved = (f".moved-{time.time_ns()}-{number}" for number in itertools.count())
        while _removed_some(top, moved, until):
            pass
    except OSError:
        return False
    finally:
        os.close(top)
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.lexists(folder)


def _removed_some(top: int, moved: Iterator[str], until: float) -> bool:
    """One round through `top`: what is in its folders is removed too, or moved up into it if it is a full folder.

    So there is never more than one level to go down, and each round has less to do than the one before.
    """
    some = False
    with os.scandir(top) as entries:
        for entry in entries:
            if time.monotonic() > until:
                return False
            if not _unlinked(entry.name, top):
                some |= _emptied(entry.name, top, moved, until)
            else:
                some = True
    return some


def _unlinked(name: str, parent: int) -> bool:
    """Whether it is gone: it was no folder, or an empty one."""
    for remove_one in (os.unlink, os.rmdir):
        with contextlib.suppress(OSError):
            remove_one(name, dir_fd=parent)
            return True
    return False


def _emptied(name: str, top: int, moved: Iterator[str], until: float) -> bool:
    """Remove a folder, and what is in it, but for full folders."""
    try:
        fd = _open(name, top)
    except OSError:
        return False
    try:
        if os.fstat(fd).st_dev != os.fstat(top).st_dev:
            return False
        with os.scandir(fd) as entries:
            for entry in entries:
                if time.monotonic() > until:
                    return False
                if not _unlinked(entry.name, fd):
                    os.close(_open(entry.name, fd))  # so that it may be moved
                    os.rename(entry.name, next(moved), src_dir_fd=fd, dst_dir_fd=top)
        os.rmdir(name, dir_fd=top)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _open(name: str, parent: int) -> int:
    """A folder that can be read and changed; raises OSError if it is none."""
    place = os.open(name, os.O_PATH | _FOLDER, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{place}", 0o700)
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(place)


if __name__ == "__main__":
    end_marked(sys.argv[1:])
    left = [folder for folder in sys.argv[1:] if not remove(folder)]
    sys.exit(f"not all could be removed: {', '.join(left)}" if left else 0)
