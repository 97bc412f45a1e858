"""A journal on the disk: one SQLite file per flow (WAL, synchronous=FULL), and what can be read from it again.

SQLite does not notice a flipped bit, nor that the end of its WAL is missing. So everything has a CRC, and the number of
the last group is also in a second file, which the database must not be behind.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from actors.journal.group import Body, Group, Key

FORMAT = 1
PAGE_BYTES = 16 << 10
CHECKPOINT_PAGES = 4000
MARK = struct.Struct("<QI")  # number of a group, CRC of that
_SCHEMA = """
create table if not exists meta(format integer, number integer);
create table if not exists body(
    id integer primary key, wire text, port text, flags integer, skip integer, count integer, first integer,
    crc integer, body blob);
create index if not exists body_wire on body(wire, first);
create table if not exists consumed(wire text primary key, through integer) without rowid;
create table if not exists context(module text, key blob, crc integer, value blob, primary key(module, key))
    without rowid;
create table if not exists fact(key text primary key, crc integer, value blob) without rowid;
"""


class JournalError(Exception):
    """A journal that cannot be read or written; a sentence."""


class DamagedError(JournalError):
    """What is in the file is not what was written."""


@dataclass(slots=True)
class Recovered:
    """What a journal has: the number of its last group, and everything that is valid after it.

    `bodies` are in the order in which they came, `first`, `skip` and `count` of what is not consumed.
    """

    number: int = 0
    bodies: list[Body] = field(default_factory=list)
    contexts: dict[Key, bytes] = field(default_factory=dict)
    facts: dict[str, bytes] = field(default_factory=dict)


def mark_of(path: Path) -> Path:
    """The second file of a journal."""
    return path.with_suffix(".mark")


class Store:
    """The writing side of one journal."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it, with its folder."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = _connect(path)
        self._db.executescript(_SCHEMA)
        if self._db.execute("select count(*) from meta").fetchone()[0] == 0:
            self._db.execute("insert into meta values(?, 0)", (FORMAT,))
        self._mark = os.open(mark_of(path), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)

    def write(self, groups: list[Group]) -> int:
        """Write them in one transaction; returns the number of the last, which is durable."""
        db = self._db
        db.execute("begin immediate")
        for group in groups:
            self._apply(group)
        number = groups[-1].number
        db.execute("update meta set number = ?", (number,))
        db.execute("commit")
        return number

    def _apply(self, group: Group) -> None:
        db = self._db
        db.executemany("delete from body where wire = ?", [(wire,) for wire in group.cleared])
        db.executemany(
            "insert into body(wire, port, flags, skip, count, first, crc, body) values(?, ?, ?, ?, ?, ?, ?, ?)",
            [(*body[:6], zlib.crc32(body.body), body.body) for body in group.bodies],
        )
        consumed = list(group.consumed.items())
        db.executemany(
            "insert into consumed values(?, ?) on conflict do update set through = excluded.through", consumed
        )
        db.executemany("delete from body where wire = ? and first + count <= ?", consumed)
        gone = [key for key, value in group.contexts.items() if value is None]
        db.executemany("delete from context where module = ? and key = ?", gone)
        db.executemany(
            "insert or replace into context values(?, ?, ?, ?)",
            [(m, key, zlib.crc32(value), value) for (m, key), value in group.contexts.items() if value is not None],
        )
        db.executemany(
            "delete from fact where key = ?", [(key,) for key, value in group.facts.items() if value is None]
        )
        db.executemany(
            "insert or replace into fact values(?, ?, ?)",
            [(key, zlib.crc32(value), value) for key, value in group.facts.items() if value is not None],
        )

    def mark(self, number: int) -> None:
        """Note outside the database that this group is durable. Not synced: it may be behind, never ahead."""
        data = number.to_bytes(8, "little")
        os.pwrite(self._mark, MARK.pack(number, zlib.crc32(data)), 0)

    def close(self) -> None:
        """Close the database and the mark; nothing is written any more."""
        self._db.close()
        os.close(self._mark)


def recover(path: Path) -> Recovered:
    """What a journal has; nothing if there is none. Raises DamagedError, naming the file and what is wrong."""
    if not path.exists():
        if _marked(path):
            raise DamagedError(f"{path} is missing; {mark_of(path)} says that it had {_marked(path)} groups")
        return Recovered()
    with contextlib.closing(_connect(path)) as db:
        try:
            return _read(path, db)
        except (sqlite3.DatabaseError, IndexError, TypeError) as error:
            raise DamagedError(f"{path} cannot be read: {error}") from None


def _read(path: Path, db: sqlite3.Connection) -> Recovered:
    format_, number = db.execute("select format, number from meta").fetchone()
    if format_ != FORMAT:
        raise JournalError(f"{path} has the format {format_}; this version reads {FORMAT}")
    marked = _marked(path)
    if marked > number:
        raise DamagedError(
            f"{path} ends with group {number}; groups {number + 1} to {marked} were durable and are missing"
        )
    found = Recovered(number)
    consumed = dict(db.execute("select wire, through from consumed"))
    columns = "wire, port, flags, skip, count, first, body, crc"
    for *fields, crc in db.execute(f"select {columns} from body order by id"):
        body = Body._make(fields)
        _check(path, crc, body.body, f"messages {body.first} to {body.first + body.count - 1} of {body.wire}")
        found.bodies.append(_rest(body, consumed.get(body.wire, 0)))
    for module, key, crc, value in db.execute("select module, key, crc, value from context"):
        _check(path, crc, value, f"the key {key.decode(errors='replace')!r} of the context of {module}")
        found.contexts[module, key] = value
    for key, crc, value in db.execute("select key, crc, value from fact"):
        _check(path, crc, value, f"the fact {key!r}")
        found.facts[key] = value
    return found


def _rest(body: Body, through: int) -> Body:
    """Without the messages that are consumed."""
    done = max(0, through - body.first)
    return body._replace(skip=body.skip + done, count=body.count - done, first=body.first + done)


def _check(path: Path, crc: int, data: bytes | memoryview, what: str) -> None:
    if zlib.crc32(data) != crc:
        raise DamagedError(f"{path}: {what} are damaged: their checksum is wrong")


def _marked(path: Path) -> int:
    """The group that the second file names; 0 if there is none, or if it is torn."""
    try:
        number, crc = MARK.unpack(mark_of(path).read_bytes()[: MARK.size])
    except (FileNotFoundError, struct.error):
        return 0
    return int(number) if zlib.crc32(int(number).to_bytes(8, "little")) == crc else 0


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute(f"pragma page_size = {PAGE_BYTES}")
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = full")
        db.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}")
    except sqlite3.DatabaseError as error:
        db.close()
        raise DamagedError(f"{path} cannot be read: {error}") from None
    return db


def remove(path: Path) -> None:
    """A journal that is not wanted any more."""
    for file in (mark_of(path), path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        file.unlink(missing_ok=True)
