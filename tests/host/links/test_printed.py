"""What hosts print and log: bounded lines, bounded slices, and the last words too."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.host.bridge import BridgeActor
from actors.host.link import Link
from actors.host.printed import MAX_LINE_BYTES, Printed
from actors.messages import client_to_runner as api
from runtimes.conversation import MAX_FRAMES
from runtimes.frames import Frame, Kind, encode
from tests.harness import Harness
from tests.host.links.puppet import Stage, on_stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with on_stage(tmp_path / "state", monkeypatch) as stage:
        yield stage


@given(st.lists(st.binary(max_size=50) | st.sampled_from([b"\n", b"\n\n", b"x" * 5000])))
def test_portions_make_no_difference(portions: list[bytes]) -> None:
    whole, parts = Printed(), Printed()
    text = b"".join(portions)
    expected = whole.feed(text) + whole.last_words()
    lines = [line for portion in portions for line in parts.feed(portion)] + parts.last_words()
    assert [line for line in lines if "..." not in line] == [line for line in expected if "..." not in line]
    assert len(lines) == len(expected)
    short = [line for line in text.split(b"\n")[:-1] if len(line) <= MAX_LINE_BYTES]
    assert [line for line in expected if "..." not in line][: len(short)] == [
        line.decode(errors="replace") for line in short if b"..." not in line
    ]


def test_a_line_without_end_is_cut_at_once_and_not_kept() -> None:
    printed = Printed()
    lines: list[str] = []
    for _ in range(50_000):
        lines += printed.feed(b"x" * 2000)
        assert len(printed._line) <= MAX_LINE_BYTES
    assert lines == ["x" * MAX_LINE_BYTES + " ... (a longer line is cut)"]
    assert printed.feed(b"\nnext\n") == [f"... ({100_000_000 - MAX_LINE_BYTES} more bytes of that line)", "next"]


def test_the_last_words_of_a_host(runner: Harness, caplog: pytest.LogCaptureFixture) -> None:
    code = "import os\ndef run(m, c):\n    os.write(1, b'y' * 20000)\n    os.write(2, b'\\nthe end')\n    os._exit(1)\n"
    runner.add("f", {"a": {"runtime": "python3", "code": code}})
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: runner.ok(api.DeadLetters, flow_id="f"))
    said = [record.getMessage() for record in caplog.records if record.name == "runner.module.log"]
    assert "f/python3: the end" in said
    assert f"f/python3: {'y' * MAX_LINE_BYTES} ... (a longer line is cut)" in said
    assert f"f/python3: ... ({20000 - MAX_LINE_BYTES} more bytes of that line)" in said


def test_a_child_that_prints_without_end_does_not_hold_the_end_of_its_host(stage: Stage) -> None:
    """It is in a session of its own, so the kill of the host does not reach it."""
    stage.chain("f", "echo")
    stage.start("f")
    puppet = stage.puppet("a")
    with (  # they wait for room, the puppet never does
        Path(f"/proc/self/fd/{puppet.log_end}").open("w") as log,
        Path(f"/proc/self/fd/{puppet.output_end}").open("w") as output,
        subprocess.Popen(["yes"], stdout=log) as prints,
        subprocess.Popen(["yes"], stdout=output) as writes,
    ):
        try:
            stage.ok(api.StopFlow, flow_id="f")
            assert stage.state("f")["state"] == "stopped"
        finally:
            prints.kill()
            writes.kill()


@pytest.mark.parametrize(
    "frame",
    [Frame(Kind.LOG, body=b'{"level":"debug","text":""}'), Frame(Kind.COMMIT, body=b"[]")],
    ids=["LOG", "COMMIT"],
)
def test_many_small_frames_are_taken_in_slices(stage: Stage, monkeypatch: pytest.MonkeyPatch, frame: Frame) -> None:
    """4,000 of them fit into one read: other actors have their turn in between."""
    slices: list[int] = []
    take = BridgeActor._take

    def counting(self: BridgeActor, frame: Frame) -> None:
        slices[-1] += 1
        take(self, frame)

    monkeypatch.setattr(BridgeActor, "_take", counting)
    take_frames = Link.take_frames

    def beginning(self: Link) -> None:
        slices.append(0)
        take_frames(self)

    monkeypatch.setattr(Link, "take_frames", beginning)
    stage.chain("f", "echo")
    stage.start("f")
    slices.clear()
    stage.puppet("a").write(encode(frame) * 4000)
    stage.wait(lambda: sum(slices) >= 4000)
    assert max(slices) <= MAX_FRAMES and len(slices) >= 4000 / MAX_FRAMES


def test_slow_handlers_are_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch costs nothing unless it is asked for; then it names actor and message."""
    slow = stage.base.watch_handlers(0.02)
    commit = BridgeActor._commit

    def slowly(self: BridgeActor, frame: Frame) -> None:
        until = time.thread_time() + 0.03
        while time.thread_time() < until:
            pass
        commit(self, frame)

    monkeypatch.setattr(BridgeActor, "_commit", slowly)
    stage.chain("f", "echo")
    stage.start("f")
    stage.send("f/a", 1)
    stage.wait(lambda: ("BridgeActor", "Ready") in [(handler.actor, handler.message) for handler in slow])
    assert all(handler.spent_s > 0.02 for handler in slow)
