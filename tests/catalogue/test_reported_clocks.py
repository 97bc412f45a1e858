"""What others reported of timers when the clock jumps or is put forward and back, docs/reports.md, tried on ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.definition.catalogue import SHIPPED
from tests.catalogue.servers import in_python

SIMULATED = """
import asyncio, json, runpy, time
from datetime import datetime
from types import SimpleNamespace

timer = runpy.run_path(PATH)
clock, jumps = 0.0, []
time.time = lambda: clock

async def sleep(seconds):
    global clock
    clock += max(0, seconds)
    if jumps and clock >= jumps[0][0]:
        clock += jumps.pop(0)[1]
asyncio.sleep = sleep

async def ticks(begin, count, *new_jumps, **config):
    global clock
    clock, kept = datetime.fromisoformat(begin).timestamp(), {}
    jumps[:] = [(clock + after, by) for after, by in new_jumps]
    context = SimpleNamespace(config={"timezone": "Europe/Berlin", **config}, get=kept.get, set=kept.__setitem__)
    got, source = [], timer["start"](context)
    async for message in source:
        got.append(message["time"][5:16])
        if len(got) == count:
            return got

async def main():
    print(json.dumps(CALLS))
asyncio.run(main())
"""


SET_BACK = """
import asyncio, json, runpy, time
from types import SimpleNamespace

module = runpy.run_path(PATH)
clock, slept, kept = 1e9, 0, {}
time.time = lambda: clock

async def sleep(seconds):
    global clock, slept
    clock, slept = clock + seconds, slept + seconds
    assert slept < 100, "for ever"
asyncio.sleep = sleep
context = SimpleNamespace(
    config=json.loads(CONFIG), port="left", get=kept.get, set=kept.__setitem__, delete=kept.pop,
    keys=lambda: [*kept], send=lambda *_: None,
)

async def main():
    global clock
    await module["run"]({"id": 1}, context)
    clock -= 3600
    if "start" in module:
        async for _ in module["start"](context):
            break
    else:
        await module["run"]({"id": 2}, context)
    print(slept)
asyncio.run(main())
"""


def simulated(calls: str) -> list[list[str]]:
    text = SIMULATED.replace("PATH", repr(str(SHIPPED / "timer" / "timer.py"))).replace("CALLS", calls)
    said: list[list[str]] = json.loads(in_python(text, "croniter==6.*"))
    return said


def test_an_hour_that_is_not_there_and_one_that_comes_twice() -> None:
    """A named hour counts once, and once at least (kelektiv/node-cron#563); any hour is one, and none is left out
    (Steve-Mcl/node-red-contrib-cron-plus#108).
    """
    day, hours = "cron='30 2 * * *'", "cron='0 * * * *'"
    march, october = "'2026-03-28T12:00+01:00'", "'2026-10-24T23:30+00:00'"
    assert simulated(
        f"[await ticks({march}, 2, {day}), await ticks({october}, 2, {day}), await ticks({october}, 3, {hours})]"
    ) == [
        ["03-29T01:00", "03-30T00:30"], ["10-25T00:30", "10-26T01:30"], ["10-25T00:00", "10-25T01:00", "10-25T02:00"],
    ]  # fmt: skip


def test_a_clock_that_jumps() -> None:
    """Back: nothing came for as long (wazuh/wazuh#38825). Forward: all at once, or too late (airbus/sen#198)."""
    begin, minute = "'2026-06-01T12:00+00:00'", "cron='* * * * *'"
    assert simulated(
        f"[await ticks({begin}, 3, (150, -7200), every_s=60), await ticks({begin}, 3, (90, 86400), {minute}),"
        f" await ticks({begin}, 2, (90, 82800), cron='0 13 * * *'),"
        f" await ticks({begin}, 2, (90, -86400 * 365), {minute})]"
    ) == [
        ["06-01T12:00", "06-01T12:01", "06-01T12:02"], ["06-01T12:01", "06-01T12:02", "06-02T12:02"],
        ["06-02T11:00", "06-03T11:00"], ["06-01T12:01", "06-01T12:02"],
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "most_s", "config"), [
    ("throttle", 1.0, {"count": 1, "per_s": 1.0, "above": "wait"}),
    ("batch", 2.0, {"count": 9, "wait_s": 1.0}),
    ("debounce", 2.0, {"quiet_s": 1.0}),
    ("join", 2.0, {"key": "id", "within_s": 1.0}),
])  # fmt: skip
def test_a_clock_that_is_set_back_makes_nothing_wait(name: str, most_s: float, config: dict[str, Any]) -> None:
    """As wazuh/wazuh#38825: what is due in an hour, as it seems now, is not."""
    file = str(SHIPPED / name / f"{name}.py")
    text = SET_BACK.replace("PATH", repr(file)).replace("CONFIG", repr(json.dumps(config)))
    assert json.loads(in_python(text)) <= most_s
