"""The process that writes journals: records come on descriptor 0, (journal, number) go back when they are durable.

A process of its own: SQLite gives up the interpreter's lock at every row, and would wait for it behind a busy runner.
It never tries again what could not be written: it says why on standard error and ends.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import msgpack

from actors.journal.group import Group, Records
from actors.journal.store import Store

READ_BYTES = 1 << 20
MARK_S = 0.1


def main(folder: Path) -> int:
    """Until the other end is closed. Journals are `folder/NAME.db`."""
    link = socket.socket(fileno=os.dup(0))
    stores: dict[str, Store] = {}
    records, marks, marked = Records(), dict[str, int](), 0.0
    while data := link.recv(READ_BYTES):
        groups: dict[str, list[Group]] = {}
        for journal, group in records.feed(data):
            groups.setdefault(journal, []).append(group)
        for journal, some in groups.items():
            if journal not in stores:
                stores[journal] = Store(folder / f"{journal}.db")
            marks[journal] = stores[journal].write(some)
            link.sendall(msgpack.packb((journal, marks[journal])))
        if groups and time.monotonic() - marked > MARK_S:
            marked = time.monotonic()
            for journal, number in marks.items():
                stores[journal].mark(number)
            marks.clear()
    for journal, number in marks.items():
        stores[journal].mark(number)
    for store in stores.values():
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
