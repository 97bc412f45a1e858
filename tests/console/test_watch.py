"""`--watch`: real edits of real files update the running flow; a broken one does not."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.console.client import RunnerClient
from actors.console.live_runners import live_runners
from tests.deployments import RUNNER, TIMEOUT_S
from tests.ends.test_flow_watch import STYLES, write
from tests.harness import need

CODE = {
    "python3": """
import glob
try:
    from helper_b import V
except ImportError:
    from helper_a import V

def run(message, context):
    context.set("n", context.get("n", 0) + 1)
    return [VERSION, V, context.get("n")]
""",
    "node": """
let V
try { V = (await import('./helper_b.mjs')).V } catch { V = (await import('./helper_a.mjs')).V }
export default (message, context) => {
  context.set('n', context.get('n', 0) + 1)
  return [VERSION, V, context.get('n')]
}
""",
}
HELPER = {"python3": "V = 'x'\n", "node": "export const V = 'x'\n"}
BROKEN = {"python3": "def run(:\n", "node": "export default (m) => {\n"}
END = {"python3": ".py", "node": ".mjs"}


class Watched:
    """A flow of one module, watched by a process; `lines` are what the process says."""

    def __init__(self, folder: Path, runtime: str) -> None:
        need(runtime)
        self.folder, self.runtime, self.state = folder, runtime, folder / "state"
        self.module = folder / f"m{END[runtime]}"
        self.file = folder / "f.json"
        self.said: list[str] = []
        self.edit(write, "1")
        self.helper("a", "a")
        module = {"runtime": runtime, "file": self.module.name, "files": [f"helper_*{END[runtime]}"]}
        write(self.file, json.dumps({"id": "f", "modules": {"m": module}}))

    def edit(self, save: Callable[[Path, str], None], version: str) -> None:
        save(self.module, CODE[self.runtime].replace("VERSION", version))

    def helper(self, name: str, value: str) -> None:
        write(self.folder / f"helper_{name}{END[self.runtime]}", HELPER[self.runtime].replace("'x'", f"'{value}'"))

    def run(self, *words: str) -> subprocess.Popen[str]:
        command = [*RUNNER, "--state", str(self.state), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def until(self, process: subprocess.Popen[str], words: str) -> str:
        """Read what it says up to a line with these words."""
        assert process.stderr is not None
        for line in process.stderr:
            self.said.append(line)
            if words in line:
                return line
        raise AssertionError(self.said)


def answers(client: RunnerClient, process: subprocess.Popen[str]) -> Iterator[Any]:
    """What the module makes of message after message."""
    assert process.stdout is not None
    while True:
        assert client.send_message("f/m", "in", None)
        yield json.loads(process.stdout.readline())


def until_answer(answer: Iterator[Any], *wanted: Any) -> int:
    """Messages are sent until the wanted version answers; the count in the context has no gap over the update."""
    before = None
    for *got, n in answer:
        assert before is None or n == before + 1
        before = n
        if got == list(wanted):
            break
    return int(n)


def end(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    said = process.stderr.read()  # not communicate(): it does not know what has been read ahead
    assert process.wait(TIMEOUT_S) == 0, said
    return said


@pytest.mark.parametrize("runtime", ["python3", "node"])
def test_run(tmp_path: Path, runtime: str) -> None:
    flow = Watched(tmp_path, runtime)
    with flow.run("run", str(flow.file), "--watch", "-o", "m=-") as process:
        flow.until(process, "started, 1 module")
        with RunnerClient(state=flow.state) as client:
            answer = answers(client, process)
            assert next(answer) == [1, "a", 1]
            for version, save in enumerate(STYLES, 2):
                flow.edit(save, str(version))
                until_answer(answer, version, "a")
            flow.helper("b", "b")  # a new sibling
            until_answer(answer, 5, "b")
            assert not [line for line in flow.said if "ERROR" in line]
            write(flow.module, BROKEN[runtime])
            flow.until(process, "the edit is not taken: what ran before goes on")
            assert any("SyntaxError" in line for line in flow.said)
            assert next(answer)[:2] == [5, "b"]
            write(flow.module, BROKEN[runtime])  # the same again: nothing is said
            flow.edit(write, "6")
            until_answer(answer, 6, "b")
            write(flow.file, "{")
            flow.until(process, "this is not JSON")
            assert next(answer)[:2] == [6, "b"]
        said = "".join(flow.said) + end(process)
    assert said.count("the edit is not taken") == 2, said


@pytest.mark.parametrize("runtime", ["python3", "node"])
def test_apply(tmp_path: Path, runtime: str) -> None:
    flow = Watched(tmp_path, runtime)
    with flow.run("run", str(flow.file), "-o", "m=-") as process, connect_to(flow, process) as client:
        answer = answers(client, process)
        with flow.run("apply", str(flow.file), "--watch", "--json") as applying:
            assert applying.stdout is not None
            assert json.loads(applying.stdout.readline())["receipt"]["modules"]["m"]["did"] == "untouched"
            flow.edit(STYLES[1], "2")
            applied = json.loads(applying.stdout.readline())
            assert applied["receipt"]["modules"]["m"]["did"] == "replaced"
            assert next(answer) == [2, "a", 1]
            write(flow.module, BROKEN[runtime])
            assert "SyntaxError" in json.loads(applying.stdout.readline())["errors"][0]
            flow.until(applying, "the edit is not taken: what ran before goes on")
            assert next(answer) == [2, "a", 2]
            flow.edit(write, "3")
            assert json.loads(applying.stdout.readline())["ok"]
            assert next(answer) == [3, "a", 3]
            assert end(applying) == ""
        write(flow.module, BROKEN[runtime])
        with flow.run("apply", str(flow.file), "--watch") as applying:
            assert applying.stdout is not None
            flow.until(applying, "the edit is not taken: what ran before goes on")
            flow.edit(write, "4")
            assert applying.stdout.readline() == "f: running, version 4\n"
            end(process)
            assert "the runner has ended" in flow.until(applying, "the runner has")
            assert applying.wait(TIMEOUT_S) == 1


def connect_to(flow: Watched, process: subprocess.Popen[str]) -> RunnerClient:
    flow.until(process, "started, 1 module")
    (runner,) = live_runners(flow.state)
    return RunnerClient(socket=runner.socket)


def test_a_flow_that_has_ended_waits_for_edits(tmp_path: Path) -> None:
    """Its source works again then; Ctrl-C ends it."""
    code = "def start(context):\n    yield 1\n\ndef run(message, context):\n    return message\n"
    write(tmp_path / "f.json", json.dumps({"id": "f", "modules": {"m": {"runtime": "python3", "file": "m.py"}}}))
    write(tmp_path / "m.py", code)
    command = [*RUNNER, "--state", str(tmp_path / "state"), "run", str(tmp_path / "f.json"), "--watch", "-o", "m=-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "1\n"
        while "f has come to its end and waits for edits" not in process.stderr.readline():
            pass
        write(tmp_path / "m.py", code.replace("yield 1", "yield 2"))
        assert process.stdout.readline() == "2\n"
        end(process)


def test_with_input_it_ends_with_the_input(tmp_path: Path) -> None:
    write(tmp_path / "f.json", json.dumps({"id": "f", "modules": {"m": {"runtime": "python3", "file": "m.py"}}}))
    write(tmp_path / "m.py", "def run(message, context):\n    return message\n")
    words = ["--state", str(tmp_path / "state"), "run", str(tmp_path / "f.json"), "--watch", "-i", "m=-", "-o", "m=-"]
    done = subprocess.run(
        [*RUNNER, *words], input="1\n2\n", capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (done.returncode, done.stdout) == (0, "1\n2\n")


def test_plan_and_watch(tmp_path: Path) -> None:
    words = ["--state", str(tmp_path), "apply", "f.yaml", "--plan", "--watch"]
    done = subprocess.run([*RUNNER, *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stderr) == (2, "runner: apply takes --plan or --watch, not both\n")
