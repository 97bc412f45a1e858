"""A source that has yielded while its flow is paused: what waits goes by the wires of when it is let go."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from tests.harness import Harness, need

# Each line in the pipe `lines` is a yield; into `said` it writes that it waits for one, and what has come.
SOURCES = {
    "thread": """
def start(context):
    with open(context.config["lines"]) as lines, open(context.config["said"], "w", buffering=1) as said:
        while True:
            said.write("reads\\n")
            line = lines.readline()
            said.write(line)
            yield int(line)
""",
    "task": """
import asyncio
async def start(context):
    with open(context.config["lines"]) as lines, open(context.config["said"], "w", buffering=1) as said:
        while True:
            said.write("reads\\n")
            line = await asyncio.to_thread(lines.readline)
            said.write(line)
            yield int(line)
""",
    "node": """
const readline = require('node:readline')
const fs = require('node:fs')
exports.start = async function* (context) {
  const said = text => fs.writeFileSync(context.config.said, text + '\\n')
  const lines = readline.createInterface({input: fs.createReadStream(context.config.lines)})[Symbol.asyncIterator]()
  for (;;) {
    said('reads')
    const line = (await lines.next()).value
    said(line)
    yield Number(line)
  }
}
""",
    "go": """
package module

import (
	"bufio"
	"flow"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func Start(c *flow.Context) (flow.Source, error) {
	config := c.Config().(map[string]any)
	file, err := os.Open(config["lines"].(string))
	if err != nil {
		return nil, err
	}
	said, err := os.OpenFile(config["said"].(string), os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(file)
	return func() (any, bool, error) {
		fmt.Fprintln(said, "reads")
		line, err := lines.ReadString(10)
		if err != nil {
			return nil, false, err
		}
		fmt.Fprint(said, line)
		number, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		return number, true, err
	}, nil
}
""",
    "sbcl": """
(defun start (context)
  (let* ((config (context-config context))
         (lines (open (gethash "lines" config)))
         (said (open (gethash "said" config) :direction :output :if-exists :append)))
    (make-source (lambda ()
                   (format said "reads~%") (finish-output said)
                   (let ((line (read-line lines)))
                     (format said "~A~%" line) (finish-output said)
                     (values (parse-integer line) t))))))
""",
}


def echo(runtime: str, version: int) -> dict[str, Any]:
    codes = {"python3": f"def run(m, c): return [{version}, m]\n", "node": f"(m) => [{version}, m]"}
    head = 'package module\n\nimport "flow"\n\nfunc Run(c *flow.Context, m any) (any, error) '
    codes["go"] = head + f"{{ return []any{{{version}, m}}, nil }}\n"
    codes["sbcl"] = f"(lambda (message context) (declare (ignore context)) (vector {version} message))"
    return {"runtime": runtime, "code": codes[runtime]}


class Ready:
    """s -> b, fused; the flow is paused and s has yielded 2 already."""

    def __init__(self, runner: Harness, folder: Path, source: str) -> None:
        self.runner = runner
        self.pipes = [folder / "lines", folder / "said"]
        self.runtime = "python3" if source in ("thread", "task") else source
        need(self.runtime)
        for pipe in self.pipes:
            os.mkfifo(pipe)
        self.lines, self.said = (os.open(pipe, os.O_RDWR | os.O_NONBLOCK) for pipe in self.pipes)
        self.heard = b""
        config = {pipe.name: str(pipe) for pipe in self.pipes}
        self.limits = {"writable": [str(self.pipes[1])]}  # of both: they share a host
        self.source = {"runtime": self.runtime, "code": SOURCES[source], "config": config, "limits": self.limits}
        self.apply(1)
        self.out = runner.collect("f", "b")
        runner.start("f")
        self.write(1)
        runner.wait(lambda: self.out.got == [[1, 1]])
        self.hear(b"reads\n1\nreads\n")
        runner.ok(api.PauseFlow, flow_id="f")
        self.write(2)
        self.hear(b"reads\n1\nreads\n2\n")

    def hear(self, what: bytes) -> None:
        """Until the source has said so."""
        while self.heard != what:
            self.runner.base.turn()
            with contextlib.suppress(BlockingIOError):
                self.heard += os.read(self.said, 64)

    def apply(self, version: int, wires: tuple[str, ...] = ("s -> b",)) -> None:
        modules = {"s": self.source, "b": echo(self.runtime, version) | {"limits": self.limits}}
        self.runner.add("f", modules, list(wires))

    def write(self, number: int) -> None:
        os.write(self.lines, b"%d\n" % number)

    def close(self) -> None:
        for fd in (self.lines, self.said):
            os.close(fd)
        for pipe in self.pipes:
            pipe.unlink()


@pytest.fixture(params=SOURCES)
def ready(runner: Harness, tmp_path: Path, request: Any) -> Any:
    ready = Ready(runner, tmp_path, request.param)
    yield ready
    ready.close()


@pytest.mark.parametrize("ready", [name for name in SOURCES if name != "go"], indirect=True)
def test_an_update(ready: Ready) -> None:
    """Its target was replaced: the new version gets it. (With a compiled one the source starts anew.)"""
    ready.apply(2)
    ready.runner.ok(api.ResumeFlow, flow_id="f")
    ready.write(3)
    ready.runner.wait(lambda: ready.out.got == [[1, 1], [2, 2], [2, 3]])


def test_the_wire_goes(ready: Ready) -> None:
    """Then nobody gets it, and the source goes on."""
    ready.apply(1, ())
    ready.runner.ok(api.ResumeFlow, flow_id="f")
    ready.write(3)
    ready.runner.wait(lambda: ready.runner.state("f")["modules"]["s"]["unwired"] == 2)
    assert ready.out.got == [[1, 1]]


def test_a_step(ready: Ready) -> None:
    """One wave: it is sent, and handled in the next one only."""
    wave = ready.runner.ok(api.SingleStepFlow, flow_id="f")
    assert list(wave) == ["f/s"]
    assert [state["message"] for state in wave["f/s"]["outputStates"]] == [2]
    assert ready.out.got == [[1, 1]]
    ready.write(3)
    wave = ready.runner.ok(api.SingleStepFlow, flow_id="f")
    assert [state["message"] for state in wave["f/b"]["inputStates"]] == [2]
    assert ready.out.got == [[1, 1], [1, 2]]


def test_a_tap(ready: Ready) -> None:
    tap = ready.runner.ok(api.TapPort, flow_module_id="f/s")
    ready.runner.ok(api.ResumeFlow, flow_id="f")
    assert ready.runner.ok(api.ReadTap, tap_id=tap)["messages"] == [{"message": 2, "headers": None}]
    ready.runner.wait(lambda: ready.out.got == [[1, 1], [1, 2]])
