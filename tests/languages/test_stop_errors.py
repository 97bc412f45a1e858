"""What `stop` raises is said, in every language and by every verb, and ends none of the others: people flush there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.messages.owner_to_runner import ShutDown
from tests.deployments import cli, plant
from tests.harness import Harness, need

CODE = {
    "python3": """
def stop(context):
    if context.config:
        raise ValueError(context.config)
    context.set("stopped", context.get("stopped", 0) + 1)


def run(message, context):
    return message
""",
    "node": """
exports.stop = (context) => {
  if (context.config) throw new RangeError(context.config)
  context.set('stopped', context.get('stopped', 0) + 1)
}
module.exports = Object.assign((message) => message, exports)
""",
    "ruby": """
def stop(context)
  raise ArgumentError, context.config if context.config
  context.set("stopped", context.get("stopped", 0) + 1)
end

def run(message, context) = message
""",
    "php": """<?php
function stop($context) {
    if ($context->config) throw new LogicException($context->config);
    $context->set('stopped', $context->get('stopped', 0) + 1);
}

function run($message, $context) { return $message; }
""",
    "sbcl": """
(defun stop (context)
  (when (stringp (context-config context)) (error "~a" (context-config context)))
  (context-set context "stopped" (1+ (context-get context "stopped" 0))))

(defun run (message context) (declare (ignore context)) message)
""",
    "go": """
package module

import (
	"errors"

	"flow"
)

func Stop(c *flow.Context) error {
	if text, is := c.Config().(string); is {
		return errors.New(text)
	}
	return c.Set("stopped", c.Get("stopped", 0).(int64)+1)
}

func Run(c *flow.Context, m any) (any, error) { return m, nil }
""",
    "rust": """
use flow::prelude::*;

pub fn stop(context: &mut Context) -> Result<()> {
    if let Some(text) = context.config().as_str() {
        return Err(text.to_owned().into());
    }
    let stopped = context.get_or("stopped", 0)? + 1;
    context.set("stopped", stopped)
}

pub fn run(message: Value, _: &mut Context) -> Result<Option<Value>> {
    Ok(Some(message))
}
""",
}
ALL = pytest.mark.parametrize("runtime", CODE)


def flow(runtime: str, config: Any = "cannot flush", **fields: Any) -> dict[str, Any]:
    need(runtime)
    code = CODE[runtime]
    modules = {
        name: {"runtime": runtime, "code": code, "config": config if name == "bad" else None, **fields}
        for name in ("first", "bad", "last")
    }
    return {"id": "f", "modules": modules}


def stopped(runner: Harness) -> list[bytes | None]:
    return [runner.module("f", name).state.context.get(b"stopped") for name in ("first", "bad", "last")]


@ALL
def test_stop_start_again_and_remove(runner: Harness, caplog: pytest.LogCaptureFixture, runtime: str) -> None:
    runner.ok(api.AddOrUpdateFlow, flow=flow(runtime))
    for count in (b"1", b"2"):
        runner.start("f")
        reply = runner.call(api.StopFlow, flow_id="f")
        assert not reply.ok
        [sentence] = reply.data
        assert sentence.startswith("f: stopped, but stop of bad failed: ") and "cannot flush" in sentence
        assert stopped(runner) == [count, None, count]
        assert runner.state("f")["state"] == "stopped"
    assert "f/bad: stop failed: " in caplog.text
    runner.ok(api.StopFlow, flow_id="f")
    runner.start("f")
    reply = runner.call(api.RemoveFlow, flow_id="f")
    assert not reply.ok and "f: removed, but stop of bad failed: " in reply.error
    assert runner.ok(api.ListFlows) == []


@ALL
def test_an_update_stands_and_its_receipt_names_it(runner: Harness, runtime: str) -> None:
    runner.ok(api.AddOrUpdateFlow, flow=flow(runtime))
    runner.start("f")
    new = flow(runtime, config=None)
    new["modules"]["first"]["config"] = False  # so that all are replaced or carried
    reply = runner.call(api.AddOrUpdateFlow, flow=new)
    assert reply.ok
    did = reply.receipt["modules"]
    assert "cannot flush" in did["bad"]["stopError"]
    assert [name for name in did if "stopError" in did[name]] == ["bad"]
    assert runner.record("f").version == 2
    assert runner.ok(api.LastReceipt, flow_id="f") == reply.receipt
    runner.ok(api.StopFlow, flow_id="f")


@ALL
def test_the_end_of_the_runner(runner: Harness, runtime: str) -> None:
    runner.ok(api.AddOrUpdateFlow, flow=flow(runtime))
    runner.start("f")
    [sentence] = runner.call(ShutDown).data
    assert sentence.startswith("f: stopped, but stop of bad failed: ")
    assert stopped(runner) == [b"1", None, b"1"]


def test_a_host_that_dies_in_stop(runner: Harness) -> None:
    code = "import os\ndef stop(c):\n    os._exit(7)\ndef run(m, c):\n    return m\n"
    runner.add("f", {"a": {"runtime": "python3", "code": code}, "b": {"runtime": "python3", "code": CODE["python3"]}})
    runner.start("f")
    reply = runner.call(api.StopFlow, flow_id="f")
    assert "stop of a failed: it has not returned: exit status 7" in reply.error
    assert "stop of b failed" in reply.error or stopped_context(runner, "b")
    runner.start("f")
    changed = {"runtime": "python3", "code": code + "# 2\n"}
    reply = runner.call(
        api.AddOrUpdateFlow,
        flow={"id": "f", "modules": {"a": changed, "b": {"runtime": "python3", "code": CODE["python3"]}}},
    )
    assert reply.ok and "exit status 7" in reply.receipt["modules"]["a"]["stopError"]
    runner.call(api.RemoveFlow, flow_id="f")


def stopped_context(runner: Harness, module: str) -> bytes | None:
    return runner.module("f", module).state.context.get(b"stopped")


def test_a_refused_update_says_it_too(runner: Harness) -> None:
    runner.ok(api.AddOrUpdateFlow, flow=flow("python3"))
    runner.start("f")
    new = flow("python3")
    new["modules"]["bad"]["code"] += "\n\ndef start(context):\n    raise ValueError('no start')\n"
    reply = runner.call(api.AddOrUpdateFlow, flow=new)
    assert not reply.ok
    assert "no start" in reply.error and "stop of bad failed, too: " in reply.error
    runner.call(api.StopFlow, flow_id="f")


# the verbs ---------------------------------------------------------------------------------------------------------


def files(folder: Path, runtime: str = "python3") -> Path:
    document = flow(runtime)
    document["tests"] = [{"name": "t", "send": {"bad": [1]}, "expect": {"bad": [1]}}]
    path = folder / "f.json"
    path.write_text(json.dumps(document))
    return path


@ALL
def test_run_and_test(tmp_path: Path, runtime: str) -> None:
    path = files(tmp_path, runtime)
    command = [sys.executable, "-m", "actors.console"]
    for words in (["run", str(path), "-i", "bad=/dev/null", "--state", str(tmp_path)], ["test", str(path)]):
        done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "stop of bad failed: " in (done.stdout if words[0] == "test" else done.stderr)
        assert "cannot flush" in done.stdout + done.stderr


def test_stop_apply_rollback_remove_and_down(tmp_path: Path) -> None:
    path = files(tmp_path)
    with plant(tmp_path) as up:
        up.wait_until_up()

        def fails(*words: str, said: str) -> None:
            done = up.cli(*words)
            assert done.returncode == 1, done.stdout
            assert f"runner: f: {said}, but stop of bad failed: " in done.stderr

        assert up.cli("apply", str(path)).returncode == 0
        path.write_text(path.read_text().replace("cannot flush", "nor can this"))
        fails("apply", str(path), said="applied")
        fails("rollback", "f", said="rolled back")
        fails("stop", "f", said="stopped")
        assert up.cli("start", "f").returncode == 0
        fails("remove", "f", said="removed")
        assert up.cli("apply", str(path)).returncode == 0
        done = up.cli("down")
        assert done.returncode == 1
        assert "f: stopped, but stop of bad failed: " in done.stderr
        assert up.process.wait(60) == 1
    assert cli(tmp_path / "state", "flows").returncode == 1
