"""A step shows all that a module has sent, also where nobody receives it; the accounts stay those of a running flow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from tests.harness import Harness, need

CODE = {
    "python3": "def run(m, c):\n    c.send('side', [m])\n    return m\n",
    "node": "module.exports = (m, c) => {\n  c.send('side', [m])\n  return m\n}\n",
    "ruby": "def run(m, c)\n  c.send('side', [m])\n  m\nend\n",
    "php": "<?php\nfunction run($m, $c) {\n    $c->send('side', [$m]);\n    return $m;\n}\n",
    "sbcl": '(defun run (m c)\n  (context-send c "side" (vector m))\n  m)\n',
    "go": 'package module\n\nimport "flow"\n\nfunc Run(c *flow.Context, m any) (any, error) {\n'
    '\treturn m, c.Send("side", []any{m})\n}\n',
    "rust": "use flow::prelude::*;\n\npub fn run(m: Value, c: &mut Context) -> Result<Option<Value>> {\n"
    '    c.send("side", [m.clone()])?;\n    Ok(Some(m))\n}\n',
}
ECHO = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}


def sent(part: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted((one["port"], one["message"]) for one in part["outputStates"])


def counts(runner: Harness, module: str) -> tuple[int, int]:
    figures = runner.state("f")["modules"][module]
    return figures["sent"], figures["unwired"]


@pytest.mark.parametrize("runtime", CODE)
def test_the_last_module_of_a_flow(runner: Harness, runtime: str) -> None:
    need(runtime)
    last = {"runtime": runtime, "code": CODE[runtime]}
    runner.add("f", {"a": {"runtime": runtime, "code": CODE[runtime]}, "last": last}, ["a -> last"])
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: counts(runner, "last") == (0, 2))
    assert counts(runner, "a") == (1, 1)
    runner.ok(api.PauseFlow, flow_id="f")
    runner.send("f/a", 2, 3)
    first = runner.ok(api.SingleStepFlow, flow_id="f")
    assert sent(first["f/a"]) == [("out", 2), ("side", [2])]
    second = runner.ok(api.SingleStepFlow, flow_id="f")
    assert sent(second["f/a"]) == [("out", 3), ("side", [3])]
    assert sent(second["f/last"]) == [("out", 2), ("side", [2])]
    assert (counts(runner, "a"), counts(runner, "last")) == ((3, 3), (0, 4))
    runner.ok(api.ResumeFlow, flow_id="f")
    runner.send("f/a", 4)
    runner.wait(lambda: (counts(runner, "a"), counts(runner, "last")) == ((4, 4), (0, 8)))
    plans = runner.record("f").plans.values()
    assert not [plan.outside for plan in plans if plan.outside], "the hosts go on writing what nobody reads"
    for n in (5, 6):  # and so in every pause that follows
        runner.ok(api.PauseFlow, flow_id="f")
        runner.send("f/last", n)
        assert sent(runner.ok(api.SingleStepFlow, flow_id="f")["f/last"]) == [("out", n), ("side", [n])]
        runner.ok(api.ResumeFlow, flow_id="f")


def test_a_source_that_feeds_nobody(runner: Harness) -> None:
    code = "def start(c):\n    for i in range(3):\n        yield i\n"
    runner.add("f", {"s": {"runtime": "python3", "code": code}})
    runner.ok(api.PauseFlow, flow_id="f")
    runner.start("f")
    got = [sent(runner.ok(api.SingleStepFlow, flow_id="f")["f/s"]) for _ in range(3)]
    assert got == [[("out", 0)], [("out", 1)], [("out", 2)]]
    assert counts(runner, "s") == (0, 3)


def test_what_is_declared_is_all_that_is_asked_for(runner: Harness) -> None:
    code = "def run(m, c):\n    c.send('p' + '1', m)\n"
    runner.add("f", {"a": {"runtime": "python3", "code": code, "ports": {"out": ["p1", "p2"]}}})
    runner.start("f")
    runner.ok(api.PauseFlow, flow_id="f")
    runner.send("f/a", 1)
    assert sent(runner.ok(api.SingleStepFlow, flow_id="f")["f/a"]) == [("p1", 1)]
    assert {port for _, port in runner.record("f").plans["python3"].outputs.values()} == {"p1", "p2"}


def test_updates_taps_releases_and_deaths_meanwhile(runner: Harness) -> None:
    module = {"runtime": "python3", "code": CODE["python3"]}
    runner.add("f", {"a": ECHO, "b": module}, ["a -> b"])
    runner.start("f")
    runner.ok(api.PauseFlow, flow_id="f")
    runner.ok(api.SingleStepFlow, flow_id="f")
    runner.add("f", {"a": ECHO, "b": {**module, "code": module["code"] + "# 2\n"}}, ["a -> b"])
    runner.send("f/b", 1, 2, 3)
    assert sent(runner.ok(api.SingleStepFlow, flow_id="f")["f/b"]) == [("out", 1), ("side", [1])]
    out = runner.collect("f", "b.side")
    assert sent(runner.ok(api.SingleStepFlow, flow_id="f")["f/b"]) == [("out", 2), ("side", [2])]
    assert out.got == [[2]]
    assert counts(runner, "b") == (1, 3)
    [held] = runner.ok(api.ListHeld, flow_id="f")
    runner.ok(api.ReleaseHeld, id=held["id"])
    runner.wait(lambda: counts(runner, "b") == (2, 4))
    host = runner.bridge("f", "python3").host
    host.kill()
    runner.wait(
        lambda: runner.bridge("f", "python3").starts == 2 and runner.module("f", "b").state.recall.link.name == "OPEN"
    )
    runner.send("f/b", 4)
    assert sent(runner.ok(api.SingleStepFlow, flow_id="f")["f/b"]) == [("out", 4), ("side", [4])]
    runner.ok(api.StopFlow, flow_id="f")
    runner.ok(api.ResumeFlow, flow_id="f")
    runner.start("f")
    runner.send("f/b", 5)
    runner.wait(lambda: out.got == [[2], [3], [4], [5]])
    assert counts(runner, "b") == (4, 6)


def test_the_runner_is_named(tmp_path: Path) -> None:
    """As every verb names it: `runner run` goes by its flow."""
    (tmp_path / "f.json").write_text(json.dumps({"id": "plant", "modules": {"a": ECHO}}))
    command = [sys.executable, "-m", "actors.console", "--state", str(tmp_path / "s")]
    process = subprocess.Popen([*command, "run", str(tmp_path / "f.json")], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        while "waits for" not in process.stderr.readline():
            assert process.poll() is None
        for words in (["pause", "plant"], ["send", "plant/a", "1"]):
            assert subprocess.run([*command, *words], capture_output=True, check=False).returncode == 0
        done = subprocess.run([*command, "step", "--json"], capture_output=True, text=True, check=True)
        part = json.loads(done.stdout)["plant/a"]
        assert part["runner"] == "plant"
        assert sent(part) == [("out", 1)]
    finally:
        process.terminate()
        process.communicate(timeout=60)
