"""One seed: a random flow under random events, and whether it has kept what the runner promises."""

from __future__ import annotations

import random
import shutil
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.chaos.swarm.chaos import Chaos
from actors.chaos.swarm.check import Check, settle
from actors.chaos.swarm.flow import RandomFlow
from actors.chaos.swarm.sender import Sender
from actors.chaos.swarm.subject import Subject
from actors.console.client import RunnerError

MODES = ["up", "up", "run", "watch"]


@dataclass
class Result:
    """What a seed did and what was wrong."""

    seed: int
    mode: str
    compiled: bool
    modules: int
    accepted: int = 0
    collected: int = 0
    events: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def run_seed(  # everything that is not given is drawn
    seed: int, folder: Path, *, seconds: float = 12.0, messages: int | None = None, mode: str | None = None,
    compiled: bool | None = None, missing: frozenset[str] = frozenset(),
) -> Result:  # fmt: skip
    """Run it in `folder`, which is kept only if there are problems."""
    rng = random.Random(seed)
    drawn_compiled, drawn_mode = rng.random() < 0.5, rng.choice(MODES)
    compiled = drawn_compiled if compiled is None else compiled
    mode = mode or drawn_mode
    drawn_messages = messages or rng.choice([200, 500, 1000])
    flow = RandomFlow(rng, compiled=compiled, messages=0 if mode == "killed" else drawn_messages, missing=missing)
    result = Result(seed, mode, compiled, len(flow.first.modules))
    folder.mkdir(parents=True)
    subject = Subject(folder, flow, mode, rng)
    try:
        _run(subject, rng, seconds, result)
    except Exception:  # a seed that breaks the driver is a seed with a problem
        result.problems.append(traceback.format_exc())
    result.problems += subject.end()
    if not result.problems:
        shutil.rmtree(folder)
    return result


def _run(subject: Subject, rng: random.Random, seconds: float, result: Result) -> None:
    subject.write(subject.flow.first)
    subject.boot()
    sender = Sender(subject, random.Random(result.seed + 1))
    chaos = Chaos(subject, sender, rng)
    sender.thread.start()
    try:
        try:
            chaos.run(seconds)
        except (TimeoutError, RunnerError) as error:
            chaos.bad(f"no answer: {type(error).__name__}: {error}")
            sender.end(None)
            raise
        sender.end(60.0)
        expected = subject.flow.expect(sender.accepted)
        chaos.problems += settle(subject, expected)
        check = Check(subject, chaos, expected)
        check.check()
        result.collected = check.collected
        chaos.problems += check.problems
    finally:
        chaos.close()
        result.accepted = sum(map(len, sender.accepted.values()))
        result.events, result.refused = dict(chaos.counts), sender.refusals
        result.problems += sender.problems + chaos.problems


def as_json(result: Result) -> dict[str, Any]:
    """For a line of output."""
    return {**vars(result), "problems": result.problems[:8]}
