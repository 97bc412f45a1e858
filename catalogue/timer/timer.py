"""A message every `every_s` seconds, or at the times of `cron`."""

import asyncio
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter


def check_config(config):
    if "cron" in config and not croniter.is_valid(config["cron"]):
        return {"cron": "is no cron expression, such as */5 * * * *"}
    try:
        ZoneInfo(config["timezone"])
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return {"timezone": "is no time zone, such as Europe/Berlin"}


async def start(context):
    config = context.config
    due = dues(config, time.time())
    while context.get("n", 0) < config.get("times", float("inf")):
        at = next(due)
        if "every_s" in config and at < time.time() - config["every_s"]:
            due = dues(config, time.time())  # it stood still: go on from now
            continue
        await asyncio.sleep(at - time.time())
        n = context.get("n", 0) + 1
        context.set("n", n)
        stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        yield config.get("message", {"n": n, "time": stamp})


def dues(config, begin):
    """When a message is due, in seconds since 1970; with `every_s` the first one is at once."""
    if "cron" in config:
        zone = ZoneInfo(config["timezone"])
        cron = croniter(config["cron"], datetime.fromtimestamp(begin, zone))
        while True:
            yield cron.get_next(float)
    n = 0
    while True:
        yield begin + n * config["every_s"]
        n += 1
