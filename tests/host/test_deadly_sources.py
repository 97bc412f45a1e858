"""A source whose messages kill the host, in itself or behind it, does not do so for ever."""

from __future__ import annotations

import pytest

from tests.harness import Harness

SOURCE = """
import os
def start(c):
    for n in range(c.get("n", 0), 8):
        if n == {deadly}: os.kill(os.getpid(), 9)
        c.set("n", n + 1)
        yield n
"""
BEHIND = "import os\ndef run(m, c):\n    if m == 5: os.kill(os.getpid(), 9)\n    return m"
ECHO = "def run(m, c):\n    return m"


@pytest.mark.parametrize("row", [["kills"], ["echo", "kills"], ["kills", "echo"]])
def test_a_message_of_a_source_that_kills_is_a_dead_letter(runner: Harness, row: list[str]) -> None:
    """As if the wire were not fused; what comes before and behind it arrives, and is fused again."""
    codes = {"source": SOURCE.format(deadly=-1), **{name: BEHIND if name == "kills" else ECHO for name in row}}
    modules = {name: {"runtime": "python3", "code": code} for name, code in codes.items()}
    runner.add("f", modules, [f"{one} -> {two}" for one, two in zip(codes, row, strict=False)])
    out = runner.collect("f", row[-1])
    runner.start("f")
    assert not runner.wait_idle("f").errors
    assert out.got == [n for n in range(8) if n != 5]
    [letter] = runner.record("f").dead_letters
    assert (letter.module, letter.message, letter.error["type"]) == ("kills", b"5", "HostDied")
    [bridge] = [runner.actor(bridge) for bridge in runner.record("f").bridges.values()]
    assert 6 <= bridge.starts <= 8  # fused, once more if others came before it, unfused, and three times alone
    assert len(bridge.fusing.fused) == len(row)


def test_a_source_that_kills_its_host_stops_the_flow(runner: Harness) -> None:
    modules = {
        "source": {"runtime": "python3", "code": SOURCE.format(deadly=5)},
        "echo": {"runtime": "python3", "code": ECHO},
    }
    runner.add("f", modules, ["source -> echo"])
    out = runner.collect("f", "echo")
    runner.start("f")
    [error] = runner.wait_idle("f").errors
    assert error.startswith("f: the host python3 died 5 times without progress: SIGKILL")
    assert out.got == [0, 1, 2, 3, 4]
