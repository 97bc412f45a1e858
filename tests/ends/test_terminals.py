"""The live table on terminals of every kind, and Ctrl-C, which a terminal sends to all processes of the command."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from pathlib import Path

import pyte
import pytest

from tests.ends.test_files import TIMEOUT_S
from tests.harness import need
from tests.test_run import command, started, wait_for

SOURCE = "def start(c):\n    for n in range(50): yield n\n"
ENDLESS = "def start(c):\n    n = 0\n    while True:\n        n += 1\n        yield n\ndef stop(c): print('STOPPED')\n"
RELAY = "module.exports = (m) => m\nmodule.exports.stop = () => console.log('STOPPED')"


@pytest.mark.parametrize(
    ("term", "columns", "rows"),
    [("xterm", 80, 24), ("xterm", 20, 5), ("xterm", 1, 1), ("xterm", 0, 0), ("dumb", 80, 24), ("nonsense", 80, 24)],
)
@pytest.mark.parametrize(
    "more", [{}, {"NO_COLOR": "1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}]
)
def test_the_live_table(tmp_path: Path, term: str, columns: int, rows: int, more: dict[str, str]) -> None:
    modules = {
        "source": {"runtime": "python3", "code": SOURCE},
        "a" * 60: {"runtime": "python3", "code": "run = print"},
    }
    (tmp_path / "f.json").write_text(json.dumps({"id": "f", "modules": modules, "wires": ["source -> " + "a" * 60]}))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    env = {**os.environ, "TERM": term, **more}
    with started(command(tmp_path, tmp_path / "f.json"), stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        seen = b""
        while True:
            try:
                seen += os.read(master, 1 << 16)
            except OSError:  # the last one has closed it
                break
        os.close(master)
        assert process.wait(TIMEOUT_S) == 0, seen
    assert b"Traceback" not in seen
    if term == "dumb":
        assert b"\x1b" not in seen
    if "NO_COLOR" in more:
        assert not re.search(rb"\x1b\[[0-9;]*(?:3|4|9|10)[0-7][;m]", seen)


def test_the_flow_s_own_lines_stay_above_the_table_and_a_summary_below(tmp_path: Path) -> None:
    """As a terminal of 80x24 shows it and its scroll-back: each line once, whole, in order; the table once."""
    code = "def run(m, c):\n    print(f'line {m}')\n    if m == 7: raise ValueError('seven')\n    return m\n"
    modules = {
        "source": {"runtime": "python3", "code": SOURCE},
        "smooth_the_hall": {"runtime": "python3", "code": code},
    }
    flow = {"id": "f", "modules": modules, "wires": ["source -> smooth_the_hall"]}
    (tmp_path / "f.json").write_text(json.dumps(flow))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color"}
    screen = pyte.HistoryScreen(80, 24, history=10_000, ratio=0.001)
    stream = pyte.ByteStream(screen)
    with started(command(tmp_path, tmp_path / "f.json"), stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        while True:
            try:
                stream.feed(os.read(master, 1 << 16))
            except OSError:  # the last one has closed it
                break
        os.close(master)
        assert process.wait(TIMEOUT_S) == 1
    history = ["".join(row[x].data for x in range(80)) for row in screen.history.top]
    lines = [line.rstrip() for line in [*history, *screen.display]]
    said = [int(found[1]) for line in lines if (found := re.search(r"smooth_the_hall: line (\d+)$", line))]
    assert said == list(range(50)), lines
    assert sum(line.startswith("MODULE ") for line in lines) == 1
    table = lines.index(next(line for line in lines if line.startswith("MODULE ")))
    assert lines[table + 1].split()[:2] == ["source", "python3"]
    assert re.fullmatch(r"f: 49 messages handled, 1 error, 1 dead letter, \d+\.\d s", lines[table + 3]), lines
    assert lines[table + 4].startswith("dead letter at f/smooth_the_hall:")


def test_ctrl_c_reaches_hosts_too_and_harms_none(tmp_path: Path) -> None:
    """The whole group gets it: every line is whole, every `stop` runs, nothing is lost in between."""
    need("node")
    modules = {"source": {"runtime": "python3", "code": ENDLESS}, "relay": {"runtime": "node", "code": RELAY}}
    (tmp_path / "f.json").write_text(json.dumps({"id": "f", "modules": modules, "wires": ["source -> relay"]}))
    words = command(tmp_path, tmp_path / "f.json", "-o", f"relay={tmp_path}/out")
    with started(words, stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_for(lambda: (tmp_path / "out").exists() and (tmp_path / "out").stat().st_size > 10_000)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr
        said = process.stderr.read().decode()
        assert process.wait(TIMEOUT_S) == 0, said
    assert said.count("STOPPED") == 2
    numbers = [int(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
