"""So many lines a second of each module; the rest is counted, and that is said."""

from __future__ import annotations

import logging

import pytest

from actors.host.module_log import LINES_PER_S
from tests.harness import Harness

TALK = (
    "def run(message, context):\n    for n in range(message): context.log('warning', f'line {n}')\n    return message\n"
)
RAW = "import os\ndef run(message, context):\n    os.write(2, b'raw\\n' * message)\n    return message\n"


def test_a_module_that_talks_without_end(runner: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """Its neighbour is heard; what is left out is said although nothing more comes."""
    runner.add("f", {"loud": {"runtime": "python3", "code": TALK}, "quiet": {"runtime": "python3", "code": TALK}})
    done = runner.collect("f", "loud")
    runner.start("f")
    count = 20 * LINES_PER_S
    with caplog.at_level(logging.INFO, "runner.module.log"):
        runner.send("f/loud", count)
        runner.send("f/quiet", 1)
        runner.wait(lambda: done.got)
        runner.wait(lambda: said(caplog) + left_out(caplog, "f/loud") == count)
    assert "f/quiet: line 0" in caplog.messages
    assert left_out(caplog, "f/loud") > count // 2
    assert not left_out(caplog, "f/quiet")


def said(caplog: pytest.LogCaptureFixture) -> int:
    return sum(text.startswith("f/loud: line") for text in caplog.messages)


def left_out(caplog: pytest.LogCaptureFixture, name: str) -> int:
    told = [text for text in caplog.messages if text.startswith(f"{name}: ") and " left out: more than " in text]
    return sum(int(text.split()[1].replace(",", "")) for text in told)


def test_what_is_printed_past_us(runner: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """The end of the host comes within the second: it is said before."""
    runner.add("f", {"a": {"runtime": "python3", "code": RAW}})
    done = runner.collect("f", "a")
    runner.start("f")
    with caplog.at_level(logging.INFO, "runner.module.log"):
        runner.send("f/a", 5 * LINES_PER_S)
        runner.wait(lambda: done.got)
        runner.wait(lambda: left_out(caplog, "f/python3") + caplog.messages.count("f/python3: raw") == 5 * LINES_PER_S)
    assert left_out(caplog, "f/python3")
