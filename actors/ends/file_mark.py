"""How far a file has been read or written, and whether it still is that file: for runs that go on after a crash."""

from __future__ import annotations

import os
import stat
import zlib
from typing import NamedTuple

import msgpack

TAIL_BYTES = 1024


class FileMark(NamedTuple):
    """`position`: bytes from the beginning; `tail`: the CRC of the last TAIL_BYTES before it."""

    device: int
    inode: int
    position: int
    tail: int

    @classmethod
    def of(cls, fd: int, position: int) -> FileMark | None:
        """Of an open file that can be read; None for what is no regular file."""
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            return None
        begin = max(0, position - TAIL_BYTES)
        return cls(facts.st_dev, facts.st_ino, position, zlib.crc32(os.pread(fd, position - begin, begin)))

    def input_problem(self, fd: int) -> str | None:
        """Why reading cannot go on from here in `fd`."""
        now = FileMark.of(fd, self.position)
        if now is None:
            return "it is no regular file, and the run before has read one"
        if (now.device, now.inode) != (self.device, self.inode):
            return f"it is another file than the one of which the run before has read {self.position:,} bytes"
        if os.fstat(fd).st_size < self.position:
            return f"it is shorter than the {self.position:,} bytes that the run before has read of it"
        if now.tail != self.tail:
            return f"it has been changed within the {self.position:,} bytes that the run before has read of it"
        return None

    def output_problem(self, fd: int) -> str | None:
        """Why writing cannot go on from here in `fd`."""
        now = FileMark.of(fd, self.position)
        if now is None:
            return "it is no regular file, and the run before has written one"
        if (size := os.fstat(fd).st_size) < self.position:
            return f"it has {size:,} bytes, and the run before has written {self.position:,}"
        if now.tail != self.tail:
            return f"the {self.position:,} bytes that the run before has written are not in it"
        return None


class Progress(NamedTuple):
    """Of one `-i` or `-o`. `mark`: None for a pipe; `number`: of the next message; `lines`, `bad`: of an input."""

    mark: FileMark | None
    number: int = 0
    lines: int = 0
    bad: int = 0

    def encoded(self) -> bytes:
        """As a journal has it."""
        packed: bytes = msgpack.packb(self)
        return packed

    @classmethod
    def decoded(cls, data: bytes) -> Progress:
        """From what a journal has."""
        mark, *rest = msgpack.unpackb(data)
        return cls(None if mark is None else FileMark(*mark), *rest)
