"""A message that is tried again and again does not hold an update up: the new version gets it at once, in its place."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import Harness, need

REFUSES = {
    "python3": "def run(m, c): raise ConnectionError('refused')",
    "node": "module.exports = async () => { throw new Error('refused') }",
}
TAKES = {"python3": "def run(m, c): return m", "node": "module.exports = (m) => m"}


@pytest.mark.parametrize("runtime", REFUSES)
def test_the_new_version_gets_it(runner: Harness, runtime: str) -> None:
    need(runtime)
    module: dict[str, Any] = {"runtime": runtime, "retry": {"times": 1000, "backoff_s": 600}}
    runner.add("f", {"a": {**module, "code": REFUSES[runtime]}})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", 0, 1, 2)
    runner.wait(lambda: runner.state("f")["modules"]["a"]["errors"], "the first try")
    runner.add("f", {"a": {**module, "code": TAKES[runtime]}})
    runner.wait_idle("f")
    assert out.got == [0, 1, 2]
    assert not runner.state("f")["deadLetters"]
