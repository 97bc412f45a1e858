"""Files into flows and out of them: whole, in order, once, whatever is killed, cut, renamed or full."""

from __future__ import annotations

import csv
import json
import random
import re
import runpy
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from actors.definition.catalogue import SHIPPED
from tests.catalogue.running import lines, run, runner, running, write_flow

OUT: dict[str, Any] = {"use": "ndjson-out", "config": {"path": "out.ndjson"}}


def copy(folder: Path, source: dict[str, Any], out: dict[str, Any] | None = None, **fields: Any) -> Path:
    write_flow(folder, {"read": source, "write": out or OUT}, ["read -> write"], **fields)
    return folder / "out.ndjson"


def test_lines_of_several_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/b.txt").write_text("three\r\nfour")
    (tmp_path / "in/a.txt").write_text("one\n\ntwo ü\n")
    (tmp_path / "in/a.log").write_text("no\n")
    out = copy(tmp_path, {"use": "lines-in", "config": {"path": "in/*.txt"}})
    run(tmp_path)
    assert lines(out) == ["one", "", "two ü", "three", "four"]


def test_what_is_no_record_leaves_by_bad(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b'{"a":1}\n{"a":\n\n[2]\n\xff\n"x"')
    (tmp_path / "a.csv").write_text('a,b\n1,"x, ""y""\nz"\n2\n3,\n')
    modules = {
        "json": {"use": "ndjson-in", "config": {"path": "a.ndjson"}},
        "csv": {"use": "csv-in", "config": {"path": "a.csv"}},
    }
    write_flow(tmp_path, modules, [])
    ends = [word for port in ("json.out", "json.bad", "csv.out", "csv.bad") for word in ("-o", f"{port}={port}")]
    run(tmp_path, *ends)
    assert lines(tmp_path / "json.out") == [{"a": 1}, [2], "x"]
    assert [(bad["line"], bad["path"]) for bad in lines(tmp_path / "json.bad")] == [
        (2, str(tmp_path / "a.ndjson")), (5, str(tmp_path / "a.ndjson")),
    ]  # fmt: skip
    assert lines(tmp_path / "csv.out") == [{"a": "1", "b": 'x, "y"\nz'}, {"a": "3", "b": ""}]
    assert [bad["error"] for bad in lines(tmp_path / "csv.bad")] == ["1 fields, where the first line has 2"]


def test_it_follows_growth_renames_and_cuts(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("old 1\nold 2\n")
    out = copy(tmp_path, {"use": "lines-in", "config": {"path": "app.log*", "follow": True, "poll_s": 0.02}})
    with running(tmp_path) as it:
        wanted = ["old 1", "old 2"]

        def arrives(*more: str) -> None:
            wanted.extend(more)
            it.wait_for(lambda: lines(out) == wanted)

        arrives()
        with log.open("a") as file:
            file.write("half")
            file.flush()
            (tmp_path / "app.log.other").write_text("other\n")
            arrives("other")
            file.write(" whole\n")
        arrives("half whole")
        log.rename(tmp_path / "app.log.1")  # rotated: what is in it is known
        log.write_text("new\n")
        arrives("new")
        log.write_text("")
        (tmp_path / "app.log.other").unlink()
        log.write_text("newer than\n")  # cut, and longer than before
        arrives("newer than")
        it.stop()


@pytest.mark.parametrize("kills", [6, pytest.param(20, marks=pytest.mark.full)])
def test_hosts_are_killed_and_every_line_is_there_once(tmp_path: Path, kills: int) -> None:
    """Reader and writer share a host, or do not, by chance; files that the writer has left half-written are cut."""
    chance = random.Random(kills)
    source = tmp_path / "in.ndjson"
    source.write_text("")
    modules = {
        "read": {"use": "ndjson-in", "config": {"path": "in.ndjson", "follow": True, "poll_s": 0.01}},
        "few": {"use": "batch", "config": {"count": 7, "wait_s": 0.05}},
        "write": {"use": "ndjson-out", "config": {"path": "out-{n}.ndjson", "rotate_mb": 1}},
    }
    write_flow(tmp_path, modules, ["read -> few", "few -> write"])
    written = 0

    def got() -> list[int]:
        return [n for path in sorted(tmp_path.glob("out-*.ndjson")) for some in lines(path) for n, _ in some]

    with running(tmp_path) as it, source.open("a") as file:
        while it.killed < kills:
            for _ in range(500):
                file.write(json.dumps([written, "x" * chance.randrange(200)]) + "\n")
                written += 1
            file.flush()
            before = len(got())
            it.wait_for(lambda: len(got()) > before or before == written)  # noqa: B023
            it.kill_a_host(chance)
        it.wait_for(lambda: len(got()) >= written)
        it.stop()
    assert got() == list(range(written))


def test_a_durable_flow_goes_on_where_it_was(tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("".join(f"{n}\n" for n in range(20_000)))
    reader = {"use": "lines-in", "config": {"path": "in.txt", "follow": True, "poll_s": 0.01}}
    writer = {"use": "ndjson-out", "config": {"path": "out.ndjson", "existing": "replace"}}
    out = copy(tmp_path, reader, writer, durable=True)
    for _ in range(3):
        with running(tmp_path) as it:
            before = len(lines(out))
            it.wait_for(lambda: len(lines(out)) > before or before == 20_000)  # noqa: B023
            it.process.kill()  # and its hosts die with it
            it.process.wait()
    with running(tmp_path) as it:
        it.wait_for(lambda: len(lines(out)) >= 20_000)
        it.stop()
    assert lines(out) == [str(n) for n in range(20_000)]


def test_csv_and_text_out(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": 'x "y"\n', "c": [1]}, {"b": None, "a": True}, {"a": 2.5}]
    modules = {
        "csv": {"use": "csv-out", "config": {"path": "out.csv"}},
        "some": {"use": "csv-out", "config": {"path": "some.csv", "columns": ["c", "a"]}},
        "text": {"use": "lines-out", "config": {"path": "out.txt"}},
    }
    write_flow(tmp_path, modules, [])
    text = "".join(json.dumps(row) + "\n" for row in rows)
    for module in ("csv", "some"):
        run(tmp_path, "-i", f"{module}.in=-", stdin=text)
    run(tmp_path, "-i", "text.in=-", stdin='"plain"\n{"a":1}\nnull\n')
    with (tmp_path / "out.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["a", "b", "c"], ["1", 'x "y"\n', "[1]"], ["true", "", ""], ["2.5", "", ""],
        ]  # fmt: skip
    assert (tmp_path / "some.csv").read_text().split("\n")[:2] == ["c,a", "[1],1"]
    assert (tmp_path / "out.txt").read_text() == 'plain\n{"a": 1}\nnull\n'
    run(tmp_path, "-i", "text.in=-", stdin='"more"\n')
    assert (tmp_path / "out.txt").read_text() == 'plain\n{"a": 1}\nnull\nmore\n'


def test_parquet_there_and_back(tmp_path: Path) -> None:
    rows = [{"n": n, "name": f"r{n}", "inner": {"x": n / 2}} for n in range(25)]
    (tmp_path / "in.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    reader = {"use": "ndjson-in", "config": {"path": "in.ndjson"}}
    copy(tmp_path, reader, {"use": "parquet-out", "config": {"path": "p-{n}.parquet", "rows": 10}})
    run(tmp_path)
    assert len(list(tmp_path.glob("p-*.parquet"))) == 3
    out = copy(tmp_path, {"use": "parquet-in", "config": {"path": "p-*.parquet"}})
    run(tmp_path)
    assert lines(out) == rows


def test_sqlite_there_and_back(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "a.db")
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    database.execute("CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT, more TEXT)")
    database.executemany("INSERT INTO t VALUES (?, ?)", [(n, f"r{n}") for n in range(5)])
    database.commit()
    reader = {"use": "sqlite-in", "config": {"path": "a.db", "table": "t", "column": "id"}}
    writer = {"use": "sqlite-out", "config": {"path": "a.db", "table": "u", "key": ["id"]}}
    copy(tmp_path, reader, writer)
    run(tmp_path)
    write_flow(tmp_path, {"write": writer}, [])
    more = '{"id": 3, "name": "new", "more": {"a": [1]}}\n{"id": 9, "nam": "x"}\n'
    run(tmp_path, "-i", "write.in=-", stdin=more, status=1)
    rows = dict(database.execute("SELECT id, name FROM u").fetchall())
    database.close()
    assert rows == {0: "r0", 1: "r1", 2: "r2", 3: "new", 4: "r4"}


def test_what_modules_send_when_all_is_done_is_still_handled(tmp_path: Path) -> None:
    """Two lists that are not full, one after the other: the flow is not over before both are written."""
    modules = {
        "few": {"use": "batch", "config": {"count": 3}},
        "fewer": {"use": "batch", "config": {"count": 2}},
        "write": OUT,
    }
    write_flow(tmp_path, modules, ["few -> fewer", "fewer -> write"])
    done = run(tmp_path, "-i", "few.in=-", stdin="".join(f"{n}\n" for n in range(10)))
    assert lines(tmp_path / "out.ndjson") == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9]]]
    assert "before all messages were handled" not in done.stderr


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (5, "made of an object, the message is 5"),
        ({}, "has no field for the table: {}"),
        ({"x": 1}, "no field"),
    ],
)
def test_what_is_no_row_is_said(message: Any, said: str) -> None:
    """The server's own words would be: syntax error near `)`."""
    fields = runpy.run_path(str(SHIPPED / "sqlite-out" / "sqlite_out.py"))["columns"]
    with pytest.raises((TypeError, ValueError), match=re.escape(said)):
        fields(message, {"table": "t", "columns": ["a", "b"]} if message else {"table": "t"})
    assert fields({"a": 1}, {"table": "t", "columns": ["a", "b"]}) == ["a"]


@pytest.mark.parametrize(("more", "at"), [({}, 8), ({"existing": "replace"}, 0)])
def test_where_lines_begin_is_known_before_there_is_one(tmp_path: Path, more: dict[str, Any], at: int) -> None:
    """A host that dies in the first turn repeats nothing: its successor knows where to cut."""
    (tmp_path / "in.ndjson").touch()
    (tmp_path / "out").write_text('{"a":1}\n')
    modules = {
        "read": {"use": "ndjson-in", "config": {"path": "in.ndjson", "follow": True}},
        "write": {"use": "ndjson-out", "config": {"path": "out", **more}},
    }
    write_flow(tmp_path, modules, ["read -> write"])
    with running(tmp_path) as it:
        it.wait_for(lambda: it.said("started"))
        assert json.loads(runner(tmp_path, "--state", "state", "context", "f/write", "--json").stdout) == {"at": at}
        it.stop()
    assert (tmp_path / "out").read_text() == '{"a":1}\n'
