"""A run that is told to end at any moment of its start ends."""

from __future__ import annotations

import os
import select
import time
from itertools import count
from pathlib import Path

from actors.ends.outcome import Outcome
from actors.ends.session import SessionActor
from actors.messages.owner_to_runner import ConfigureRunner
from actors.messages.run_to_session import RunFlow
from actors.runner.runner import RunnerActor
from actors.system.in_process import ActorSystem

FLOW = {"id": "f", "modules": {"a": {"runtime": "python3", "code": "def start(c): pass\ndef run(m, c): return m\n"}}}
LIMIT_S = 60.0
IDLE_S = 0.5


def test_a_signal_at_any_turn_of_the_start(tmp_path: Path) -> None:
    """Also between the answer to its StartFlow and the first wait for its end; the last of them when it has started."""
    for turn in count():
        if ended(tmp_path / str(turn), turn) < turn:
            break
    assert turn > 2


def ended(folder: Path, turn: int) -> int:
    """A run that is told to end before that turn, or when it waits. Returns before which it was."""
    folder.mkdir()
    system, outcome = ActorSystem(), Outcome()
    base, runner = system.base, system.createActor(RunnerActor)
    system.tell(runner, ConfigureRunner(run_folder=folder))
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        job = RunFlow(runner=runner, flow=FLOW, inputs=(), outputs=(), for_s=None, signal_fd=reading, outcome=outcome)
        system.tell(system.createActor(SessionActor), job)
        deadline, turns, told = time.monotonic() + LIMIT_S, 0, -1
        while not outcome.over:
            waits = not base.busy and not select.select([base.fileno()], [], [], IDLE_S)[0]
            if told < 0 and (waits or turns == turn):
                os.write(writing, b"!")
                told = turns
            base.turn()
            turns += 1
            assert time.monotonic() < deadline, f"told to end before turn {told}, and it goes on"
        assert outcome.errors == []
    finally:
        system.shutdown()
        os.close(reading)
        os.close(writing)
    return told
