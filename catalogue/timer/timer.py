"""A message every `every_s` seconds, or at the times of `cron`."""

import asyncio
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter

LOOK_S = 10  # at the clock
STALE_S = 60  # a time of `cron` that is so long past is not made up for
SET_BACK_S = 3 * 3600  # so much of a clock that is set back a time of `cron` waits for


def check_config(config):
    if "cron" in config and not croniter.is_valid(config["cron"]):
        return {"cron": "is no cron expression, such as */5 * * * *"}
    try:
        if "cron" in config:
            croniter(config["cron"]).get_next()
    except CroniterBadDateError:
        return {"cron": "names a day that never comes"}
    try:
        ZoneInfo(config["timezone"])
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return {"timezone": "is no time zone, such as Europe/Berlin"}


async def start(context):
    config = context.config
    due = dues(config, time.time())
    while context.get("n", 0) < config.get("times", float("inf")):
        at = next(due)
        if at < time.time() - config.get("every_s", STALE_S) or not await reached(
            at, config.get("every_s", SET_BACK_S)
        ):
            due = dues(config, time.time())  # it stood still, or the clock was set: go on from now
            continue
        n = context.get("n", 0) + 1
        context.set("n", n)
        stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        yield config.get("message", {"n": n, "time": stamp})


async def reached(at, back_s):
    """Waits, with looks at the clock, which may be set meanwhile; no: it was set back by more than this."""
    last = time.time()
    while (now := time.time()) < at:
        if now < last - back_s:
            return False
        last = max(last, now)
        await asyncio.sleep(min(at - now, LOOK_S))
    return True


def dues(config, begin):
    """When a message is due, in seconds since 1970; with `every_s` the first one is at once."""
    if "cron" in config:
        zone = ZoneInfo(config["timezone"])
        cron = croniter(config["cron"], datetime.fromtimestamp(begin, zone))
        while True:
            at = cron.get_next(float)
            if "*" in cron.expressions[1] or not datetime.fromtimestamp(at, zone).fold:  # an hour that comes twice
                yield at
    n = 0
    while True:
        yield begin + n * config["every_s"]
        n += 1
