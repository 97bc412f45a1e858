"""A journal on the disk: one SQLite file per flow (WAL, synchronous=FULL), and what can be read from it again.

SQLite does not notice a flipped bit, nor that the end of its WAL is missing. So everything has a CRC, and the number of
the last group is also in a second file, which the database must not be behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import sqlite3
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack

from actors.journal.group import Body, Group, Recovered

FORMAT = 2
PAGE_BYTES = 16 << 10
CHECKPOINT_PAGES = 4000
GROWTH_BYTES = 1 << 20
MARK = struct.Struct("<QI")  # number of a group, CRC of that
# Each page that a group changes is written whole. So what is small is in one table, `state`: facts, how far wires are
# consumed, the number of the last group ("group", ""). And which bodies a wire has is in the writer's memory, no index.
_SCHEMA = """
create table meta(format integer);
create table body(
    id integer primary key, wire text, flags integer, skip integer, count integer, first integer, crc integer,
    body blob);
create table context(module text, key blob, crc integer, value blob, primary key(module, key))
    without rowid;
create table state(kind text, name text, crc integer, value, primary key(kind, name)) without rowid;
"""


class JournalError(Exception):
    """A journal that cannot be read or written; a sentence."""


class DamagedError(JournalError):
    """What is in the file is not what was written."""


def mark_of(path: Path) -> Path:
    """The second file of a journal."""
    return path.with_suffix(".mark")


def _crc(about: Sequence[Any], data: Any) -> int:
    """Of the other columns of a row, and of its last."""
    if isinstance(data, (bytes, memoryview)):
        return zlib.crc32(data, zlib.crc32(msgpack.packb(about)))
    return zlib.crc32(msgpack.packb((*about, data)))


class Store:
    """The writing side of one journal."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it, with its folder."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._mark = os.open(mark_of(path), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._mark, fcntl.LOCK_EX)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        self._db = _connect(path)
        if _is_new(self._db):
            self._db.executescript(f"begin; {_SCHEMA} insert into meta values({FORMAT}); commit;")
        self._log = os.open(f"{path}-wal", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._log_bytes = os.fstat(self._log).st_size
        self._wires: dict[str, list[tuple[int, int, int]]] = defaultdict(list)  # heaps: (end, first, id) of bodies
        self._last = 0  # id
        for id, wire, first, count in self._db.execute("select id, wire, first, count from body"):
            heapq.heappush(self._wires[wire], (first + count, first, id))
            self._last = max(self._last, id)

    def write(self, groups: list[Group]) -> int:
        """Write them in one transaction; returns the number of the last, which is durable."""
        db = self._db
        db.execute("begin immediate")
        for group in groups:
            self._apply(group)
        number = groups[-1].number
        self._state("group", {"": number})
        db.execute("commit")
        return number

    def _apply(self, group: Group) -> None:
        contexts, gone = group.contexts.items(), list[int]()
        for wire, below in group.cleared.items():
            bodies = self._wires.pop(wire, [])
            gone += [id for _, first, id in bodies if first < below]
            if left := [body for body in bodies if body[1] >= below]:
                heapq.heapify(left)
                self._wires[wire] = left
        self._many("delete from state where kind = 'consumed' and name = ? and value <= ?", [*group.cleared.items()])
        rows = [(self._added(body), *body[:5], _crc(body[:5], body.body), body.body) for body in group.bodies]
        self._many("insert into body values(?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._state("consumed", group.consumed)
        for wire, through in group.consumed.items():
            bodies = self._wires[wire]
            while bodies and bodies[0][0] <= through:
                gone.append(heapq.heappop(bodies)[2])
        self._many("delete from body where id = ?", [(id,) for id in gone])
        self._many("delete from context where module = ?", [(module,) for module in group.forgotten])
        self._many(
            "delete from context where module = ? and key = ?", [key for key, value in contexts if value is None]
        )
        self._many(
            "insert or replace into context values(?, ?, ?, ?)",
            [(m, key, _crc((m, key), value), value) for (m, key), value in contexts if value is not None],
        )
        self._state("fact", group.facts)

    def _added(self, body: Body) -> int:
        """The id of a body that is written now."""
        self._last += 1
        heapq.heappush(self._wires[body.wire], (body.first + body.count, body.first, self._last))
        return self._last

    def _state(self, kind: str, values: Mapping[str, Any]) -> None:
        """Each has this value from now on; none if that is None."""
        void = [(kind, name) for name, value in values.items() if value is None]
        self._many("delete from state where kind = ? and name = ?", void)
        rows = [(kind, name, _crc((kind, name), value), value) for name, value in values.items() if value is not None]
        self._many("insert or replace into state values(?, ?, ?, ?)", rows)

    def _many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            self._db.executemany(statement, rows)

    def mark(self, number: int) -> None:
        """Note outside the database that this group is durable. Not synced: it may be behind, never ahead."""
        data = number.to_bytes(8, "little")
        os.pwrite(self._mark, MARK.pack(number, zlib.crc32(data)), 0)

    def lengthen(self) -> None:
        """When nobody waits, and the last group has made SQLite's log longer: give it zeros to write upon.

        To sync a file that has grown takes twice as long. SQLite reads its log up to the first frame of another salt:
        https://sqlite.org/fileformat.html#walformat
        """
        size = os.fstat(self._log).st_size
        if 0 < size - self._log_bytes < GROWTH_BYTES:
            with contextlib.suppress(OSError):  # full: it grows by itself, then. Anything else SQLite's own sync meets
                os.pwrite(self._log, bytes(GROWTH_BYTES), size)
                os.fdatasync(self._log)
        self._log_bytes = os.fstat(self._log).st_size

    def close(self) -> None:
        """Close the files; nothing is written any more."""
        self._db.close()
        os.close(self._log)
        os.close(self._mark)


def recover(path: Path, accept_loss: bool = False) -> Recovered:
    """What a journal has; nothing if there is none. Raises DamagedError, naming the file and what is wrong.

    With `accept_loss` that is a sentence in `losses`, and from then on the file is as if it had never been there.
    """
    found = Recovered()
    if not path.exists():
        if marked := _marked(path):
            _lost(found, accept_loss, f"{path} is missing; {mark_of(path)} says that it had {marked} groups")
            found.number = marked
        return found
    try:
        with contextlib.closing(_connect(path)) as db:
            if _is_new(db) and not _marked(path):  # whoever made it has died at once
                return found
            return _read(path, db, found, accept_loss)
    except (sqlite3.DatabaseError, LookupError, TypeError, AttributeError, DamagedError) as error:
        said = str(error) if isinstance(error, DamagedError) else f"{path} cannot be read: {error}"
        if not accept_loss:
            raise DamagedError(said) from None
        aside = path.with_suffix(f".damaged-{len(list(path.parent.glob(f'{path.stem}.damaged-*'))) + 1}")
        path.rename(aside)
        for end in ("-wal", "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)
        return Recovered(_marked(path), losses=[*found.losses, f"{said}; it is {aside} now"])


def facts_of(path: Path, keys: tuple[str, ...]) -> dict[str, bytes]:
    """Some of the facts of a journal; those that are damaged, or cannot be read, are not there."""
    found: dict[str, bytes] = {}
    with contextlib.suppress(sqlite3.DatabaseError, DamagedError), contextlib.closing(_connect(path)) as db:
        for key in keys:
            for value, crc in db.execute("select value, crc from state where kind = 'fact' and name = ?", (key,)):
                if crc == _crc(("fact", key), value):
                    found[key] = value
    return found


def wait_for_writer(path: Path) -> None:
    """Until the process that wrote a journal has ended: it dies with its runner, a moment later."""
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(mark_of(path), os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_SH)
        os.close(fd)


def _lost(found: Recovered, accept_loss: bool, sentence: str) -> None:
    if not accept_loss:
        raise DamagedError(sentence)
    found.losses.append(sentence)


def _read(path: Path, db: sqlite3.Connection, found: Recovered, accept_loss: bool) -> Recovered:
    (format_,) = db.execute("select format from meta").fetchone()
    if format_ != FORMAT:
        raise JournalError(f"{path} has the format {format_}, this version reads {FORMAT}: use the one that wrote it")

    def checked(table: str, columns: str, where: str, order: str = "") -> Iterator[tuple[Any, ...]]:
        """Rows without their CRC, which is right."""
        for *row, data, crc in db.execute(f"select {columns}, crc from {table} {order}").fetchall():
            if crc == _crc(row, data):
                yield (*row, data)
                continue
            _lost(found, accept_loss, f"{path}: {_named(table, row)} damaged: their checksum is wrong")
            db.execute(f"delete from {table} where {where}", row[: where.count("?")])

    state: dict[str, dict[str, Any]] = {"group": {}, "consumed": {}, "fact": {}}
    for kind, name, value in checked("state", "kind, name, value", "kind is ? and name is ?"):
        state[kind][name] = value
    found.consumed, found.facts = state["consumed"], state["fact"]
    marked = _marked(path)
    found.number = state["group"].get("", marked if found.losses else 0)
    if marked > found.number:
        lost = f"groups {found.number + 1} to {marked} were durable and are missing"
        _lost(found, accept_loss, f"{path} ends with group {found.number}; {lost}")
        found.number = marked
    wires: dict[str, list[Body]] = {}
    columns, order = "wire, flags, skip, count, first, body", "order by id"
    rows = [Body._make(row) for row in checked("body", columns, _BODY, order)]
    for body in sorted(rows, key=lambda body: body.first):
        wires.setdefault(body.wire, []).append(_rest(body, found.consumed.get(body.wire, 0)))
    in_order = {wire: iter(bodies) for wire, bodies in wires.items()}
    found.bodies = [next(in_order[body.wire]) for body in rows]
    found.contexts = {(m, key): value for m, key, value in checked("context", "module, key, value", _CONTEXT)}
    return found


_BODY = "wire is ? and flags is ? and skip is ? and count is ? and first is ?"
_CONTEXT = "module is ? and key is ?"


def _named(table: str, row: list[Any]) -> str:
    if table == "body":
        wire, _, _, count, first = row
        return f"messages {first} to {first + count - 1} of {wire} are"
    if table == "context":
        return f"the key {row[1].decode(errors='replace')!r} of the context of {row[0]} and its value are"
    kind, name = row
    about = {"group": "the number of the last group", "consumed": f"the position of {name!r}"}
    return f"{about.get(kind, f'the fact {name!r}')} and its value are"


def _rest(body: Body, through: int) -> Body:
    """Without the messages that are consumed."""
    done = max(0, through - body.first)
    return body._replace(skip=body.skip + done, count=body.count - done, first=body.first + done)


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
        db.execute(f"pragma journal_size_limit = {CHECKPOINT_PAGES * PAGE_BYTES}")
    except sqlite3.DatabaseError as error:
        db.close()
        raise DamagedError(f"{path} cannot be read: {error}") from None
    return db


def _is_new(db: sqlite3.Connection) -> bool:
    """Nothing is in it: the tables are made in one transaction."""
    return not db.execute("select count(*) from sqlite_master").fetchone()[0]


def remove(path: Path) -> None:
    """A journal that is not wanted any more."""
    for file in (mark_of(path), path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        file.unlink(missing_ok=True)
