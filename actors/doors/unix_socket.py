"""Unix sockets in folders of any depth: an address has room for 108 bytes, `/proc/self/fd` makes every path short.

Also: who has connected.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from pathlib import Path

BACKLOG = 64
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_CONFINEMENT = re.compile(rb"^(NoNewPrivs|Seccomp|Seccomp_filters):\s+(\d+)$", re.MULTILINE)
CONNECT_TIMEOUT_S = 3


def listen(path: Path) -> socket.socket:
    """A non-blocking socket that only its owner can connect to; raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fchmod(listener.fileno(), 0o600)  # before there is a name: never open to others, whatever the umask
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(folder)
    return listener


def connect(path: Path) -> socket.socket:
    """A connected, blocking socket; raises OSError, BlockingIOError if as many wait there as can."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", CONNECT_TIMEOUT_S, 0))
        client.connect(f"/proc/self/fd/{folder}/{path.name}")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 0))
    except BaseException:
        client.close()
        raise
    finally:
        os.close(folder)
    return client


def is_of_a_host(client: socket.socket) -> bool | None:
    """Whether a host has connected, or a process that one has started, whoever its parent is by now.

    None: it has ended, nobody can say what it was.

    They are known by what none of them can get rid of: they gain no privileges and have more filters than this process.
    """
    pid, _, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    if pid == 0:  # from outside of this container, where no host is
        return False
    try:
        privileges, filters = _confinement(pid)
    except OSError:
        return None
    return bool(privileges) and filters > _confinement(os.getpid())[1]


def _confinement(pid: int) -> tuple[int, int]:
    """no_new_privs, and how many filters the process has for its system calls."""
    fields = {name: int(value) for name, value in _CONFINEMENT.findall(Path(f"/proc/{pid}/status").read_bytes())}
    return fields[b"NoNewPrivs"], fields.get(b"Seccomp_filters", fields[b"Seccomp"])
