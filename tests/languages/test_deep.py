"""What is nested as deep as the data contract allows comes back to a module, however often it is loaded."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.state.shown import MAX_MESSAGE_DEPTH
from tests.harness import Harness, need

CODE = {
    "python3": "def run(m, c):\n    c.set('v', m)\n    return 1\n",
    "node": "module.exports = (m, c) => { c.set('v', m); return 1 }\n",
    "ruby": "def run(m, c)\n  c.set('v', m)\n  1\nend\n",
    "php": "function run($m, $c) { $c->set('v', $m); return 1; }",
    "sbcl": '(lambda (m c) (context-set c "v" m) 1)',
    "go": 'package module\nimport "flow"\nfunc Run(c *flow.Context, m any) (any, error) { return 1, c.Set("v", m) }\n',
    "rust": "use flow::prelude::*;\npub fn run(m: Value, c: &mut Context) -> Result<Option<Value>> {\n"
    '    c.set("v", m)?;\n    Ok(Some(json!(1)))\n}\n',
}


def nested(levels: int, opener: str) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if opener == "[" else {"a": value}
    return value


@pytest.mark.parametrize("opener", ["[", "{"])
@pytest.mark.parametrize("runtime", CODE)
def test_contexts_and_config(runner: Harness, runtime: str, opener: str) -> None:
    need(runtime)
    deep = nested(MAX_MESSAGE_DEPTH, opener)

    def version(number: int) -> dict[str, Any]:
        config = [number, nested(MAX_MESSAGE_DEPTH - 1, opener)]
        return {"id": "f", "modules": {"a": {"runtime": runtime, "code": CODE[runtime], "config": config}}}

    runner.ok(api.AddOrUpdateFlow, flow=version(1))
    out = runner.collect("f", "a")
    runner.start("f")

    def works() -> None:
        before = len(out.got)
        runner.send("f/a", deep)
        runner.wait(lambda: len(out.got) > before, "an answer")

    works()
    runner.ok(api.StopFlow, flow_id="f")
    runner.start("f")
    works()
    os.kill(runner.bridge("f", runtime).host.pid, signal.SIGKILL)
    works()
    runner.ok(api.AddOrUpdateFlow, flow=version(2))
    works()
    assert not runner.record("f").dead_letters


def test_a_config_that_is_deeper_is_refused(runner: Harness) -> None:
    flow = {"id": "f", "modules": {"a": {"runtime": "python3", "code": CODE["python3"], "config": nested(121, "[")}}}
    reply = runner.call(api.AddOrUpdateFlow, flow=flow)
    assert "`modules.a.config` is nested deeper than 120 levels" in reply.error
