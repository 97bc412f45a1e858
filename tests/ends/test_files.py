"""`-i` and `-o` of `runner run`: shared descriptors and files, slow and broken readers, what is no file, terminals."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_run import command, started, wait_for

TIMEOUT_S = 60
SAME = "def run(m, c):\n    return m\n"
BOTH = "def run(m, c):\n    c.send('x', ['x', m])\n    return ['out', m]\n"


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """a -> b; b sends to two ports, `["out", message]` and `["x", message]`."""
    path = tmp_path / "f.json"
    modules = {"a": {"runtime": "python3", "code": SAME}, "b": {"runtime": "python3", "code": BOTH}}
    path.write_text(json.dumps({"id": "f", "modules": modules, "wires": ["a -> b"]}))
    return path


def run(tmp_path: Path, *words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    options = {"capture_output": True, "text": True, "timeout": TIMEOUT_S} | options
    return subprocess.run(command(tmp_path, *words), check=False, **options)


def in_shell(tmp_path: Path, flow: Path, rest: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """The run with what the shell can do: redirections, pipes, closed descriptors. Its status is the runner's."""
    line = " ".join(command(tmp_path, flow))
    script = f"cd {tmp_path}; set -o pipefail; {before} {line} {rest}"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def numbers(text: str) -> list[int]:
    return [int(line) for line in text.splitlines()]


def refused(done: subprocess.CompletedProcess[str], *parts: str, status: int = 1) -> None:
    """One sentence, and nothing has happened."""
    assert done.returncode == status, done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("runner: "), sentence
    for part in parts:
        assert part in sentence, sentence
    assert done.stdout == ""


# shared descriptors and files ------------------------------------------------------------------------------------


COUNT = 20_000
SHARED = {
    "- twice into a pipe": ("-o b.out=- -o b.x=- | cat > out", "out x"),
    "- and /dev/stdout": ("-o b.out=- -o b.x=/dev/stdout | cat > out", "out x"),
    "- and /dev/fd/1": ("-o b.out=/dev/fd/1 -o b.x=- | cat > out", "out x"),
    "- into a file": ("-o b.out=- -o b.x=- > out", "out x"),
    "- and the file that it is": ("-o b.out=out -o b.x=- > out", "out x"),
    "- at the end of a file": ("-o b.out=out -o b.x=- >> out", "out x"),
    "a file twice": ("-o b.out=out -o b.x=out", "out x"),
    "a new file twice": ("-o b.out=new -o b.x=./new; status=$?; mv new out; (exit $status)", "out x"),
    "a hard link": ("-o b.out=out -o b.x=link", "out x"),
    "a symbolic link": ("-o b.out=out -o b.x=soft", "out x"),
    "two modules": ("-o a.out=- -o b.out=- -o b.x=- | cat > out", "a out x"),
    "one port twice": ("-o b.x=- -o b.x=- | cat > out", "x"),
    "/dev/stdout alone": ("-o b.x=/dev/stdout | cat > out", "x"),
    "a descriptor of the shell": ("-o b.x=/dev/fd/7 -o b.out=out 7>out", "out x"),
    "a process substitution": ("-o b.x=>(cat > out); status=$?; wait $!; (exit $status)", "x"),
}


@pytest.mark.parametrize("name", SHARED)
def test_ports_share_a_file(tmp_path: Path, flow: Path, name: str) -> None:
    """Whole lines, none missing, none twice, in order per port."""
    rest, tags = SHARED[name]
    write_numbers(tmp_path / "in", COUNT)
    (tmp_path / "out").touch()
    (tmp_path / "link").hardlink_to(tmp_path / "out")
    (tmp_path / "soft").symlink_to("out")
    done = in_shell(tmp_path, flow, f"-i a.in=in {rest}")
    assert done.returncode == 0, done.stderr
    assert by_port(tmp_path / "out") == {tag: [*range(COUNT)] for tag in tags.split()}


def write_numbers(path: Path, count: int) -> None:
    path.write_text("".join(f"{n}\n" for n in range(count)))


def by_port(path: Path) -> dict[str, list[int]]:
    """What came from `a` is the number, from `b` it has the port's name with it."""
    got: dict[str, list[int]] = {}
    for line in path.read_text().splitlines():
        tag, number = ("a", json.loads(line)) if line[0] != "[" else json.loads(line)
        got.setdefault(tag, []).append(number)
    return got


def test_what_a_file_had_before_is_gone_and_what_it_is_appended_to_stays(tmp_path: Path, flow: Path) -> None:
    write_numbers(tmp_path / "in", 2)
    (tmp_path / "out").write_text("7\n" * 100)
    assert in_shell(tmp_path, flow, "-i a.in=in -o a.out=out").returncode == 0
    assert (tmp_path / "out").read_text() == "0\n1\n"
    assert in_shell(tmp_path, flow, "-i a.in=in -o a.out=- >> out").returncode == 0
    assert (tmp_path / "out").read_text() == "0\n1\n0\n1\n"


def test_a_port_has_several_files(tmp_path: Path, flow: Path) -> None:
    write_numbers(tmp_path / "in", COUNT)
    done = in_shell(tmp_path, flow, "-i a.in=in -o a.out=one -o a.out=two -o a.out=- | cat")
    assert (done.returncode, numbers(done.stdout)) == (0, [*range(COUNT)]), done.stderr
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text() == done.stdout


FIFO = "-i a.in=p -i b.in=p; status=$?; rm p; (exit $status)"
READERS = [
    ("", "-i a.in=- -i b.in=- < in"), ("cat in |", "-i a.in=- -i b.in=-"), ("", "-i a.in=in -i b.in=in"),
    ("cat in |", "-i a.in=/dev/stdin -i b.in=/dev/fd/0"), ("mkfifo p; cat in > p &", FIFO),
    ("cat in |", "-i a.in=- -i b.in=- -i a.in=-"), ("", "-i a.in=- -i b.in=in < in"),
    ("exec < in; read line;", "-i a.in=- -i b.in=in"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "rest"), READERS)
def test_each_line_of_an_input_comes_to_every_port(tmp_path: Path, before: str, rest: str) -> None:
    """More than a mailbox has room for: the one that is full holds the other back, too."""
    path = tmp_path / "f.json"
    modules = {name: {"runtime": "python3", "code": SAME, "isolated": True} for name in "ab"}
    path.write_text(json.dumps({"id": "f", "modules": modules}))
    write_numbers(tmp_path / "in", COUNT)
    done = in_shell(tmp_path, path, f"-o a.out=a -o b.out=b {rest}", before)
    assert done.returncode == 0, done.stderr
    got = {name: numbers((tmp_path / name).read_text()) for name in "ab"}
    assert got["b"] == [*range(COUNT)]
    assert got["a"] == got["b"][1 if "read line" in before else 0 :]  # what the shell has read, is gone


@pytest.mark.parametrize("rest", ["-i a.in=p", "-i a.in=- < p"])
def test_the_writer_of_a_named_pipe_may_be_done_at_once(tmp_path: Path, flow: Path, rest: str) -> None:
    done = in_shell(tmp_path, flow, f"-o b.out=- {rest}", "mkfifo p; echo 1 > p &")
    (tmp_path / "p").unlink()
    assert (done.returncode, done.stdout) == (0, '["out",1]\n'), done.stderr


def test_a_port_reads_several_inputs(tmp_path: Path, flow: Path) -> None:
    for name, numbers_ in (("one", range(COUNT)), ("two", range(COUNT, 2 * COUNT))):
        (tmp_path / name).write_text("".join(f"{n}\n" for n in numbers_))
    done = in_shell(tmp_path, flow, "-i a.in=one -i a.in=two -o a.out=-")
    got = numbers(done.stdout)
    assert (done.returncode, sorted(got)) == (0, [*range(2 * COUNT)]), done.stderr
    assert [n for n in got if n < COUNT] == [*range(COUNT)]


@pytest.mark.parametrize("output", ["in", "link", "/dev/stdout >> in", "fifo"])
def test_a_file_that_is_read_is_not_written(tmp_path: Path, flow: Path, output: str) -> None:
    write_numbers(tmp_path / "in", 5)
    (tmp_path / "link").hardlink_to(tmp_path / "in")
    os.mkfifo(tmp_path / "fifo")
    source = "fifo" if output == "fifo" else "in"
    refused(in_shell(tmp_path, flow, f"-i a.in={source} -o a.out={output}"), "-o a.out=", f"-i a.in={source} reads")
    assert numbers((tmp_path / "in").read_text()) == [*range(5)]
    (tmp_path / "fifo").unlink()


# what is no file -------------------------------------------------------------------------------------------------


NO_FILES = {
    "-i a.in=. -o a.out=out": ["-i a.in=.", "directory"],
    "-i a.in=in -o a.out=.": ["-o a.out=.", "irectory"],
    "-i a.in=- -o a.out=out <&-": ["-i a.in=-", "standard input is closed"],
    "-i a.in=- -o a.out=out <&- >&- 2>&1": [],
    "-i a.in=in -o a.out=- >&-": ["-o a.out=-", "standard output is closed"],
    "-i a.in=in -o a.out=/dev/stdout >&-": ["-o a.out=/dev/stdout", "standard output is closed"],
    "-i a.in=/dev/fd/9 -o a.out=out": ["descriptor 9 is closed"],
    "-i a.in=in -o a.out=new -o a.out=/dev/fd/3": ["descriptor 3 is closed"],
    "-i a.in=in -o a.out=/dev/fd/0 < in": ["standard input is not open for writing"],
    "-i a.in=/dev/fd/7 -o a.out=out 7> new": ["descriptor 7 is not open for reading"],
    "-i a.in=nothing -o a.out=out": ["-i a.in=nothing", "No such file"],
    "-i a.in=in -o a.out=nothing/out": ["-o a.out=nothing/out", "No such file"],
    "-i a.in=in -o a.out=in/out": ["-o a.out=in/out", "Not a directory"],
    "-i a.in=in -o a.outt=out": ["-o a.outt=out: module 'a' has no out-port 'outt'; did you mean 'out'?"],
    "-i a.inn=in -o a.out=out": ["-i a.inn=in: module 'a' has no in-port 'inn'; did you mean 'in'?"],
    "-i a.in=in -o c.out=out": ["-o c.out=out: there is no module 'c'; there are a, b."],
}


@pytest.mark.parametrize("rest", NO_FILES)
def test_what_is_no_file_is_refused_in_a_sentence(tmp_path: Path, flow: Path, rest: str) -> None:
    """And no file has been touched."""
    write_numbers(tmp_path / "in", 3)
    (tmp_path / "out").write_text("before")
    done = in_shell(tmp_path, flow, rest)
    if NO_FILES[rest]:
        refused(done, *NO_FILES[rest])
    assert done.returncode == 1
    assert (tmp_path / "out").read_text() == "before"


@pytest.mark.parametrize("text", ["a", "a.in", "=x", ".in=x", "a.in="])
def test_an_end_that_names_nothing_is_wrong_usage(tmp_path: Path, flow: Path, text: str) -> None:
    for option in ("-i", "-o"):
        refused(run(tmp_path, flow, option, text), f"{option} takes MODULE.PORT=FILE", repr(text), status=2)


def test_closed_streams_take_nothing_else_with_them(tmp_path: Path, flow: Path) -> None:
    """No file that the runner opens gets the number of a closed one, and becomes the log or the output."""
    write_numbers(tmp_path / "in", 1000)
    done = in_shell(tmp_path, flow, "-i a.in=in -o a.out=out <&- >&- 2>&-")
    assert done.returncode == 0
    assert numbers((tmp_path / "out").read_text()) == [*range(1000)]


# broken and slow readers -----------------------------------------------------------------------------------------


def test_a_full_disk_is_said_and_counted_and_the_other_outputs_are_whole(tmp_path: Path, flow: Path) -> None:
    write_numbers(tmp_path / "in", COUNT)
    done = in_shell(tmp_path, flow, "-i a.in=in -o a.out=/dev/full -o b.out=out -o b.x=- | cat")
    assert done.returncode == 1
    assert f"runner: -o a.out=/dev/full: No space left on device; {COUNT:,} messages were not written" in done.stderr
    assert by_port(tmp_path / "out") == {"out": [*range(COUNT)]}
    assert len(done.stdout.splitlines()) == COUNT


def test_a_file_that_may_not_grow_ends_with_a_whole_line(tmp_path: Path, flow: Path) -> None:
    """As on a full disk: so many lines are in the file, the others are counted."""
    write_numbers(tmp_path / "in", COUNT)
    done = in_shell(tmp_path, flow, "-i a.in=in -o b.out=out", before="ulimit -f 64;")  # KiB
    text = (tmp_path / "out").read_text()
    assert text.endswith("\n") and 60_000 < len(text) <= 64 << 10
    written = by_port(tmp_path / "out")["out"]
    assert written == [*range(len(written))]
    lost, handled = lost_messages(done.stderr), len(written)
    assert done.returncode == 1 and "File too large" in done.stderr
    assert lost > 0 and handled + lost <= COUNT


def lost_messages(text: str) -> int:
    """What the run says it has not written."""
    (count,) = re.findall(r"; ([\d,]+) messages? (?:was|were) not written", text)
    return int(count.replace(",", ""))


def test_a_reader_that_goes_ends_the_run(tmp_path: Path, flow: Path) -> None:
    done = in_shell(tmp_path, flow, "-i a.in=- -o a.out=- | head -3", before="yes 1 |")
    assert done.stdout == "1\n" * 3
    assert "runner: -o a.out=-: Broken pipe; " in done.stderr and lost_messages(done.stderr) > 0


def test_a_reader_that_goes_does_not_end_the_other_outputs(tmp_path: Path, flow: Path) -> None:
    write_numbers(tmp_path / "in", COUNT)
    done = in_shell(tmp_path, flow, "-i a.in=in -o a.out=- -o b.out=out | true")
    assert done.returncode == 1 and "Broken pipe" in done.stderr
    assert by_port(tmp_path / "out") == {"out": [*range(COUNT)]}


@pytest.mark.parametrize("size", [10, 5000, 700_000])
def test_a_signal_with_a_slow_reader_leaves_whole_lines_and_counts_the_rest(
    tmp_path: Path, flow: Path, size: int
) -> None:
    """The reader does not read at all before the runner has ended. What it then finds is a prefix, in whole lines."""
    count = 2_000_000 // size + 3
    (tmp_path / "in").write_text("".join(f'"{n:08}{"x" * size}"\n' for n in range(count)))
    words = command(tmp_path, flow, "-i", f"a.in={tmp_path}/in", "-o", "a.out=-")
    with started(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        wait_for(lambda: is_full(process.stdout))
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 1
        text, said = process.stdout.read().decode(), process.stderr.read().decode()
    lines = [json.loads(line) for line in text.splitlines()]
    assert text.endswith('"\n') and [int(line[:8]) for line in lines] == [*range(len(lines))]
    lost = lost_messages(said)
    found = re.search(r"([\d,]+) at f/a", said)
    left = int(found[1].replace(",", "")) if found else 0
    assert "did not take them in time" in said and lost + left > 0
    assert len(lines) + lost + left <= count


def is_full(pipe: Any) -> bool:
    """Whether a pipe of which we have the other end takes no more."""
    fd = os.open(f"/proc/self/fd/{pipe.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        return not select.select([], [fd], [], 0)[1]
    finally:
        os.close(fd)


def test_a_terminal_that_has_gone_is_an_error_in_words(tmp_path: Path, flow: Path) -> None:
    """EIO, both ways."""
    write_numbers(tmp_path / "in", 3)
    for ends in (["-i", "a.in=-", "-o", "a.out=out"], ["-i", "a.in=in", "-o", "a.out=-"]):
        master, slave = pty.openpty()
        words = command(tmp_path, flow, *ends)
        with started(words, stdin=slave, stdout=slave, stderr=subprocess.PIPE, cwd=tmp_path) as process:
            assert process.stderr is not None
            os.close(master)
            os.close(slave)
            said = process.stderr.read().decode()
            status = process.wait(TIMEOUT_S)
        assert "Traceback" not in said
        if ends[3] == "a.out=-":
            assert status == 1 and os.strerror(errno.EIO) in said


# terminals -------------------------------------------------------------------------------------------------------


def on_a_terminal(words: list[str], cwd: Path) -> str:
    """Everything that a terminal gets from a command."""
    master, slave = pty.openpty()
    with started(words, stdin=slave, stdout=slave, stderr=slave, cwd=cwd, env={**os.environ, "TERM": "xterm"}) as it:
        os.close(slave)
        seen = b""
        while True:
            try:
                seen += os.read(master, 1 << 16)
            except OSError:  # the last one has closed it
                break
        os.close(master)
        assert it.wait(TIMEOUT_S) == 0, seen
    return seen.decode()


def test_no_table_is_drawn_over_what_is_written_to_the_terminal(tmp_path: Path, flow: Path) -> None:
    write_numbers(tmp_path / "in", 100)
    for name in ("-", "/dev/stdout", "/dev/stderr", "/dev/fd/2"):
        seen = on_a_terminal(command(tmp_path, flow, "-i", "a.in=in", "-o", f"a.out={name}"), tmp_path)
        assert "\x1b" not in seen
        assert [line for line in seen.splitlines() if line.isdigit()] == [str(n) for n in range(100)]
    seen = on_a_terminal(command(tmp_path, flow, "-i", "a.in=in", "-o", "a.out=out"), tmp_path)
    assert "\x1b" in seen and "MODULE" in seen


# lines of input --------------------------------------------------------------------------------------------------


def test_lines_that_are_no_json_are_counted(tmp_path: Path, flow: Path) -> None:
    (tmp_path / "in").write_text("1\n" + "hello world\n" * 3000 + "2\n")
    done = in_shell(tmp_path, flow, "-i a.in=in -o a.out=-")
    assert (done.returncode, done.stdout) == (1, "1\n2\n")
    assert "-i a.in=in: line 2, byte 1: not JSON" in done.stderr
    assert "runner: -i a.in=in: 3,000 lines were left out" in done.stderr
    assert len(done.stderr.splitlines()) < 15


def test_text_gets_a_hint_and_with_it_works(tmp_path: Path, flow: Path) -> None:
    (tmp_path / "in").write_text('to be\r\nor "not"\n\nto be')
    done = in_shell(tmp_path, flow, "-i a.in=in -o a.out=-")
    assert done.returncode == 1 and "line 1, byte 1" in done.stderr and "--lines" in done.stderr
    done = in_shell(tmp_path, flow, "-i a.in=in --lines -o a.out=-")
    assert [json.loads(line) for line in done.stdout.splitlines()] == ["to be", 'or "not"', "", "to be"]
    assert done.returncode == 0, done.stderr
    refused(run(tmp_path, flow, "--lines"), "--lines", "there is no -i", status=2)


# a flow without ends ---------------------------------------------------------------------------------------------


def test_a_run_that_waits_says_for_what_and_ends_when_its_flow_is_removed(tmp_path: Path, flow: Path) -> None:
    cli = [sys.executable, "-m", "actors.console", "--state", str(tmp_path / "state")]
    with started(command(tmp_path, flow), stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = ""
        while "waits" not in said:
            said = process.stderr.readline().decode()
            assert said
        assert "no source and no -i" in said and "runner send f/" in said
        wait_for(lambda: subprocess.run([*cli, "remove", "f"], check=False, capture_output=True).returncode == 0)
        assert process.wait(TIMEOUT_S) == 0
        assert "f has been removed" in process.stderr.read().decode()


def test_an_input_of_which_nothing_is_a_message_holds_up_nothing(tmp_path: Path, flow: Path) -> None:
    """No module is ever full of it, so it is read all the time: requests are answered, an update finds its moment."""
    cli = [sys.executable, "-m", "actors.console", "--state", str(tmp_path / "state")]

    def works(*words: str | Path) -> bool:
        return subprocess.run([*cli, *words], check=False, capture_output=True).returncode == 0

    with started(command(tmp_path, flow, "-i", "a.in=/dev/zero", "-o", "b.out=out"), cwd=tmp_path) as process:
        wait_for(lambda: works("send", "f/b", "1"))
        flow.write_text(flow.read_text().replace("'out'", "'new'"))
        assert works("apply", flow) and works("send", "f/b", "2")
        wait_for(lambda: (tmp_path / "out").read_text() == '["out",1]\n["new",2]\n')
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 1


def test_what_has_no_effect_is_said(tmp_path: Path, flow: Path) -> None:
    document = json.loads(flow.read_text())
    document["modules"]["a"] |= {"runner": "edge", "restart": {"times": 1}}
    document["modules"]["s"] = {"runtime": "python3", "code": "def start(c):\n    yield 1", "restart": {"times": 1}}
    flow.write_text(json.dumps(document))
    done = run(tmp_path, flow, "--for", "0")
    assert done.returncode == 0
    assert "f: `modules.a.runner` has no effect" in done.stderr
    assert re.findall(r"f/(\w): `restart` has no effect: the module is no source", done.stderr) == ["a"]


def test_a_run_whose_flow_is_removed_says_what_went_with_it(tmp_path: Path) -> None:
    cli = [sys.executable, "-m", "actors.console", "--state", str(tmp_path / "state")]
    path = tmp_path / "f.json"
    path.write_text(json.dumps({"id": "f", "modules": {"a": {"runtime": "python3", "code": "def run(m, c): int(m)"}}}))
    with started(command(tmp_path, path), stderr=subprocess.PIPE) as process:
        wait_for(lambda: subprocess.run([*cli, "send", "f/a", '"x"'], check=False, capture_output=True).returncode == 0)
        letters = [*cli, "dead", "list", "f", "--json"]
        wait_for(lambda: b"ValueError" in subprocess.run(letters, check=False, capture_output=True).stdout)
        assert subprocess.run([*cli, "remove", "f"], check=False, capture_output=True).returncode == 0
        assert process.wait(TIMEOUT_S) == 1
        assert process.stderr is not None
        assert "runner: f: removed, and 1 dead letter with it" in process.stderr.read().decode()
