"""`-i` and `-o` of `runner run`: opens the files, each once, whatever names it. Reads and writes nothing."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from actors.console.errors import UserError
from actors.definition.model import Flow
from actors.definition.places import nearest
from actors.definition.ports import port_problem
from actors.definition.wire_names import feed_wire, sink_wire
from actors.messages.run_to_session import Endpoint

_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_STREAMS = ("/dev/stdin", "/dev/stdout", "/dev/stderr")
_STREAM_NAMES = ("standard input", "standard output", "standard error")


class _End(NamedTuple):
    """One option: `text` is `-o module.port=FILE`; `fd` is known if the file's name stands for a descriptor."""

    text: str
    reads: bool
    place: tuple[str, str]
    file: str
    fd: int | None


def open_ends(
    flow: Flow, inputs: Iterable[str], outputs: Iterable[str]
) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...]]:
    """The inputs and outputs of a run; raises UserError. No file is changed before all are known to be right."""
    ends = [_end("-i", text) for text in inputs] + [_end("-o", text) for text in outputs]
    _check_places(flow, ends)
    ends.sort(key=lambda end: end.fd is None)  # before a file can get the number of a descriptor that is closed
    for end in ends:
        if end.fd is not None:
            _check_descriptor(end, end.fd)
    _refuse_circles(ends)
    opened: list[int] = []
    reading = _open([end for end in ends if end.reads], os.O_RDONLY, opened)
    writing = _open([end for end in ends if not end.reads], os.O_WRONLY | os.O_CREAT, opened)
    for fd in opened:
        if _writes(fd) and stat.S_ISREG(os.fstat(fd).st_mode):
            os.ftruncate(fd, 0)
    return reading, writing


def _end(option: str, text: str) -> _End:
    """`module.port=FILE` or `module.port=-`; the port may be left out."""
    place, equals, file = text.partition("=")
    module, _, port = place.partition(".")
    if not equals or not module or not file:
        raise UserError(f"{option} takes MODULE.PORT=FILE (or - for the standard stream), not {text!r}", usage=True)
    reads = option == "-i"
    return _End(f"{option} {text}", reads, (module, port or ("in" if reads else "out")), file, _named(file, reads))


def _check_places(flow: Flow, ends: list[_End]) -> None:
    for end in ends:
        name, port = end.place
        if name not in flow.modules:
            problem: str | None = f"there is no module {name!r}; {nearest(name, flow.modules)}"
        else:
            problem = port_problem(flow.modules[name], "in" if end.reads else "out", port)
        if problem is not None:
            raise UserError(f"{end.text}: {problem}")


def _named(file: str, reads: bool) -> int | None:
    """The descriptor that a name stands for: it is used as it is, not opened again."""
    if file == "-":
        return 0 if reads else 1
    if file in _STREAMS:
        return _STREAMS.index(file)
    found = _DESCRIPTOR.fullmatch(file)
    return int(found[1]) if found else None


def _check_descriptor(end: _End, fd: int) -> None:
    name = _STREAM_NAMES[fd] if fd < len(_STREAM_NAMES) else f"descriptor {fd}"
    closed = fd < len(_STREAMS) and (sys.__stdin__, sys.__stdout__, sys.__stderr__)[fd] is None
    try:
        access = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
    except (OSError, OverflowError):
        closed = True
    if closed:
        raise UserError(f"{end.text}: {name} is closed")
    if access == (os.O_WRONLY if end.reads else os.O_RDONLY):
        raise UserError(f"{end.text}: {name} is not open for {'reading' if end.reads else 'writing'}")


def _writes(fd: int) -> bool:
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def _facts(end: _End) -> os.stat_result | None:
    """What the file is; None if it is not there (yet), or cannot be seen."""
    try:
        return os.fstat(end.fd) if end.fd is not None else Path(end.file).stat()
    except OSError:
        return None


def _refuse_circles(ends: list[_End]) -> None:
    """What is written to a file would be read from it again. (Terminals and sockets have two directions.)"""
    read: dict[tuple[int, int], _End] = {}
    for end in sorted(ends, key=lambda end: not end.reads):
        facts = _facts(end)
        if facts is None or not (stat.S_ISREG(facts.st_mode) or stat.S_ISFIFO(facts.st_mode)):
            continue
        if end.reads:
            read[facts.st_dev, facts.st_ino] = end
        elif (other := read.get((facts.st_dev, facts.st_ino))) is not None:
            raise UserError(f"{end.text}: this is the file that {other.text} reads; write to another one")


def _open(ends: list[_End], flags: int, opened: list[int]) -> tuple[Endpoint, ...]:
    """An Endpoint for each file; those that had to be opened are added to `opened`."""
    fds: dict[tuple[int, int, int], int] = {}
    shared: dict[int, list[_End]] = {}
    for end in ends:
        facts = _facts(end)
        fd = None if facts is None else fds.get(_identity(end, facts))
        if fd is None:
            fd = end.fd
            if fd is None:
                fd = _opened(end, flags)
                opened.append(fd)
            facts = os.fstat(fd)
            if stat.S_ISDIR(facts.st_mode):
                raise UserError(f"{end.text}: this is a directory, not a file")
            fds[_identity(end, facts)] = fd
        shared.setdefault(fd, []).append(end)
    times: dict[tuple[str, str], int] = {}  # a place has other ends, too
    endpoints = []
    for fd, some in shared.items():
        places = {}
        for place in dict.fromkeys(end.place for end in some):
            times[place] = times.get(place, 0) + 1
            places[_wire(some[0].reads, place, times[place])] = place
        endpoints.append(Endpoint(places=places, fd=fd, name=", ".join(dict.fromkeys(end.text for end in some))))
    return tuple(endpoints)


def _identity(end: _End, facts: os.stat_result) -> tuple[int, int, int]:
    """Device, inode, and from where an input file is read: what has been read of a redirected one is not meant."""
    redirected = end.fd is not None and end.reads and stat.S_ISREG(facts.st_mode)
    return facts.st_dev, facts.st_ino, os.lseek(end.fd, 0, os.SEEK_CUR) if redirected else 0  # type: ignore[arg-type]


def _opened(end: _End, flags: int) -> int:
    try:
        return os.open(end.file, flags | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
    except OSError as error:
        raise UserError(f"{end.text}: {error.strerror}") from None


def _wire(reads: bool, place: tuple[str, str], time: int) -> str:
    """The name of a wire from or to the outside; message ids have it."""
    return (feed_wire if reads else sink_wire)(".".join(place), time)
