"""A mount namespace: nothing but a host's own places can be changed, and some places cannot be seen.

All file systems are read-only in it: contents, modes, owners, times, attributes. Needs Linux 5.12, and root's
CAP_SYS_ADMIN or user namespaces; in one of the latter a host keeps its uid and gid, others' show as nobody's to a user.
"""

import os
import stat
import sys

from runtimes.confinement.kernel import mount, syscall, unshare

TYPE_CHECKING = False  # the real one would cost more than all that is done here
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NEW_MOUNTS, NEW_IPC, NEW_USER = 0x20000, 0x8000000, 0x10000000
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, AT_RECURSIVE, CLONE, FROM_FD = -100, 0x8000, 1, 4
READ_ONLY, SLAVE = 1, 1 << 19
NO_SUID, NO_DEVICES = 2, 4
OWN, HIDDEN = b"mode=1777", b"mode=755"
SHARED_MEMORY = "/dev/shm"
_BARRED = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"  # Ubuntu: one can be made, but is of no use


def enter(writable: "Iterable[str]", own: "Iterable[str]", hidden: "Iterable[str]", shown: "Iterable[str]") -> None:
    """Into a namespace where only what is `writable` can be changed; raises OSError if there is none to be had.

    `own` folders are new and nobody else's, `hidden` ones are empty, but for the `writable` and `shown` places in them.
    The working directory stays the same.
    """
    here = os.getcwd()
    writable = set(map(os.path.realpath, writable))
    _leave(0 if os.path.realpath(SHARED_MEMORY) in writable else NEW_IPC)
    _change("/", propagation=SLAVE)  # an unmount outside reaches us, nothing that is done here is seen outside
    os.close(_clone(here))  # if that can be done, all can
    try:
        places = _clones(writable - {"/"})
        if "/" not in writable:
            _change("/", AT_RECURSIVE, READ_ONLY)
        places = _clones(shown) | places
        new = dict.fromkeys(map(os.path.realpath, own), OWN) | dict.fromkeys(map(os.path.realpath, hidden), HIDDEN)
        made = []
        for path in sorted(places.keys() | new):  # a folder before what is in it
            if path in places:
                _move(places[path], path)
            elif os.path.isdir(path):  # else there is none, or it is in a hidden one
                mount(b"runner", os.fsencode(path), b"tmpfs", NO_SUID | NO_DEVICES, new[path])
                made.append(path)
        for path in made:
            if new[path] == HIDDEN:
                _change(path, 0, READ_ONLY)
        os.chdir(here)
        null = os.open(os.devnull, os.O_RDWR)  # the one that was inherited is of a mount that can be changed
        os.dup2(null, 0)
        os.close(null)
    except OSError as error:  # half of it is no protection that anybody knows of
        sys.exit(f"its mounts cannot be made: {error.filename}: {error.strerror}")


def _leave(more: int) -> None:
    """Root needs no user namespace, unless it is a container's."""
    try:
        unshare(NEW_MOUNTS | more)
    except PermissionError:
        if _read(_BARRED).strip() == b"1":
            raise
        uid, gid = os.getuid(), os.getgid()
        map_all = _mapper() if uid == 0 else lambda _is_inside: False
        try:
            unshare(NEW_USER | NEW_MOUNTS | more)
        except OSError:
            map_all(False)
            raise
        if not map_all(True):
            _write("self", setgroups="deny", uid_map=f"{uid} {uid} 1", gid_map=f"{gid} {gid} 1")


def _mapper() -> "Callable[[bool], bool]":
    """A process that stays outside: only there has root the right to map everybody, as it needs for others' files.

    To be called when we are inside, or cannot be; returns whether it had the right.
    """
    every = {}
    for name in ("uid_map", "gid_map"):
        lines = [line.split() for line in _read(f"/proc/self/{name}").decode().splitlines()]
        every[name] = "\n".join(f"{first} {first} {count}" for first, _, count in lines)
    waiting, inside = os.pipe()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        os.close(inside)
        try:
            if os.read(waiting, 1):
                _write(str(parent), **every)
                os._exit(0)
        finally:
            os._exit(1)

    def called(is_inside: bool) -> bool:
        os.write(inside, b"!" if is_inside else b"")
        for fd in (waiting, inside):
            os.close(fd)
        return os.waitpid(child, 0)[1] == 0

    return called


def _write(process: str, **files: str) -> None:
    for name, text in files.items():
        fd = os.open(f"/proc/{process}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)


def _change(path: str, flags: int = AT_RECURSIVE, attributes: int = 0, propagation: int = 0) -> None:
    numbers = (attributes, 0, propagation, 0)
    packed = b"".join(number.to_bytes(8, "little") for number in numbers)
    syscall("mount_setattr", MOUNT_SETATTR, AT_FDCWD, os.fsencode(path), flags, packed, len(packed))


def _clones(paths: "Iterable[str]") -> dict[str, int]:
    return {path: _clone(path) for path in map(os.path.realpath, paths) if not _is_special(path)}


def _clone(path: str) -> int:
    """A mount of what is there, as it is now, without a place of its own."""
    flags = CLONE | AT_RECURSIVE | os.O_CLOEXEC
    return syscall(path, OPEN_TREE, AT_FDCWD, os.fsencode(path), flags)


def _move(tree: int, path: str) -> None:
    if not os.path.lexists(path):  # in a hidden folder
        if stat.S_ISDIR(os.fstat(tree).st_mode):
            os.makedirs(path)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC))
    syscall(path, MOVE_MOUNT, tree, b"", AT_FDCWD, os.fsencode(path), FROM_FD)
    os.close(tree)


def _is_special(path: str) -> bool:
    """Devices, pipes and sockets can be written to on read-only file systems, too."""
    mode = os.stat(path).st_mode
    return not (stat.S_ISDIR(mode) or stat.S_ISREG(mode))


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)
