"""What others reported of modules that read and write files, docs/reports.md, tried on ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.catalogue.running import lines, run, running, write_flow


def read(folder: Path, use: str, data: bytes) -> tuple[list[Any], list[tuple[int, str]]]:
    """What comes of a file, and what is bad: the line, and why."""
    (folder / "in").write_bytes(data)
    write_flow(folder, {"read": {"use": use, "config": {"path": "in"}}}, [])
    run(folder, "-o", "read.out=got", "-o", "read.bad=bad")
    return lines(folder / "got"), [(bad["line"], bad["error"]) for bad in lines(folder / "bad")]


def test_what_is_rotated_out_of_sight_is_read_to_its_end(tmp_path: Path) -> None:
    """logstash-plugins/logstash-input-file#151, hpcloud/tail#127, flori/file-tail#14."""
    log = tmp_path / "app.log"
    log.write_text("old\n")
    config = {"path": "app.log", "follow": True, "from_end": True, "poll_s": 0.2}
    write_flow(tmp_path, {"read": {"use": "lines-in", "config": config}}, [])
    with running(tmp_path, "-o", "read.out=got") as it:
        wanted: list[str] = []

        def arrives(*more: str) -> None:
            wanted.extend(more)
            it.wait_for(lambda: lines(tmp_path / "got") == wanted)

        with log.open("a") as file:

            def has_begun() -> bool:  # at the end, whenever that is
                file.write(f"{file.tell()}\n")
                file.flush()
                return bool(lines(tmp_path / "got"))

            it.wait_for(has_begun)
            file.write("begun\n")
        it.wait_for(lambda: lines(tmp_path / "got")[-1] == "begun")
        wanted = lines(tmp_path / "got")
        with log.open("a") as file:
            file.write("last words\n")
            file.flush()
            log.rename(tmp_path / "app.log.1")
            arrives("last words")
            file.write("of who has it open\n")
            file.flush()
            arrives("of who has it open")
            log.write_text("new\n")  # and not from its end: it was not there when we began
            arrives("new")
            (tmp_path / "app.log.1").rename(tmp_path / "app.log.2")
            log.rename(tmp_path / "app.log.1")
            file.write("still\n")
        arrives("still")
        (tmp_path / "app.log.2").unlink()
        log.write_text("newer\n")
        arrives("newer")
        it.stop()


def test_one_row_that_is_no_csv_spoils_no_other(tmp_path: Path) -> None:
    """Stray quotes (logstash-plugins/logstash-filter-csv#64), fields over 128 KiB (wireservice/csvkit#812)."""
    large = "x" * 200_000
    got, bad = read(tmp_path, "csv-in", f'a,b\n1,5" pipe\n2,x\n3,a\rb\n4,"{large}\n"\n6,"x" y\n7,"open\n8,end'.encode())
    assert got == [
        {"a": "1", "b": '5" pipe'}, {"a": "2", "b": "x"}, {"a": "4", "b": f"{large}\n"}, {"a": "6", "b": "x y"},
        {"a": "8", "b": "end"},
    ]  # fmt: skip
    assert [line for line, _ in bad] == [4, 8]


def test_numbers_and_texts_that_no_message_can_carry(tmp_path: Path) -> None:
    """They leave by `bad`, and what comes behind them comes."""
    texts = [
        '{"a":NaN}',
        "[Infinity]",
        "1e999",
        '"\\ud800"',
        "[" * 100_000,
        "[" * 120 + "]" * 120,
        f'"{"x" * (16 << 20)}"',
    ]
    good = ["18446744073709551615", "9007199254740993", "null", '{"last":1}']
    got, bad = read(tmp_path, "ndjson-in", "\n".join([*texts, *good]).encode())
    assert got == [2.0**64, 2**53 + 1, None, {"last": 1}]
    assert len(bad) == len(texts)


def test_what_csv_out_writes_csv_in_reads(tmp_path: Path) -> None:
    """A carriage return alone has to be in quotes, too."""
    rows = [{"a\r": "1\r2", "b": "x\ny"}, {"a\r": "\r\n", "b": '"'}]
    write_flow(tmp_path, {"write": {"use": "csv-out", "config": {"path": "in.csv"}}}, [])
    run(tmp_path, "-i", "write.in=-", stdin="".join(json.dumps(row) + "\n" for row in rows))
    assert read(tmp_path, "csv-in", (tmp_path / "in.csv").read_bytes()) == (rows, [])
