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

from msgspec.structs import replace

from actors.console.errors import UserError
from actors.definition.model import Flow
from actors.definition.ports import Side, place_problem
from actors.definition.wire_names import end_wire
from actors.messages.run_to_session import Endpoint

_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_STREAMS = ("/dev/stdin", "/dev/stdout", "/dev/stderr")
_FLAGS: dict[Side, int] = {"in": os.O_RDONLY, "out": os.O_WRONLY | os.O_CREAT}
_STREAM_NAMES = ("standard input", "standard output", "standard error")


class _End(NamedTuple):
    """One option: `text` is `-o module.port=FILE`; `fd` is known if the file's name stands for a descriptor.

    An input has the side "in": it reads the file, and leads to an in-port.
    """

    text: str
    side: Side
    place: tuple[str, str]
    file: str
    fd: int | None


def open_ends(
    flow: Flow, inputs: Iterable[str], outputs: Iterable[str], *, durable: bool = False, accept_repeats: bool = False
) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...]]:
    """The inputs and outputs of a run; raises UserError. No file is changed before all are known to be right.

    `durable`: the run can be killed and goes on then, exactly with files only. What is in their outputs stays.
    """
    ends = [_end("in", text) for text in inputs] + [_end("out", text) for text in outputs]
    _check_places(flow, ends)
    ends.sort(key=lambda end: end.fd is None)  # before a file can get the number of a descriptor that is closed
    for end in ends:
        if end.fd is not None:
            _check_descriptor(end, end.fd)
    _refuse_circles(ends)
    opened: list[int] = []
    reading, writing = _open("in", ends, opened), _open("out", ends, opened)
    if not durable:
        for fd in opened:
            if _writes(fd) and stat.S_ISREG(os.fstat(fd).st_mode):
                os.ftruncate(fd, 0)
        return reading, writing
    for point in (*reading, *writing):
        if not accept_repeats and not stat.S_ISREG(os.fstat(point.fd).st_mode):
            raise UserError(
                f"{point.name}: this is no regular file, and the flow is durable: when a run that was killed goes on, "
                "messages may be missing or come twice there; --accept-repeats takes that"
            )
    return reading, tuple(replace(point, ours=point.fd in opened) for point in writing)


def _end(side: Side, text: str) -> _End:
    """`module.port=FILE` or `module.port=-`; the port may be left out."""
    option = "-i" if side == "in" else "-o"
    place, equals, file = text.partition("=")
    module, _, port = place.partition(".")
    if not equals or not module or not file:
        raise UserError(f"{option} takes MODULE.PORT=FILE (or - for the standard stream), not {text!r}", usage=True)
    return _End(f"{option} {text}", side, (module, port or side), file, _named(file, side))


def _check_places(flow: Flow, ends: list[_End]) -> None:
    for end in ends:
        if (problem := place_problem(flow.modules, end.side, *end.place)) is not None:
            raise UserError(f"{end.text}: {problem}")


def _named(file: str, side: Side) -> int | None:
    """The descriptor that a name stands for: it is used as it is, not opened again."""
    if file == "-":
        return 0 if side == "in" else 1
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
    if access == (os.O_WRONLY if end.side == "in" else os.O_RDONLY):
        raise UserError(f"{end.text}: {name} is not open for {'reading' if end.side == 'in' else 'writing'}")


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
    for end in sorted(ends, key=lambda end: end.side):
        facts = _facts(end)
        if facts is None or not (stat.S_ISREG(facts.st_mode) or stat.S_ISFIFO(facts.st_mode)):
            continue
        if end.side == "in":
            read[facts.st_dev, facts.st_ino] = end
        elif (other := read.get((facts.st_dev, facts.st_ino))) is not None:
            raise UserError(f"{end.text}: this is the file that {other.text} reads; write to another one")


def _open(side: Side, ends: list[_End], opened: list[int]) -> tuple[Endpoint, ...]:
    """An Endpoint for each file of one side; those that had to be opened are added to `opened`."""
    fds: dict[tuple[int, int, int], int] = {}
    shared: dict[int, list[_End]] = {}
    for end in [end for end in ends if end.side == side]:
        facts = _facts(end)
        fd = None if facts is None else fds.get(_identity(end, facts))
        if fd is None:
            fd = end.fd
            if fd is None:
                fd = _opened(end)
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
            places[end_wire(side, ".".join(place), times[place])] = place
        endpoints.append(Endpoint(places=places, fd=fd, name=", ".join(dict.fromkeys(end.text for end in some))))
    return tuple(endpoints)


def _identity(end: _End, facts: os.stat_result) -> tuple[int, int, int]:
    """Device, inode, and from where an input file is read: what has been read of a redirected one is not meant."""
    redirected = end.fd is not None and end.side == "in" and stat.S_ISREG(facts.st_mode)
    return facts.st_dev, facts.st_ino, os.lseek(end.fd, 0, os.SEEK_CUR) if redirected else 0  # type: ignore[arg-type]


def _opened(end: _End) -> int:
    try:
        return os.open(end.file, _FLAGS[end.side] | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
    except OSError as error:
        raise UserError(f"{end.text}: {error.strerror}") from None
