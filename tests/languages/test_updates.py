"""Hot update under load in every language: nothing lost or repeated, counts exact, no build in the pause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from actors.messages import client_to_runner as api
from tests.harness import Harness, need
from tests.languages.available import ALL
from tests.languages.test_ring import EXTENSIONS
from tests.updates.feeder import feed

FOLDER = Path(__file__).parent / "versioned"
PER_S = 5_000


def module(runtime: str, version: int) -> dict[str, Any]:
    file = FOLDER / f"stage.{EXTENSIONS[runtime]}"
    return {"runtime": runtime, "code": file.read_text().replace("1001", str(version)), "name": file.name}


def flow(runtime: str, version: int) -> dict[str, Any]:
    neighbour = module(runtime, 0) | {"code": module(runtime, 0)["code"] + "\n"}
    return {"id": "f", "modules": {"m": module(runtime, version), "neighbour": neighbour}, "wires": []}


def update(runner: Harness, out: Any, new: dict[str, Any]) -> bool:
    """Update in the midst of the stream. Whether messages came out while the new version was built and tried."""
    record, begun, version = runner.record("f"), len(out.got), runner.record("f").version
    runner.wait(lambda: len(out.got) > begun + PER_S // 10, "output")
    came: dict[str, int] = {}  # phase -> what had come out when it began
    runner.system.tell(runner.runner, api.AddOrUpdateFlow(request_id=f"from {version}", flow=new))

    def ended() -> bool:
        came.setdefault(record.phase, len(out.got))
        return bool(record.version > version)

    runner.wait(ended, "the update", 60)
    return came["draining"] > came["trying"]


@pytest.mark.parametrize("runtime", [runtime for runtime in ALL if runtime in EXTENSIONS])
def test_updates_under_load(runner: Harness, runtime: str) -> None:
    need(runtime)
    runner.ok(api.AddOrUpdateFlow, flow=flow(runtime, 1))
    out = runner.collect("f", "m")
    runner.start("f")
    feeder = feed(runner, "f", "m", last=1 << 60, per_s=PER_S, bodies=lambda n: orjson.dumps({"n": n}))
    record = runner.record("f")
    flowed_while_trying = pauses = 0
    for version in range(2, 5):
        flowed_while_trying += update(runner, out, flow(runtime, version))
        did = record.receipt["modules"]["m"]
        assert did["did"] == "replaced"
        pauses += did["pauseMs"]
    assert flowed_while_trying == 3, "no message passed while the new version was built and tried"
    feeder.last = feeder.number + PER_S // 10
    runner.wait_idle("f")
    numbers, versions, counts = zip(*out.got, strict=True)
    assert numbers == tuple(range(feeder.number))
    assert counts == tuple(range(1, feeder.number + 1))
    assert list(versions) == sorted(versions)
    assert set(versions) == {1, 2, 3, 4}
    print(f"{runtime}: 3 updates over {feeder.number} messages, mean pause {pauses / 3:.1f} ms")
