"""Nobody need read what a runner says on standard error: it goes on, answers, ends; and says what it has left out."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.ends.log_pipe import LogPipe
from tests.ends.test_files import TIMEOUT_S
from tests.test_run import command, started, wait_for

LOUD = "def run(m, c):\n    print('x' * 20_000)\n    return m\n"
SOURCE = "def start(c):\n    n = 0\n    while True:\n        n += 1\n        yield n\ndef stop(c): print('STOPPED')\n"
LEFT_OUT = re.compile(r"runner: left out here: ([\d,]+) lines?, for nobody reads this\n")


@pytest.fixture
def pipe() -> Iterator[tuple[LogPipe, int]]:
    """A pipe and its reading end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    stream = LogPipe(writing)
    yield stream, reading
    stream._outlet.close()
    os.close(writing)
    os.close(reading)


def content(reading: int) -> str:
    text = b""
    while True:
        try:
            text += os.read(reading, 1 << 16)
        except BlockingIOError:
            return text.decode()


@pytest.mark.parametrize("seed", range(5))
def test_lines_are_whole_and_those_left_out_are_counted(pipe: tuple[LogPipe, int], seed: int) -> None:
    """Whatever their lengths, and whenever somebody reads."""
    stream, reading = pipe
    chance = random.Random(seed)
    seen, number = "", 0
    for _ in range(chance.randint(1, 3)):
        for _ in range(chance.choice([10, 3000])):
            line = f"{number} " + "é" * chance.choice([1, 10, 1000, 5000])
            number += 1
            for part in (line[:5], line[5:], "\n"):
                stream.write(part)
        seen += content(reading)
    stream.write("end\n")
    seen += content(reading)
    stream.write("the end\n")
    seen += content(reading)
    lines = seen.splitlines()
    numbers, lost = [], 0
    for line in lines[:-1]:
        if found := LEFT_OUT.fullmatch(line + "\n"):
            lost += int(found[1].replace(",", ""))
        elif line != "end":
            assert re.fullmatch(r"\d+ é+", line), line[:80]
            numbers.append(int(line.split()[0]))
    assert lines[-1] == "the end"
    assert numbers == sorted(set(numbers))
    assert len(numbers) + lost == number + ("end" not in lines)


def test_the_last_words_are_waited_for_a_moment(pipe: tuple[LogPipe, int]) -> None:
    stream, reading = pipe
    stream.write("x" * 100 + "\n")
    while not stream._lost:
        stream.write(("x" * 10_000 + "\n") * 10)
    stream.hurry()
    os.set_blocking(reading, True)
    with subprocess.Popen(["grep", "-m1", "last words"], stdin=reading, stdout=subprocess.PIPE) as reader:
        stream.write("last words\n")
        assert reader.stdout and reader.stdout.read() == b"last words\n"


def test_a_runner_of_which_nobody_reads_the_log(tmp_path: Path) -> None:
    modules = {name: {"runtime": "python3", "code": code} for name, code in (("s", SOURCE), ("a", LOUD))}
    (tmp_path / "f.json").write_text(json.dumps({"id": "f", "modules": modules, "wires": ["s -> a"]}))
    out = tmp_path / "out"
    with started(command(tmp_path, tmp_path / "f.json", "-o", f"a={out}"), stderr=subprocess.PIPE) as process:
        wait_for(lambda: out.exists() and out.stat().st_size > 100_000)  # 20 MB of log
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0
        assert process.stderr
        assert LEFT_OUT.search(process.stderr.read().decode())


@pytest.mark.parametrize("ignored", [False, True])
def test_a_terminal_that_is_closed(tmp_path: Path, ignored: bool) -> None:
    """SIGHUP ends a run in order; not one that was started with `nohup`."""
    (tmp_path / "f.json").write_text(json.dumps({"id": "f", "modules": {"s": {"runtime": "python3", "code": SOURCE}}}))
    words = [*(["nohup"] if ignored else []), *command(tmp_path, tmp_path / "f.json", "-o", f"s={tmp_path}/out")]
    with started(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        wait_for(lambda: (tmp_path / "out").exists() and (tmp_path / "out").stat().st_size > 100)
        process.send_signal(signal.SIGHUP)
        if ignored:
            size = (tmp_path / "out").stat().st_size
            wait_for(lambda: (tmp_path / "out").stat().st_size > size)
            process.send_signal(signal.SIGTERM)
        assert process.stderr
        said = process.stderr.read().decode()
        assert process.wait(TIMEOUT_S) == 0, said
    assert "STOPPED" in said
