"""`runner run` as a program: pipes, kills, signals, bad files. --full has the large figures."""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.harness import need

PARSE = """
def run(message, context):
    n = context.get("n", 0) + 1
    context.set("n", n)
    return {"v": message["v"] + 1, "n": n, "pad": message["pad"]}
"""
DOUBLE = """
module.exports = (message, context) => {
  const sum = context.get("sum", 0) + message.v
  context.set("sum", sum)
  return { v: message.v * 2, n: message.n, sum, pad: message.pad }
}
"""
FINISH = """
def run(message, context):
    last = context.get("last", 0)
    context.set("last", message["v"])
    return [message["n"], message["v"], message["sum"], last]
"""


def expected(count: int) -> Iterator[str]:
    """The same functions, applied here one after the other."""
    total = last = 0
    for i in range(count):
        total += i + 1
        yield json.dumps([i + 1, (i + 1) * 2, total, last], separators=(",", ":"))
        last = (i + 1) * 2


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """python3 -> node -> python3, each with a context."""
    need("node")
    modules = {
        "parse": {"runtime": "python3", "code": PARSE},
        "double": {"runtime": "node", "name": "double.js", "code": DOUBLE},
        "finish": {"runtime": "python3", "code": FINISH},
    }
    path = tmp_path / "flow.json"
    path.write_text(json.dumps({"id": "f", "modules": modules, "wires": ["parse -> double", "double -> finish"]}))
    return path


def write_lines(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.writelines(f'{{"v":{i},"pad":"{"x" * 70}"}}\n' for i in range(count))


def command(tmp_path: Path, *words: str | Path, program: str | None = None) -> list[str]:
    start = [sys.executable, "-c", program] if program else [sys.executable, "-m", "actors.console"]
    return [*start, "run", *map(str, words), "--state", str(tmp_path / "state")]


@contextmanager
def started(words: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def wait_for(condition: Any, timeout_s: float = 30.0) -> Any:
    """For what another process does and no descriptor tells."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "timed out"
        select.select([], [], [], 0.005)
    return value


def hosts_of(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children()


def test_a_pipe_through_three_modules(tmp_path: Path, flow: Path) -> None:
    lines = b"".join(b'{"v":%d,"pad":""}\n' % i for i in range(1000))
    done = subprocess.run(
        command(tmp_path, flow, "-i", "parse.in=-", "-o", "finish.out=-"),
        input=lines,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines() == list(expected(1000))


@pytest.mark.parametrize("count", [100_000, pytest.param(1_000_000, marks=pytest.mark.full)])
def test_many_lines_in_bounded_memory(tmp_path: Path, flow: Path, count: int) -> None:
    write_lines(tmp_path / "in", count)
    words = command(tmp_path, flow, "-i", f"parse.in={tmp_path}/in", "-o", f"finish.out={tmp_path}/out")
    peak = 0
    with started(words) as process:
        while process.poll() is None:
            try:
                peak = max(peak, psutil.Process(process.pid).memory_info().rss)
            except psutil.Error:
                break
            select.select([], [], [], 0.05)
        assert process.wait() == 0
    same_lines(tmp_path / "out", count)
    print(f"{count} lines, the runner's peak was {peak >> 20} MiB")
    assert peak < 150 << 20


def same_lines(path: Path, count: int) -> None:
    with path.open() as file:
        for got, wanted in zip(file, expected(count), strict=True):
            assert got == wanted + "\n"


KILLS = [(100_000, 6), pytest.param(1_000_000, 50, marks=pytest.mark.full)]


@pytest.mark.parametrize(("count", "kills"), KILLS)
def test_kill_of_all_hosts_changes_no_byte(tmp_path: Path, flow: Path, count: int, kills: int) -> None:
    """All hosts together get SIGKILL at random moments; the output and the contexts are exact."""
    log = run_with_kills(tmp_path, flow, count, kills)
    same_lines(tmp_path / "out", count)
    again = [int(n) for n in re.findall(r"(\d+) messages are delivered again", log)]
    print(f"killed {log.count('has died')} hosts, delivered again: {sum(again)}")
    assert len(again) >= kills // 2, "the kills hit no host with uncommitted work"


def test_kills_keep_the_order_on_fused_wires(tmp_path: Path, flow: Path) -> None:
    """The same with two more modules, fused behind the first two: unfused and fused again after each kill."""
    document = json.loads(flow.read_text())
    document["modules"]["same"] = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}
    document["modules"]["again"] = {"runtime": "node", "code": "m => m"}
    document["wires"] = ["parse -> same", "same -> double", "double -> again", "again -> finish"]
    flow.write_text(json.dumps(document))
    run_with_kills(tmp_path, flow, 60_000, 8)
    same_lines(tmp_path / "out", 60_000)


def run_with_kills(tmp_path: Path, flow: Path, count: int, kills: int, program: str | None = None) -> str:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    write_lines(tmp_path / "in", count)
    words = command(
        tmp_path, flow, "-i", f"parse.in={tmp_path}/in", "-o", f"finish.out={tmp_path}/out", program=program
    )
    with (tmp_path / "log").open("w") as log, started(words, stderr=log) as process:
        out = tmp_path / "out"
        stride = 20 * count // (2 * kills + 2)  # bytes; a line has 20 at least, so the kills spread over the run
        goal = 0
        for _ in range(kills):
            # Real progress, then a random moment: a run without any in between would be about start-up only.
            wait_for(lambda goal=goal: process.poll() is not None or out_size(out) > goal)
            select.select([], [], [], chance.uniform(0.0, 0.25))
            goal = out_size(out) + stride
            if process.poll() is not None:
                break
            for host in hosts_of(process.pid):
                host.kill()
        status = process.wait(300)
    text = (tmp_path / "log").read_text()
    assert status == (0 if program is None else status), text[-2000:]
    return text


def out_size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


APPLY_AT_ONCE = """
import sys
from actors.host.commit import Commits
from actors.messages.bridge_to_module import TurnsCommitted
from runtimes.transaction import Transaction
class AtOnce(list):
    def append(self, frame):
        slot, port = self.commits._transaction._ports[frame.slot]
        part = TurnsCommitted(0, 0, 0, 0, 0, 0, 0, 0, [(port, frame)], {}, [])
        self.commits._port.send(self.commits._members[slot], part)
init = Commits.__init__
def without_transactions(self, port, flow, key, start, transaction, members, follower):
    init(self, port, flow, key, start, transaction, members, follower)
    transaction.data, transaction._fusing = AtOnce(), frozenset(range(99))
    transaction.data.commits = self
Commits.__init__ = without_transactions
from actors.console.cli import main
sys.exit(main(sys.argv[1:]))
"""


FORGET_THE_WINDOW = """
import sys
from actors.state.module import ModuleState
def nothing_comes_back(self, flag):
    mailbox = self.mailbox
    mailbox.done += mailbox.window_messages
    mailbox.queued -= mailbox.window_messages
    mailbox.queued_bytes -= mailbox.window_bytes
    mailbox.window.clear()
    mailbox.window_messages = mailbox.window_bytes = self.credit = self.blame.suspects = 0
take_back = ModuleState._take_back
ModuleState._take_back = lambda self, flag: (nothing_comes_back if flag else take_back)(self, flag)
from actors.console.cli import main
sys.exit(main([*sys.argv[1:], "--for", "8"]))
"""


def test_without_redelivery_the_kill_test_goes_red(tmp_path: Path, flow: Path) -> None:
    """Messages that leave the mailbox when they are sent, not at COMMIT: a kill must lose some."""
    goes_red(tmp_path, flow, 100_000, FORGET_THE_WINDOW)


@pytest.mark.parametrize("program", [None, APPLY_AT_ONCE], ids=["on", "off"])
def test_a_kill_in_the_middle_of_a_transaction(tmp_path: Path, flow: Path, program: str | None) -> None:
    """Each turn sends a small message and then 300 kB to another port, so most kills hit a half-written transaction."""
    document = json.loads(flow.read_text())
    double = document["modules"]["double"]
    result = "{ v: message.v * 2, n: message.n, sum, pad: message.pad }"
    assert f"return {result}" in double["code"]
    sends = f"context.send('out', {result}); context.send('big', 'x'.repeat(300000))"
    double["code"] = double["code"].replace(f"return {result}", sends)
    document["modules"]["bin"] = {"runtime": "python3", "isolated": True, "code": "def run(m, c):\n    pass\n"}
    document["wires"].append("double.big -> bin")
    flow.write_text(json.dumps(document))
    if program is None:
        run_with_kills(tmp_path, flow, 1000, 5)
        same_lines(tmp_path / "out", 1000)
    else:
        goes_red(tmp_path, flow, 1000, program)


def goes_red(tmp_path: Path, flow: Path, count: int, program: str) -> None:
    for _ in range(5):
        run_with_kills(tmp_path, flow, count, 6, program)
        try:
            same_lines(tmp_path / "out", count)
        except (AssertionError, ValueError):
            return
    pytest.fail("five runs with the mechanism switched off were exact all the same")


def test_a_slow_reader_holds_the_writer_back(tmp_path: Path, flow: Path) -> None:
    """Nobody reads the output: the writer gets stuck after a bounded number of bytes, the runner stays small."""
    words = command(tmp_path, flow, "-i", "parse.in=-", "-o", "finish.out=-")
    line = b'{"v":1,"pad":"%s"}\n' % (b"x" * 900)
    with started(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin and process.stdout
        os.set_blocking(process.stdin.fileno(), False)
        written = 0
        # Stuck: no room for two whole seconds. (That nothing happens can only be seen by waiting.)
        while select.select([], [process.stdin], [], 2.0)[1]:
            written += os.write(process.stdin.fileno(), line * 60)
            assert written < 200 << 20, "nothing holds the writer back"
        print(f"the writer was held after {written >> 20} MiB")
        assert psutil.Process(process.pid).memory_info().rss < 150 << 20
        first = process.stdout.readline()
        assert json.loads(first)[0] == 1
        process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_host_is_left_after_a_signal(tmp_path: Path, flow: Path, number: signal.Signals) -> None:
    words = command(tmp_path, flow, "-i", "parse.in=-", "-o", "finish.out=-")
    with started(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin and process.stdout
        process.stdin.write(b'{"v":1,"pad":""}\n')
        process.stdin.flush()
        assert process.stdout.readline()
        hosts = hosts_of(process.pid)
        assert len(hosts) == 2
        assert not [path for path in (tmp_path / "state").rglob("*") if path.is_fifo()]
        process.send_signal(number)
        status = process.wait(60)
        assert status == (-9 if number == signal.SIGKILL else 0)
        _gone, alive = psutil.wait_procs(hosts, timeout=60)
        assert not alive
    if number == signal.SIGKILL:  # the next start sweeps what it left
        subprocess.run(command(tmp_path, flow, "--for", "0"), timeout=60, check=True, stderr=subprocess.DEVNULL)
    assert not list((tmp_path / "state").rglob("lock"))


def test_leftovers_of_a_death_before_hello_are_swept(tmp_path: Path, flow: Path) -> None:
    """A dead runner's folder with FIFOs, and a process of its host that survived."""
    folder = tmp_path / "state" / "runs" / "999999" / "f" / "python3-1"
    folder.mkdir(parents=True)
    (tmp_path / "state" / "runs" / "999999" / "lock").touch()
    os.mkfifo(folder / "in")
    survivor = subprocess.Popen(
        ["sleep", "100"], start_new_session=True, env={**os.environ, "RUNNER_HOST_FOLDER": str(folder)}
    )
    (folder / "pid").write_text(str(survivor.pid))
    try:
        subprocess.run(command(tmp_path, flow, "--for", "0"), timeout=60, check=True, stderr=subprocess.DEVNULL)
        assert survivor.wait(60) == -signal.SIGKILL
        assert not folder.exists()
    finally:
        survivor.kill()
        survivor.wait()


GOOD = "id: f\nmodules:\n  a: {runtime: python3, code: 'def run(m, c): return m'}\n"
BAD_FILES = {
    "unknown field": (GOOD + "wirse: []\n", ["wirse", "wires", "bad.yaml:4"]),
    "unknown runtime": (GOOD.replace("python3", "pyton3"), ["pyton3", "python3", "bad.yaml:3"]),
    "wire to nowhere": (GOOD + "wires: [a -> bb]\n", ["bb", "bad.yaml:4"]),
    "duplicate id": (GOOD + "  a: {runtime: node, code: 'm => m'}\n", ["bad.yaml:4", "a"]),
    "yaml error": (GOOD + "wires: [\n", ["bad.yaml:"]),
    "missing file": (GOOD.replace("code: 'def run(m, c): return m'", "file: gone.py"), ["gone.py", "bad.yaml:3"]),
    "syntax error in python3": (GOOD.replace("return m", "return ("), ["SyntaxError", "a"]),
    "syntax error in node": (GOOD + "  b: {runtime: node, code: 'm => {'}\n", ["SyntaxError", "f/b"]),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_flow_file_is_one_clear_message(tmp_path: Path, name: str) -> None:
    text, parts = BAD_FILES[name]
    if "node" in text:
        need("node")
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    done = subprocess.run(command(tmp_path, path), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    messages = [line for line in done.stderr.splitlines() if line.startswith("runner: ")]
    assert len(messages) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in messages[0], messages[0]


def test_bad_lines_are_named_and_the_others_come_through(tmp_path: Path, flow: Path) -> None:
    lines = b'{"v":1,"pad":""}\n\n{"v":\n{"v":2,"pad":""}\n{"v":3,"pad":""},{"v":4,"pad":""}\n'
    words = command(tmp_path, flow, "-i", "parse.in=-", "-o", "finish.out=-")
    done = subprocess.run(words, input=lines, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert [json.loads(line)[1] for line in done.stdout.splitlines()] == [4, 6]
    assert b"line 3" in done.stderr
    assert b"line 5" in done.stderr


BAD_INPUT = {
    "broken lines that make up for each other": (b"[1\n2]\n3,4\n5\n", ["line 1", "line 2", "line 3"]),
    "a line that is too long": (b'"' + b"x" * (17 << 20) + b'"\n5\n', ["line 1: longer than"]),
    "a last line that is too long": (b"5\n" + b"1" * (17 << 20), ["line 2: longer than"]),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_only_whole_lines_of_json_come_in(tmp_path: Path, name: str) -> None:
    data, places = BAD_INPUT[name]
    path = tmp_path / "f.json"
    path.write_text(
        json.dumps({"id": "f", "modules": {"a": {"runtime": "python3", "code": "def run(m, c): return m"}}})
    )
    (tmp_path / "in").write_bytes(data)
    words = command(tmp_path, path, "-i", f"a.in={tmp_path}/in", "-o", "a.out=-")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stdout == "5\n"
    assert done.stderr.count(" ERROR ") == len(places), done.stderr
    for place in places:
        assert place in done.stderr


def test_an_isolated_module_has_a_host_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    modules = {name: {"runtime": "python3", "code": "import os\ndef run(m, c): return os.getpid()"} for name in "ab"}
    modules["b"]["isolated"] = True  # type: ignore[assignment]
    path.write_text(json.dumps({"id": "f", "modules": modules}))
    (tmp_path / "one").write_text("1\n")
    words = command(
        tmp_path, path, "-i", f"a.in={tmp_path}/one", "-i", f"b.in={tmp_path}/one", "-o", "a.out=-", "-o",
        f"b.out={tmp_path}/b",
    )  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout != (tmp_path / "b").read_text()


def test_run_imports_neither_rich_nor_jsonschema() -> None:
    code = "import sys, actors.console.cli, actors.console.run; print(*sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "actors.ends.session" in modules
    for name in ("rich", "jsonschema", "msgpack", "psutil", "asyncio"):
        assert name not in modules


@pytest.mark.parametrize("flow_id", ["lock", "name", "api", "runs", "tmp", "in", "pid"])
def test_a_flow_may_be_called_like_a_file_of_the_run_folder(tmp_path: Path, flow_id: str) -> None:
    flow = tmp_path / "f.json"
    module = {"runtime": "python3", "code": "def run(m, c):\n    return m"}
    flow.write_text(json.dumps({"id": flow_id, "modules": {flow_id: module}}))
    words = command(tmp_path, flow, "-i", f"{flow_id}.in=-", "-o", f"{flow_id}.out=-")
    done = subprocess.run(words, input="1\n", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_a_state_directory_may_be_named_from_here(tmp_path: Path) -> None:
    """Hosts work in a folder of their own, from which a relative path would lead elsewhere."""
    (tmp_path / "f.yaml").write_text("id: f\nmodules: {a: {runtime: python3, code: 'def run(m, c): return m'}}\n")
    words = command(tmp_path, "f.yaml", "-i", "a.in=-", "-o", "a.out=-")
    words[words.index("--state") + 1] = "here"
    done = subprocess.run(
        words, input="1\n", capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
