"""Modules that write to the descriptors of their own host: only they suffer, in every language."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import pytest

from actors.messages import client_to_runner as api
from runtimes.frames import Frame, Kind, encode
from tests.harness import Harness, need
from tests.languages.available import ALL

VANDALS = Path(__file__).parent / "vandals"
FORGED = {
    "noise": Random(1).randbytes(200),
    "half a header": Random(2).randbytes(11),
    "a count of 2^32-1": encode(Frame(Kind.DATA, 0, b"[1]", count=0xFFFFFFFF)),
    "a COMMIT of others": encode(Frame(Kind.COMMIT, body=b"[[0,1000,1000,0,0,0,0,5,0]]")),
    "an ERROR of nobody": encode(Frame(Kind.ERROR, 0, b'{"error":{"type":"E","message":"x"}}', skip=36, count=7)),
    "RESULT of a request that was not asked": encode(Frame(Kind.RESULT, 0, b'{"ok":true}', first=1)),
}


def vandal(runtime: str, **fields: object) -> dict[str, object]:
    [file] = VANDALS.glob(f"{runtime}.*")
    return {"runtime": runtime, "code": file.read_text(), "name": file.name, "isolated": True, **fields}


@pytest.mark.parametrize("runtime", ALL)
def test_what_it_writes_is_refused(runner: Harness, runtime: str) -> None:
    """The message that makes it do so becomes a dead letter, those before and after it arrive, once and in order."""
    need(runtime)
    echo = {"runtime": "python3", "code": "def run(m, c):\n    return m\n", "isolated": True}
    runner.add("f", {"a": vandal(runtime), "b": echo}, ["a -> b"])
    out = runner.collect("f", "b")
    runner.start("f")
    forged = FORGED if runtime == "python3" else {name: FORGED[name] for name in ("noise", "a COMMIT of others")}
    for number, (name, text) in enumerate(forged.items()):
        runner.send("f/a", f"{number} before", list(text), f"{number} after")
        runner.wait(lambda n=number: f"{n} after" in out.got, name)
        letters = runner.wait(
            lambda n=number: len(found := runner.ok(api.DeadLetters, flow_id="f")) > n and found, name
        )
        assert letters[number]["message"] == list(text), name
        assert "it broke the link protocol: " in letters[number]["error"]["message"], (name, letters[number]["error"])
    assert out.got == [f"{number} {when}" for number in range(len(forged)) for when in ("before", "after")]
    assert runner.record("f").state == "running"


def test_a_frame_that_never_ends(runner: Harness) -> None:
    """What comes behind it is swallowed: like a turn that never ends, which is what `timeout_s` is for."""
    runner.add("f", {"a": vandal("python3", timeout_s=1)})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", "before", list(struct.pack("<IBBHIIQ", 60 << 20, int(Kind.DATA), 0, 0, 0, 1, 0)), "after")
    runner.wait(lambda: out.got == ["before", "after"])
    [letter] = runner.wait(lambda: runner.ok(api.DeadLetters, flow_id="f"))
    assert "a turn took longer than timeout_s 1" in letter["error"]["message"]
