"""What is sent to a port without a wire is counted, and named once; results that nobody takes are not named."""

from __future__ import annotations

import os
import signal

import pytest

from tests.harness import Harness, need

CODE = {
    "python3": "def run(m, c):\n    c.send('al' + 'rm', m)\n    c.send('alarm', m)\n    return m\n",
    "node": "(m, c) => { c.send('al' + 'rm', m); c.send('alarm', m); return m }",
    "ruby": "def run(m, c)\n  c.send(:alrm, m)\n  c.send(:alarm, m)\n  m\nend\n",
    "php": "<?php function run($m, $c) { $c->send('alrm', $m); $c->send('alarm', $m); return $m; }",
    "sbcl": '(lambda (m c) (context-send c "alrm" m) (context-send c "alarm" m) m)',
    "go": 'package module\n\nimport "flow"\n\nfunc Run(c *flow.Context, m any) (any, error) {\n'
    '\tc.Send("alrm", m)\n\tc.Send("alarm", m)\n\treturn m, nil\n}\n',
    "rust": "use flow::prelude::*;\n\npub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {\n"
    '    context.send("alrm", &message)?;\n    context.send("alarm", &message)?;\n    Ok(Some(message))\n}\n',
}
TAKE = {"runtime": "python3", "code": "def run(m, c):\n    pass\n", "isolated": True}
SAID = "f/m: the port 'alrm' has no wire: what is sent there is lost; did you mean 'alarm'?"


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "has no wire" in record.getMessage()]


@pytest.mark.parametrize("runtime", CODE)
def test_a_misspelt_port_is_named_once(runner: Harness, caplog: pytest.LogCaptureFixture, runtime: str) -> None:
    need(runtime)
    runner.add("f", {"m": {"runtime": runtime, "code": CODE[runtime]}, "t": TAKE}, ["m.alarm -> t"])
    runner.start("f")
    runner.send("f/m", 1, 2)
    runner.wait_idle("f")
    assert said(caplog) == [SAID]
    assert caplog.records[-1].levelname == "WARNING"
    assert runner.state("f")["modules"]["m"]["unwired"] == 4  # the results as well
    host = next(host for host in runner.state("f")["hosts"].values() if host["modules"] == ["m"])
    os.kill(host["pid"], signal.SIGKILL)
    runner.wait(lambda: runner.state("f")["hosts"][host["host"]]["starts"] == 2, "another host")
    runner.send("f/m", 3)
    runner.wait_idle("f")
    assert runner.state("f")["modules"]["m"]["unwired"] == 6
    assert said(caplog) == [SAID]


def test_a_declared_port_may_be_without_a_wire(runner: Harness, caplog: pytest.LogCaptureFixture) -> None:
    module = {"runtime": "python3", "code": CODE["python3"], "ports": {"out": ["alarm", "alrm", "out"]}}
    runner.add("f", {"m": module})
    runner.start("f")
    runner.send("f/m", 1)
    runner.wait_idle("f")
    assert runner.state("f")["modules"]["m"]["unwired"] == 3
    assert said(caplog) == []


def test_names_that_are_made_anew_end(runner: Harness, caplog: pytest.LogCaptureFixture) -> None:
    runner.add(
        "f", {"m": {"runtime": "python3", "code": "def run(m, c):\n    for i in range(200): c.send(f'p{i}', m)\n"}}
    )
    runner.start("f")
    runner.send("f/m", 1)
    runner.wait_idle("f")
    assert runner.state("f")["modules"]["m"]["unwired"] == 200
    assert 0 < len(said(caplog)) <= 64
