"""Journals against a dictionary, with damage of every kind."""

from __future__ import annotations

import itertools
import os
import random
import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.journal import store
from actors.journal.gathering import MAX_GROUP_BYTES, Gathering
from actors.journal.group import Body, Group, Records, Recovered, encode
from actors.journal.store import DamagedError, Store, mark_of, recover, remove

WIRES = ["a.out->b.in", "b.out->c.in"]


def gathering(last: int, groups: list[Group], dirty: Callable[[int], None] = lambda _: None) -> Gathering:
    made = Gathering(Recovered(last), groups.append, dirty)
    made.keeps = dict.fromkeys(WIRES, True) | {"lossy": False}
    return made


class Model:
    """What a journal is to have, kept in dictionaries; its events go to a Gathering too."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.gathering = gathering(0, self.groups)
        self.mailbox: dict[str, list[tuple[int, bytes]]] = {wire: [] for wire in WIRES}
        self.numbers = dict.fromkeys(WIRES, 0)
        self.contexts: dict[tuple[str, bytes], bytes] = {}
        self.facts: dict[str, bytes] = {}

    def event(self, rng: random.Random) -> None:
        wire = rng.choice(WIRES)
        match rng.choice(
            ["send", "send", "send", "consume", "consume", "clear", "clear all", "context", "context", "forget", "fact"]
        ):
            case "send":
                skip, count = rng.randint(0, 2), rng.randint(1, 3)
                body = rng.randbytes(rng.choice([1, 10, 300]))
                first = self.numbers[wire]
                self.numbers[wire] += count
                self.mailbox[wire] += [
                    (first + i, body + b"#%d" % (skip + i) + (b"" if i else b"#first")) for i in range(count)
                ]
                self.gathering.sent(wire, body, 0, skip, count, first)
            case "consume" if self.mailbox[wire]:
                done = rng.randint(1, len(self.mailbox[wire]))
                through = self.mailbox[wire][done - 1][0] + 1
                del self.mailbox[wire][:done]
                self.gathering.consumed(wire, through)
            case "clear":  # up to where a body begins: an edit of what waits
                here = self.mailbox[wire]
                starts = [number for number, message in here if message.endswith(b"#first")] + [self.numbers[wire]]
                below = rng.choice(starts)
                left, rest = [m for m in here if m[0] < below], [m for m in here if m[0] >= below]
                rng.shuffle(left)
                left = sorted(left[: len(left) // 2])
                self.gathering.clear(wire, below)
                for number, message in left:
                    body, index = message.removesuffix(b"#first").rsplit(b"#", 1)
                    self.gathering.sent(wire, body, 0, int(index), 1, number)
                self.mailbox[wire] = [(number, m.removesuffix(b"#first") + b"#first") for number, m in left] + rest
            case "clear all":
                self.gathering.clear(wire)
                self.mailbox[wire] = []
            case "forget":
                self.gathering.forget_context("m")
                self.contexts = {}
            case "context":
                key, value = b"k%d" % rng.randint(0, 3), rng.choice([None, rng.randbytes(5)])
                self.gathering.context("m", [(key, value)])
                self.contexts.pop(("m", key), None)
                if value is not None:
                    self.contexts["m", key] = value
            case "fact":
                name, fact = f"f{rng.randint(0, 3)}", rng.choice([None, rng.randbytes(5)])
                if rng.random() < 0.5:
                    self.gathering.fact(name, fact)
                else:
                    self.gathering.fact_later(name, lambda: self.facts.get(name))
                self.facts.pop(name, None)
                if fact is not None:
                    self.facts[name] = fact

    def snapshot(self) -> tuple[object, ...]:
        mailbox = {
            wire: [(number, message.removesuffix(b"#first")) for number, message in messages]
            for wire, messages in self.mailbox.items() if messages
        }  # fmt: skip
        return mailbox, dict(self.contexts), dict(self.facts)


def what_it_has(path: Path) -> tuple[object, ...]:
    found = recover(path)
    mailbox: dict[str, list[tuple[int, bytes]]] = {}
    for body in found.bodies:
        messages = [(body.first + i, bytes(body.body) + b"#%d" % (body.skip + i)) for i in range(body.count)]
        mailbox.setdefault(body.wire, []).extend(messages)
    return mailbox, found.contexts, found.facts


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_what_is_durable_is_what_is_read(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    rng, path = random.Random(seed), tmp_path_factory.mktemp("journal") / "f.db"
    model, store, written = Model(), Store(path), 0
    for _ in range(rng.randint(1, 40)):
        model.gathering.begin()
        for _ in range(rng.randint(1, 4)):
            model.event(rng)
        model.gathering.end()
        if rng.random() < 0.4:
            model.gathering.hurry(model.gathering._group.number)
        if model.groups and rng.random() < 0.5:
            written = store.write(model.groups)
            store.mark(written)
            model.groups.clear()
            model.gathering.durable(written)
    while model.gathering.durable_number < model.gathering._writing or not model.gathering._empty:
        model.gathering.hurry(model.gathering._group.number)
        if model.groups:
            written = store.write(model.groups)
            model.groups.clear()
            model.gathering.durable(written)
    store.close()
    assert what_it_has(path) == model.snapshot()
    assert recover(path).number == written


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32), cut=st.integers(1, 5000))
def test_records_come_in_any_portions(seed: int, cut: int) -> None:
    rng, model = random.Random(seed), Model()
    for _ in range(20):
        model.event(rng)
        model.gathering.hurry(model.gathering._group.number)
        if model.groups:
            model.gathering.durable(model.groups[-1].number)
    data = b"".join(bytes(part) for group in model.groups for part in encode("f", group))
    records, got = Records(), []
    for at in range(0, len(data), cut):
        got += records.feed(data[at : at + cut])
    assert got == [("f", group) for group in model.groups]


def test_what_a_group_brings_and_uses_up_is_not_written() -> None:
    groups: list[Group] = []
    made = gathering(0, groups)
    for first in range(0, 1000, 10):
        made.sent(WIRES[0], b"x" * 1000, 0, 0, 10, first)
        made.consumed(WIRES[0], first + 5)
        made.sent("lossy", b"x" * 1000, 0, 0, 10, first)
        made.consumed("lossy", first + 5)
    made.hurry(1)
    assert [body.first for body in groups[0].bodies] == [990]
    assert groups[0].consumed == {WIRES[0]: 995}


def test_a_group_goes_when_somebody_waits_or_when_it_is_large_and_never_in_a_unit() -> None:
    groups: list[Group] = []
    begun: list[bool] = []
    made = gathering(7, groups, lambda number: begun.append(number == 8))
    told: list[str] = []
    made.when_durable(lambda: told.append("nothing has happened"))
    assert told == ["nothing has happened"]
    made.begin()
    made.fact("a", b"1")
    made.when_durable(lambda: told.append("a"))
    assert (len(groups), begun) == (0, [True])
    made.end()
    assert [group.number for group in groups] == [8]
    made.fact("b", b"2")  # while the first is being written
    made.when_durable(lambda: told.append("b"))
    assert len(groups) == 1
    assert told == ["nothing has happened"]
    made.durable(8)
    assert [group.number for group in groups] == [8, 9]
    assert told == ["nothing has happened", "a"]
    made.durable(9)
    assert told == ["nothing has happened", "a", "b"]
    made.sent(WIRES[0], b"x" * MAX_GROUP_BYTES, 0, 0, 1, 0)
    made.begin()
    made.end()
    assert [group.number for group in groups] == [8, 9, 10]


def test_who_is_in_no_hurry_is_told_with_the_group_and_does_not_make_it_go() -> None:
    groups: list[Group] = []
    made = gathering(0, groups)
    told: list[str] = []
    made.fact("a", b"1")
    made.when_durable(lambda: told.append("later"), soon=False)
    assert groups == []
    made.when_durable(lambda: told.append("soon"))
    made.fact("b", b"2")
    made.when_durable(lambda: told.append("next"), soon=False)
    made.durable(1)
    assert (told, [group.number for group in groups]) == (["later", "soon"], [1])
    made.hurry(2)
    made.durable(2)
    assert told == ["later", "soon", "next"]


def journal(path: Path, groups: int = 30) -> Store:
    store = Store(path)
    for number in range(1, groups + 1):
        body = Body(WIRES[0], 0, 0, 1, number, b"%d" % number * 3000)
        store.write([Group(number, [body], contexts={("m", b"k"): b"%d" % number}, facts={"f": b"%d" % number})])
        store.mark(number)
        store.lengthen()
    return store


def test_every_flipped_bit_of_a_body_is_found(tmp_path: Path) -> None:
    journal(tmp_path / "f.db").close()
    data = bytearray((tmp_path / "f.db").read_bytes())
    at = data.index(b"7" * 2000) + 1000
    data[at] ^= 4
    (tmp_path / "f.db").write_bytes(data)
    with pytest.raises(DamagedError, match="messages 7 to 7 of a.out->b.in are damaged"):
        recover(tmp_path / "f.db")


@pytest.mark.parametrize("seed", range(20))
def test_random_damage_is_named_or_harmless(seed: int, tmp_path: Path) -> None:
    """A copy at any moment, with bytes flipped or the end cut off, is read as it was or refused."""
    rng = random.Random(seed)
    store = journal(tmp_path / "f.db", rng.randint(1, 60))
    wanted = what_it_has(tmp_path / "f.db")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tmp_path.glob("f.*"):
        shutil.copy(file, copy / file.name)
    store.close()
    victim = copy / rng.choice(["f.db", "f.db-wal"])
    data = bytearray(victim.read_bytes())
    used = len(data.rstrip(b"\0"))  # what may be behind it is only there to be written upon
    if rng.random() < 0.5:
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(used)] ^= 1 << rng.randrange(8)
    else:
        del data[rng.randrange(used) :]
    victim.write_bytes(data)
    try:
        assert what_it_has(copy / "f.db") == wanted
    except DamagedError as error:
        assert str(copy / "f") in str(error)


def test_the_log_is_longer_than_what_is_in_it_so_that_a_group_does_not_make_it_grow(tmp_path: Path) -> None:
    store = journal(tmp_path / "f.db", 2)
    size = (tmp_path / "f.db-wal").stat().st_size
    for number in range(3, 20):
        store.write([Group(number, facts={"f": b"%d" % number})])
        store.lengthen()
        assert (tmp_path / "f.db-wal").stat().st_size == size
        assert recover(tmp_path / "f.db").number == number
    store.close()
    assert recover(tmp_path / "f.db").facts == {"f": b"19"}


def test_where_nothing_more_fits_the_log_grows_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    store = Store(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{path}-wal").stat().st_size, limits[1]))
    try:
        store.lengthen()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    store.write([Group(1, facts={"f": b"1"})])
    store.close()
    assert recover(path).facts == {"f": b"1"}


def test_a_journal_that_is_behind_its_mark_is_refused(tmp_path: Path) -> None:
    store = journal(tmp_path / "f.db", 5)
    for file in tmp_path.glob("f.db*"):
        shutil.copy(file, tmp_path / f"old{file.name[1:]}")
    store.write([Group(6, facts={"f": b"6"})])
    store.mark(6)
    store.close()
    shutil.copy(mark_of(tmp_path / "f.db"), mark_of(tmp_path / "old.db"))
    with pytest.raises(DamagedError, match="ends with group 5; groups 6 to 6 were durable and are missing"):
        recover(tmp_path / "old.db")
    (tmp_path / "f.db").unlink()
    with pytest.raises(DamagedError, match=r"is missing; .*f.mark says that it had 6 groups"):
        recover(tmp_path / "f.db")


def test_whoever_makes_it_may_die_before_any_statement(tmp_path: Path) -> None:
    for moment in itertools.count():
        path = tmp_path / f"{moment}.journal"
        pid = os.fork()
        if not pid:
            _make(path, moment)
        made = os.waitpid(pid, 0)[1] == 0
        assert recover(path) == Recovered()
        Store(path).close()
        assert recover(path) == Recovered()
        if made:
            break
    assert moment > 5


def _make(path: Path, moment: int) -> NoReturn:
    """In a process that is killed before the statement of that number."""
    numbers, connect = itertools.count(), store._connect

    def traced(path: Path) -> sqlite3.Connection:
        db = connect(path)
        db.set_trace_callback(lambda _: next(numbers) == moment and os.kill(os.getpid(), signal.SIGKILL))
        return db

    store._connect = traced
    Store(path)
    os._exit(0)


def test_a_database_of_another_program(tmp_path: Path) -> None:
    (tmp_path / "f.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(DamagedError, match="cannot be read: file is not a database"):
        recover(tmp_path / "f.db")
    sqlite3.connect(tmp_path / "g.db").execute("create table x(y)").connection.close()
    with pytest.raises(DamagedError, match="cannot be read: no such table: meta"):
        recover(tmp_path / "g.db")


def test_removed_is_removed(tmp_path: Path) -> None:
    journal(tmp_path / "f.db").close()
    remove(tmp_path / "f.db")
    assert list(tmp_path.iterdir()) == []
    assert recover(tmp_path / "f.db").number == 0
