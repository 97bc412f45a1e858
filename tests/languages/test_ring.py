"""A ring of wires through every runtime of this machine, on real input, while every host is killed again and again."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from actors.host.life import Life
from actors.messages import client_to_runner as api
from tests.harness import Harness
from tests.languages.available import AVAILABLE
from tests.updates.feeder import feed

FOLDER = Path(__file__).parent / "ring"
QUAKES = Path(__file__).parents[2] / "configs" / "data" / "earthquakes.ndjson"
EXTENSIONS = {"python3": "py", "node": "mjs", "sbcl": "lisp", "go": "go", "rust": "rs"}
# What comes from outside is sent round the ring; what has been round leaves.
GATE = """
def run(message, context):
    context.send("done" if context.port == "again" else "round", message)
"""


def quakes(count: int) -> list[dict[str, Any]]:
    """The data set as often as needed; magnitudes in hundredths, so that sums are exact."""
    rows = [json.loads(line)["properties"] for line in QUAKES.read_text().splitlines()]
    return [
        {"n": n, "place": row["place"], "magnitude": round((row["mag"] or 0) * 100), "trail": []}
        for n, row in zip(range(count), rows * (count // len(rows) + 1), strict=False)
    ]


def ring() -> dict[str, Any]:
    names = [name for name in EXTENSIONS if name in AVAILABLE]
    modules: dict[str, Any] = {"gate": {"runtime": "python3", "code": GATE, "isolated": True}}
    for name in names:
        file = FOLDER / f"stage.{EXTENSIONS[name]}"
        modules[name] = {"runtime": name, "code": file.read_text(), "name": file.name}
    wires = [f"gate.round -> {names[0]}", *(f"{a} -> {b}" for a, b in pairwise(names)), f"{names[-1]} -> gate.again"]
    return {"id": "ring", "modules": modules, "wires": wires}


def kill_while_it_runs(runner: Harness, out: Any, feeder: Any, kills: int, seed: int) -> Counter[str]:
    """SIGKILL to every host `kills` times, spread over the run. Returns the deaths per host.

    Each kill has messages of its own, sent after the one before it: the first that has been round was committed by
    every host since, and a runner gives up only a host that has not got on.
    """
    chance = random.Random(seed)
    keys = list(runner.record("ring").bridges) * kills
    chance.shuffle(keys)
    deaths: Counter[str] = Counter()
    for turn, key in enumerate(keys):
        begun, feeder.until = feeder.until, feeder.last * (turn + 1) // (len(keys) + 1)
        runner.wait(lambda begun=begun: len(out.got) > begun, "output", 120)  # type: ignore[misc]
        bridge = runner.bridge("ring", key)
        assert bridge.life is Life.OPEN and not bridge.restarts.count
        os.kill(bridge.host.pid, signal.SIGKILL)
        runner.wait(lambda bridge=bridge: bridge.life is not Life.OPEN, f"the death of {key}")  # type: ignore[misc]
        deaths[key] += 1
    feeder.until = feeder.last
    return deaths


@pytest.mark.parametrize(
    ("count", "kills", "per_s"), [(3_000, 2, 1_000), pytest.param(100_000, 20, 5_000, marks=pytest.mark.full)]
)
@pytest.mark.timeout(600)
def test_a_ring_of_all_languages_under_kill(runner: Harness, count: int, kills: int, per_s: int) -> None:
    """Every message comes back once, in order, with exact counts and sums of every language."""
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    rows = quakes(count)
    runner.ok(api.AddOrUpdateFlow, flow=ring())
    out = runner.collect("ring", "gate.done")
    feeder = feed(runner, "ring", "gate", last=count, per_s=per_s, bodies=lambda n: orjson.dumps(rows[n]))
    feeder.until = 0
    runner.start("ring")
    deaths = kill_while_it_runs(runner, out, feeder, kills, seed)
    runner.wait(lambda: len(out.got) >= count, "all of it", 300)
    runner.wait_idle("ring")
    assert feeder.number == count
    assert all(times == kills for times in deaths.values())
    stages = len(ring()["modules"]) - 1
    totals = accumulate(row["magnitude"] for row in rows)
    wanted = [{**row, "trail": [[row["n"] + 1, total]] * stages} for row, total in zip(rows, totals, strict=True)]
    assert len(out.got) == count
    for got, right in zip(out.got, wanted, strict=True):
        assert got == right
    print(f"{count} messages through {stages} languages, deaths: {dict(deaths)}")
