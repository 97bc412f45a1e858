"""What a PermanentError says: a message that fails with it is given up at once, a source is not started again."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import client_to_runner as api
from tests.harness import Harness, need

LONG = {"times": 1000, "backoff_s": 600}  # who tries again is not done in a test's time
REFUSES_BAD = {
    "python3": """
class PermanentError(Exception):
    pass

def run(message, context):
    if message == "bad":
        raise PermanentError("no such column")
    return message
""",
    "node": """
class PermanentError extends Error {}

module.exports = (message) => {
  if (message === 'bad') throw new PermanentError('no such column')
  return message
}
""",
    "ruby": """
class PermanentError < StandardError; end

def run(message, context)
  raise PermanentError, "no such column" if message == "bad"
  message
end
""",
    "php": """
class PermanentError extends Exception {}

function run($message, $context) {
    if ($message === 'bad') throw new PermanentError('no such column');
    return $message;
}
""",
    "sbcl": """
(define-condition permanent-error (error) ()
  (:report "no such column"))

(lambda (message context)
  (declare (ignore context))
  (when (equal message "bad") (error 'permanent-error))
  message)
""",
    "go": """
package module

import (
	"errors"
	"flow"
)

type PermanentError struct{ error }

func Run(c *flow.Context, message any) (any, error) {
	if message == "bad" {
		return nil, PermanentError{errors.New("no such column")}
	}
	return message, nil
}
""",
    "rust": """
use flow::prelude::*;

#[derive(Debug)]
struct PermanentError(&'static str);

impl std::fmt::Display for PermanentError {
    fn fmt(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
        to.write_str(self.0)
    }
}

impl std::error::Error for PermanentError {}

pub fn run(message: Value, _: &mut Context) -> Result<Option<Value>> {
    if message == "bad" {
        return Err(PermanentError("no such column").into());
    }
    Ok(Some(message))
}
""",
}


@pytest.mark.parametrize("runtime", REFUSES_BAD)
def test_a_message_is_given_up_at_once(runner: Harness, runtime: str) -> None:
    need(runtime)
    runner.add("f", {"a": {"runtime": runtime, "code": REFUSES_BAD[runtime], "retry": LONG}})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", 0, "bad", 1, "bad", 2)
    runner.wait(lambda: len(out.got) == 3, "those behind it")
    assert out.got == [0, 1, 2]
    letters = runner.ok(api.DeadLetters, flow_id="f")
    assert [letter["message"] for letter in letters] == ["bad", "bad"]
    assert "no such column" in letters[0]["error"]["message"]
    figures = runner.state("f")["modules"]["a"]
    assert figures["handled"] == 5 and figures["errors"] == 2


SOURCES: dict[str, dict[str, Any]] = {
    "python3": {
        "code": "class PermanentError(Exception): pass\ndef start(c):\n    yield 1\n    raise PermanentError(c)\n"
    },
    "node": {
        "code": "class PermanentError extends Error {}\n"
        "exports.start = function* () { yield 1; throw new PermanentError('no') }\n"
    },
}


@pytest.mark.parametrize("runtime", SOURCES)
def test_a_source_is_not_started_again(runner: Harness, runtime: str) -> None:
    need(runtime)
    runner.add("f", {"a": {"runtime": runtime, "restart": LONG, **SOURCES[runtime]}})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.wait_idle("f")
    source = runner.state("f")["modules"]["a"]["source"]
    assert out.got == [1] and source["state"] == "failed" and source["restarts"] == 0
    assert source["error"]["type"] == "PermanentError"
