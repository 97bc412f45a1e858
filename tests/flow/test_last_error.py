"""`lastError` of a module: with its place and stack, whatever becomes of the message."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.module.figures import MAX_ERROR_TEXT
from tests.harness import Harness, running

FAILING = {"runtime": "python3", "code": "def run(m, c):\n    raise ValueError(f'no luck with {m}')\n"}
ECHO = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}
RETRY = {"retry": {"times": 1000, "backoff_s": 30}}
SOURCE = {"runtime": "python3", "code": "def start(c):\n    yield 1\n    raise KeyError('gone')\n"}


def last_error(runner: Harness, module: str = "a") -> dict[str, Any]:
    found: dict[str, Any] = runner.wait(lambda: runner.state("f")["modules"][module]["lastError"], "an error")
    return found


@pytest.mark.parametrize(
    ("more", "wires"), [({}, []), (RETRY, []), ({}, ["a.error -> b"])], ids=["dead", "retried", "wired"]
)
def test_the_last_error(runner: Harness, more: dict[str, Any], wires: list[str]) -> None:
    runner.add("f", {"a": FAILING | more, "b": ECHO}, wires)
    runner.start("f")
    assert runner.state("f")["modules"]["a"]["lastError"] is None
    before = time.time()
    runner.send("f/a", 7)
    error = last_error(runner)
    assert (error["type"], error["message"], error["line"]) == ("ValueError", "no luck with 7", 2)
    assert "raise ValueError" in error["stack"]
    assert before <= error["time"] <= time.time()
    assert runner.state("f")["modules"]["b"]["lastError"] is None
    if not more:
        runner.send("f/a", 8)
        runner.wait(lambda: last_error(runner)["message"] == "no luck with 8")


def test_of_a_fused_module_and_of_a_source(runner: Harness) -> None:
    runner.add("f", {"s": SOURCE, "a": FAILING}, ["s -> a"])
    runner.start("f")
    assert last_error(runner)["message"] == "no luck with 1"
    assert last_error(runner, "s")["type"] == "KeyError"


def test_a_long_one_is_cut(runner: Harness) -> None:
    runner.add("f", {"a": FAILING})
    runner.start("f")
    runner.send("f/a", "x" * 100_000)
    assert len(last_error(runner)["message"]) == MAX_ERROR_TEXT


def test_dead_letters_are_edited_and_dropped(tmp_path: Path) -> None:
    """Of a durable flow, too: what comes after that is as durable as before."""
    with running(tmp_path, journals=tmp_path / "journal") as runner:
        runner.add("f", {"a": FAILING}, durable=True)
        runner.start("f")
        for number in range(3):
            runner.send("f/a", number)
        letters = runner.wait(lambda: len(found := runner.ok(api.DeadLetters, flow_id="f")) == 3 and found)
        ids = [letter["id"] for letter in letters]
        runner.ok(api.EditDeadLetter, id=ids[0], message="edited")
        runner.ok(api.DropDeadLetter, id=ids[1])
        assert [one["message"] for one in runner.ok(api.DeadLetters, flow_id="f")] == ["edited", 2]
        assert not runner.call(api.DropDeadLetter, id=ids[1]).ok
        runner.send("f/a", 3)  # its answer waits until it is on the disk
        module = runner.wait(lambda: (its := runner.state("f")["modules"]["a"])["deadLettered"] == 4 and its)
        assert (module["accepted"], module["completed"]) == (4, 0)
        runner.ok(api.ReplayDeadLetter, id=ids[0])
        runner.wait(lambda: [x["message"] for x in runner.ok(api.DeadLetters, flow_id="f")] == [2, 3, "edited"])
        runner.audit()
