"""Hot update under load in every language: nothing lost, repeated or out of order, counts exact, no build in the pause."""

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
        at = len(out.got) + PER_S // 10
        runner.wait(lambda at=at: len(out.got) > at, "output")  # type: ignore[misc]
        began: dict[str, int] = {}
        request = api.AddOrUpdateFlow(request_id=f"update {version}", flow=flow(runtime, version))
        runner.system.tell(runner.runner, request)
        runner.wait(lambda: began.setdefault(record.phase, len(out.got)) and record.version == version)  # type: ignore[misc]
        flowed_while_trying += began.get("draining", 0) > began["trying"]
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
