"""A durable flow under `runner run` loses and repeats nothing, whoever is killed. --full has the large figures."""

from __future__ import annotations

import json
import random
import re
import signal
from pathlib import Path

import pytest

from tests.harness import need
from tests.journal.runs import Runs, children, write_flow
from tests.test_run import same_lines, started, wait_for, write_lines

SIZES = [(60_000, 5, 5), pytest.param(1_000_000, 20, 50, marks=pytest.mark.full)]


@pytest.mark.parametrize(("count", "kills", "host_kills"), SIZES)
@pytest.mark.timeout(900)
def test_kills_of_the_runner_and_of_hosts_change_no_byte(
    tmp_path: Path, count: int, kills: int, host_kills: int
) -> None:
    need("node")
    print(f"seed {(seed := random.randrange(1 << 30))}")
    runs = Runs(tmp_path, count)
    runs.killed(random.Random(seed), kills, host_kills, stride=20 * count // (kills + host_kills + 1))
    done = runs.go()
    assert done.returncode == 0, done.stderr
    same_lines(runs.out, count)  # every line has the contexts of its three modules in it
    print(f"{runs.kills} kills of the runner, {runs.host_kills} of hosts")
    assert runs.kills > kills // 2


def test_after_a_finished_run_only_what_is_appended_is_processed(tmp_path: Path) -> None:
    need("node")
    runs = Runs(tmp_path, 1000)
    assert runs.go().returncode == 0
    same_lines(runs.out, 1000)
    before = runs.out.stat()
    assert runs.go().returncode == 0
    assert (runs.out.stat().st_size, runs.out.stat().st_ino) == (before.st_size, before.st_ino)
    write_lines(tmp_path / "more", 1500)
    (tmp_path / "in").write_bytes((tmp_path / "more").read_bytes())
    assert runs.go().returncode == 0
    same_lines(runs.out, 1500)
    done = runs.go("--fresh")
    assert done.returncode == 0, done.stderr
    same_lines(runs.out, 1500)


ECHO = {"a": {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}}


@pytest.fixture
def echo(tmp_path: Path) -> Runs:
    """A finished run of one module."""
    runs = Runs(tmp_path, 100, write_flow(tmp_path, ECHO, []), ("a.in", "a.out"))
    done = runs.go()
    assert done.returncode == 0, done.stderr
    assert runs.out.read_bytes() == (tmp_path / "in").read_bytes()
    return runs


def test_files_that_are_not_what_they_were_are_refused(echo: Runs) -> None:
    lines, out = (echo.folder / "in").read_bytes(), echo.out.read_bytes()

    def refused(file: str) -> str:
        done = echo.go()
        assert (done.returncode, echo.out.exists()) == (1, True)
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("runner: ")]
        assert file in line and "--fresh" in line
        return line

    (echo.folder / "in").write_bytes(lines[:-50])
    assert "it is shorter than the" in refused("/in: ")
    (echo.folder / "in").write_bytes(lines[:-10] + b"00000000}\n" + lines)
    assert "it has been changed within" in refused("/in: ")
    (echo.folder / "other").write_bytes(lines)
    (echo.folder / "other").rename(echo.folder / "in")
    assert "it is another file than" in refused("/in: ")
    echo.out.write_bytes(out[:-1])
    (echo.folder / "in").write_bytes(lines)
    assert echo.go("--fresh").returncode == 0
    assert echo.out.read_bytes() == out
    echo.out.write_bytes(out[:-1])
    assert re.search(r"/out: it has [\d,]+ bytes, and the run before has written", refused("/out: "))
    assert echo.out.read_bytes() == out[:-1]
    echo.out.write_bytes(b"x" * len(out))
    assert "are not in it" in refused("/out: ")
    assert echo.out.read_bytes() == b"x" * len(out)
    echo.out.unlink()
    assert "it has 0 bytes" in refused("/out: ")


def test_a_second_live_run_is_refused(tmp_path: Path) -> None:
    flow = write_flow(tmp_path, ECHO, [])
    runs = Runs(tmp_path, 1, flow)
    words = [*runs.words[: runs.words.index("-i")], *runs.words[-2:]]
    with runs.log.open("w") as log, started(words, stderr=log) as first:
        wait_for(lambda: "started" in runs.log.read_text())
        runs.words = words
        done = runs.go()
        assert done.returncode == 1
        assert f"f: it runs already (process {first.pid}), with the journal" in done.stderr
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 0


def test_pipes_are_refused_unless_repeats_are_accepted(tmp_path: Path) -> None:
    runs = Runs(tmp_path, 10, write_flow(tmp_path, ECHO, []), ("a.in", "a.out"))
    runs.words[runs.words.index("-o") + 1] = "a.out=-"
    done = runs.go()
    assert done.returncode == 1 and "--accept-repeats" in done.stderr and "-o a.out=-" in done.stderr
    done = runs.go("--accept-repeats")
    assert (done.returncode, done.stdout) == (0, (tmp_path / "in").read_text())
    assert json.loads(done.stdout.splitlines()[3])["v"] == 3


def test_options_of_durable_flows_are_refused_for_others(tmp_path: Path) -> None:
    runs = Runs(tmp_path, 10, write_flow(tmp_path, ECHO, [], durable=False), ("a.in", "a.out"))
    for option in ("--fresh", "--accept-repeats", "--accept-loss"):
        done = runs.go(option)
        assert (done.returncode, "this is none" in done.stderr) == (2, True)
    assert runs.go().returncode == 0
    assert not (tmp_path / "state" / "journal").exists()


def test_without_its_journal_the_runner_ends_and_goes_on_later(tmp_path: Path) -> None:
    """Nothing is written that is not durable: the output of before stays, and the next run completes it."""
    need("node")
    runs = Runs(tmp_path, 60_000)
    with runs.log.open("w") as log, started(runs.words, stderr=log) as process:
        (writer,) = wait_for(lambda: children(process.pid, journal=True))
        wait_for(lambda: runs.out.exists() and runs.out.stat().st_size > 100_000)
        writer.kill()
        assert process.wait(60) == 75
    (said,) = [line for line in runs.log.read_text().splitlines() if line.startswith("runner: ")]
    assert "cannot be written: the process that writes them has died (SIGKILL); nothing more is acknowledged" in said
    done = runs.go()
    assert done.returncode == 0, done.stderr
    same_lines(runs.out, 60_000)


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """No file may have more than 1 MiB: neither the journal nor the output. What is written is exact."""
    need("node")
    runs = Runs(tmp_path, 60_000)
    limited = ["/bin/sh", "-c", 'ulimit -f 2000; exec "$@"', "sh", *runs.words]
    words, runs.words = runs.words, limited
    done = runs.go()
    assert done.returncode in (1, 75), done.stderr
    assert "cannot be written" in done.stderr or "File too large" in done.stderr, done.stderr
    runs.words = words
    done = runs.go()
    assert done.returncode == 0, done.stderr
    same_lines(runs.out, 60_000)


SOURCE = """
def start(context):
    for number in range(context.get("next", 0), {count}):
        context.set("next", number + 1)
        yield {{"v": number}}
"""
BRANCH = """
def run(message, context):
    if message["v"] % 1000 == 7:
        raise ValueError("no")
    context.set("sum", context.get("sum", 0) + message["v"])
    if message["v"] % 2:
        context.send("odd", [message["v"], context.get("sum")])
    else:
        return [message["v"], context.get("sum")]
"""
FLAKY = """
import random
def run(message, context):
    if random.random() < 0.002:
        raise RuntimeError("try again")
    context.set("n", context.get("n", 0) + 1)
    return [*message, context.get("n")]
"""


def test_a_source_two_outputs_retries_and_dead_letters(tmp_path: Path) -> None:
    """The source keeps its position in its context; every number is somewhere, once, and the sums are those of all."""
    count = 100_000
    print(f"seed {(seed := random.randrange(1 << 30))}")
    chance = random.Random(seed)
    modules = {
        "source": {"runtime": "python3", "code": SOURCE.format(count=count)},
        "branch": {"runtime": "python3", "code": BRANCH, "isolated": True, "ports": {"out": ["out", "odd"]}},
        "flaky": {"runtime": "python3", "code": FLAKY, "retry": {"times": 50, "backoff_s": 0.001}},
    }
    flow = write_flow(tmp_path, modules, ["source -> branch", "branch -> flaky"])
    runs = Runs(tmp_path, 0, flow)
    ends = ["-o", f"flaky.out={runs.out}", "-o", f"branch.odd={tmp_path}/odd"]
    runs.words = [*runs.words[: runs.words.index("-i")], *ends, *runs.words[-2:]]
    runs.status = 1  # the dead letters of all runs
    runs.killed(chance, kills=6, host_kills=6, stride=24 * count // 30)
    done = runs.go()
    assert done.returncode == 1, done.stderr
    letters = [line for line in done.stderr.splitlines() if "dead letter" in line]
    assert any(str(count // 1000) in line for line in letters), letters
    even = [json.loads(line) for line in runs.out.read_text().splitlines()]
    odd = [json.loads(line) for line in (tmp_path / "odd").read_text().splitlines()]
    good = [number for number in range(count) if number % 1000 != 7]
    sums, total = {}, 0
    for number in good:
        sums[number] = total = total + number
    assert even == [[n, sums[n], at + 1] for at, n in enumerate(n for n in good if not n % 2)]
    assert odd == [[n, sums[n]] for n in good if n % 2]
    print(f"{runs.kills} kills of the runner, {runs.host_kills} of hosts")
    assert runs.kills >= 3
