"""Locks of files: never waited for, and not to be had by somebody who may only read the file, as modules may.

They are open file description locks (fcntl(2)): for an exclusive one the file has to be open for writing. A lock ends
when the last descriptor of that opening is closed. Earlier runners have flock(2) in their place, and may use the same
cache: what one has locked so is not free, and what we lock is not for them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from pathlib import Path

LOCK = "lock"
MAKING_S = 3600.0  # no folder is about to get its lock for longer
_FLOCK = struct.Struct("hhqqi4x")  # struct flock: type, whence, start, length, pid


def share(fd: int) -> bool:
    """Lock what `fd` has open for reading against whoever wants it exclusively; False if somebody has it so."""
    return _take(fd, fcntl.F_RDLCK)


def seize(fd: int) -> bool:
    """Lock what `fd` has open for writing for nobody else; False if somebody else has locked it."""
    return _take(fd, fcntl.F_WRLCK)


def is_locked(path: Path) -> bool:
    """Whether anybody has locked a file in either way; one that is not there is not."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        is_free = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, wanted))[0] == fcntl.F_UNLCK
        return not is_free or not _flock(fd, fcntl.LOCK_EX)
    finally:
        os.close(fd)


def own(folder: Path) -> int:
    """Make the lock of a folder that lives as long as this process; it is locked before it has its name."""
    new = folder / f".{LOCK}"
    fd = os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        seize(fd)
        new.rename(folder / LOCK)
    except BaseException:
        os.close(fd)
        raise
    return fd


def is_abandoned(folder: Path) -> bool:
    """Whether the process that owned a folder has ended, or did so while it made it."""
    with contextlib.suppress(OSError):
        if (folder / LOCK).exists():
            return not is_locked(folder / LOCK)
        return folder.is_dir() and folder.stat().st_mtime < time.time() - MAKING_S
    return False


def _take(fd: int, kind: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, 0, 0, 0))
    except (BlockingIOError, PermissionError):  # EAGAIN, or EACCES
        return False
    return _flock(fd, fcntl.LOCK_SH if kind == fcntl.F_RDLCK else fcntl.LOCK_EX) or kind == fcntl.F_RDLCK


def _flock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
