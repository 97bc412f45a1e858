"""The process that writes journals: records come on descriptor 0, (journal, number) go back when they are durable.

A process of its own: SQLite gives up the interpreter's lock at every row, and would wait for it behind a busy runner.
It never tries again what could not be written: it says why on standard error and ends. It ends with its runner.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sqlite3
import sys
from pathlib import Path

import msgpack

from actors.journal.group import End, Group, Records
from actors.journal.store import JournalError, Store, remove

READ_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1


def main(folder: Path, runner: int) -> None:
    """Until the other end is closed. Journals are `folder/NAME.db`; `runner`: the process that sends."""
    link = socket.socket(fileno=os.dup(0))
    stores: dict[str, Store] = {}
    files: dict[int, int] = {}  # of the runner's descriptors, one of our own
    records = Records()
    while data := link.recv(READ_BYTES):
        groups: dict[str, list[Group]] = {}
        for journal, group in records.feed(data):
            if journal not in stores:
                stores[journal] = Store(folder / f"{journal}.db")
            if isinstance(group, Group):
                groups.setdefault(journal, []).append(group)
                continue
            groups.pop(journal, None)  # nobody waits for it any more
            store = stores.pop(journal)
            store.close()
            if group is End.REMOVE:
                remove(folder / f"{journal}.db")
            link.sendall(msgpack.packb((journal, 0)))
        for fd in {fd for some in groups.values() for group in some for fd in group.synced}:
            if fd not in files:
                files[fd] = os.open(f"/proc/{runner}/fd/{fd}", os.O_WRONLY | os.O_CLOEXEC)
            os.fdatasync(files[fd])
        for journal, some in groups.items():
            number = stores[journal].write(some)
            stores[journal].mark(number)
            link.sendall(msgpack.packb((journal, number)))
        if not select.select([link], [], [], 0)[0]:
            for journal in groups:
                stores[journal].lengthen()
    for store in stores.values():
        store.close()


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    parent = int(sys.argv[2])
    _die_with(parent)
    try:
        main(Path(sys.argv[1]), parent)
    except (OSError, sqlite3.Error, JournalError) as error:
        print(getattr(error, "strerror", None) or error, file=sys.stderr)
        sys.exit(1)
