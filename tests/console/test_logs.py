"""`runner logs`: what a runner has logged, of all, a flow or a module, and what comes."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.ends.log_lines import JsonFormatter
from tests.console.test_cli import ok, refused
from tests.deployments import RUNNER, TIMEOUT_S, Plant, flow

CODE = """
def run(m, c):
    c.log("warning", f"got {m}\\x1b[2J")
"""


@pytest.fixture
def logged(up: Plant, tmp_path: Path) -> Iterator[Plant]:
    path = tmp_path / "l.json"
    document = flow("l", CODE)
    document["modules"]["b"] = document["modules"]["a"]
    path.write_text(json.dumps(document))
    ok(up, "apply", str(path))
    yield up
    up.cli("remove", "l")


def until(up: Plant, *words: str, has: str) -> str:
    """Log lines come a moment after what they tell of."""
    while has not in (said := ok(up, *words)):
        pass
    return said


def test_of_a_module_of_a_flow_and_of_all(logged: Plant) -> None:
    ok(logged, "send", "l/a", "1")
    ok(logged, "send", "l/b", "2")
    until(logged, "logs", "l/b", has="got 2")
    said = until(logged, "logs", "l/a", has="got 1")
    assert "got 2" not in said and "\x1b" not in said and said[9:].startswith("WARNING l/a: got 1")
    both = until(logged, "logs", "l", has="got 2").splitlines()
    assert "l: started" in both[0] and "INFO" in both[0] and len(both) == 3
    assert "got 2" in ok(logged, "logs")
    assert ok(logged, "logs", "l", "--level", "warning", "-n", "1").count("\n") == 1
    (line,) = [json.loads(line) for line in ok(logged, "logs", "l/a", "--json").splitlines()]
    assert (line["flow"], line["module"], line["level"]) == ("l", "a", "warning")
    assert "there is no flow 'nope'" in refused(logged, "logs", "nope")


def test_what_comes(logged: Plant) -> None:
    command = [*RUNNER, "--state", str(logged.state), "logs", "l/a", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for n in range(3):
            ok(logged, "send", "l/b", "7")
            ok(logged, "send", "l/a", f'"new {n}"')
            assert any(f"l/a: got new {n}" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, rest, said) == (0, "", "")


@pytest.mark.parametrize(
    ("logger", "text", "subject"),
    [
        ("runner.module.log", "l/a: got 1: 2", {"flow": "l", "module": "a"}),
        ("runner.flow", "l: started, 1 module", {"flow": "l"}),
        ("runner.flow", "l/a: dead letter l/1: ValueError: no", {"flow": "l", "module": "a"}),
        ("runner.prepare", "go: preparing", {}),
        ("runner", "left out x: go is missing", {}),
    ],
)
def test_a_line_of_json_names_flow_and_module(logger: str, text: str, subject: dict[str, str]) -> None:
    record = logging.LogRecord(logger, logging.INFO, "", 1, "%s", (text,), None)
    line = json.loads(JsonFormatter().format(record))
    assert {key: line[key] for key in line.keys() & {"flow", "module"}} == subject
    assert line["message"] == text and line["level"] == "info" and line["time"].endswith("Z")
