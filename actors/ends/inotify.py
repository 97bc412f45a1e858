"""Changes in folders, as the kernel tells them: inotify through ctypes. It knows nothing of flows."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODIFIED, WRITTEN, GONE_AWAY, MOVED_HERE, CREATED, DELETED = 0x2, 0x8, 0x40, 0x80, 0x100, 0x200
SELF_DELETED, SELF_MOVED, OVERFLOW, FORGOTTEN, IS_FOLDER = 0x400, 0x800, 0x4000, 0x8000, 0x40000000
_WANTED = MODIFIED | WRITTEN | GONE_AWAY | MOVED_HERE | CREATED | DELETED | SELF_DELETED | SELF_MOVED
_ONLY_FOLDERS = 0x01000000
_EVENT = struct.Struct("iIII")
_READ_BYTES = 64 << 10
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something happened to `path`; `mask` says what. Of an OVERFLOW the path is not known."""

    path: Path | None
    mask: int


class Inotify:
    """Watches folders, not what is below them."""

    def __init__(self) -> None:
        self.fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), f"inotify: {os.strerror(ctypes.get_errno())}")
        self._folders: dict[int, Path] = {}

    @property
    def folders(self) -> set[Path]:
        """The folders that are watched now; one that has gone is forgotten."""
        return set(self._folders.values())

    def watch(self, folder: Path) -> None:
        """Watch a folder; OSError if that cannot be."""
        number = _libc.inotify_add_watch(self.fd, os.fsencode(folder), _WANTED | _ONLY_FOLDERS)
        if number < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
        self._folders[number] = folder

    def forget(self, folder: Path) -> None:
        """Watch it no more."""
        for number in [number for number, path in self._folders.items() if path == folder]:
            del self._folders[number]
            _libc.inotify_rm_watch(self.fd, number)

    def read(self) -> Iterator[Change]:
        """What has happened since the last call; does not wait."""
        try:
            data = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
            at += _EVENT.size + length
            folder = self._folders.get(number)
            if mask & OVERFLOW:
                yield Change(path=None, mask=mask)
            elif folder is not None:
                if mask & (FORGOTTEN | SELF_MOVED):
                    self.forget(folder)
                yield Change(path=folder / os.fsdecode(name) if name else folder, mask=mask)

    def close(self) -> None:
        """Close the descriptor; the kernel forgets all folders."""
        os.close(self.fd)
