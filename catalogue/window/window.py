"""Figures of what falls into the same window of time: tumbling, sliding, or sessions; of each key.

In the context: of each key its open windows, and `next`, when the first of them all is over.
"""

import asyncio
import json
import math
import time
from datetime import UTC, datetime

changed = asyncio.Event()


def check_config(config):
    if config["kind"] == "sliding" and config["slide_s"] > config["size_s"]:
        return {
            "slide_s": f"is more than `size_s` ({config['size_s']}): what comes between two windows would be in none"
        }


async def run(message, context):
    config = context.config
    at = seconds(field(message, config["time"])) if "time" in config else time.time()
    high = max(context.get("high", -1e300), at - config["lateness_s"])
    context.set("high", high)
    key = field(message, config["key"]) if "key" in config else None
    name = f"w {json.dumps(key, sort_keys=True)}"
    open_ones = context.get(name, [])
    one = {"key": key, "count": 1}
    if "value" in config:
        value = field(message, config["value"])
        if type(value) not in (int, float):
            raise TypeError(f"{config['value']} is no number: {json.dumps(value, default=repr)[:80]}")
        one |= {"sum": value, "min": value, "max": value}
    is_late = True
    for begin, end in windows(at, config):
        if end > high:
            is_late = False
            open_ones = added(open_ones, {"start": begin, "end": end, **one}, config["kind"])
    if is_late:  # its windows have been sent
        context.send("late", message)
        return
    context.set(name, open_ones)
    context.set("next", min(context.get("next", math.inf), *(window["end"] for window in open_ones)))
    if "time" in config:
        send_due(context, high)
    changed.set()


async def start(context):
    """The clock of windows by arrival: those of event time are ended by messages."""
    while "time" not in context.config:
        changed.clear()
        wait_s = context.get("next", math.inf) - time.time()
        if wait_s == math.inf:
            await changed.wait()
        elif wait_s > 0:
            await asyncio.sleep(wait_s)
        else:
            send_due(context, time.time())
            yield None


def stop(context):
    if context.config["at_stop"] == "send":
        send_due(context, math.inf)


def windows(at, config):
    """The begin and end of each window that a time is in."""
    if config["kind"] == "session":
        return [(at, at + config["gap_s"])]
    size = config["size_s"]
    step = config["slide_s"] if config["kind"] == "sliding" else size
    last = math.floor(at / step)
    begins = (index * step for index in range(last - math.ceil(size / step) + 1, last + 1))
    return [(begin, begin + size) for begin in begins if begin <= at < begin + size]


def added(open_ones, one, kind):
    """The windows with one more; a session takes in those that it touches."""
    rest = []
    for other in open_ones:
        if kind == "session" and other["start"] <= one["end"] and one["start"] <= other["end"]:
            start, end = min(one["start"], other["start"]), max(one["end"], other["end"])
            one = merged(other, one) | {"start": start, "end": end}
        elif kind != "session" and other["start"] == one["start"]:
            one = merged(other, one)
        else:
            rest.append(other)
    return [*rest, one]


def merged(one, other):
    how = {"count": int.__add__, "sum": lambda a, b: a + b, "min": min, "max": max}
    return one | {name: how[name](one[name], other[name]) for name in how if name in one}


def send_due(context, now):
    """The windows that are over by now, oldest first; they are forgotten."""
    if context.get("next", math.inf) > now:
        return
    over, left = [], []
    for name in [name for name in context.keys() if name.startswith("w ")]:
        mine = context.get(name)
        over += [window for window in mine if window["end"] <= now]
        rest = [window for window in mine if window["end"] > now]
        left += rest
        if not rest:
            context.delete(name)
        elif len(rest) < len(mine):
            context.set(name, rest)
    for window in sorted(over, key=lambda window: (window["end"], json.dumps(window["key"]))):
        context.send("out", window | ({"mean": window["sum"] / window["count"]} if "sum" in window else {}))
    if left:
        context.set("next", min(window["end"] for window in left))
    else:
        context.delete("next")


def seconds(value):
    """A time in seconds since 1970, or as ISO 8601; without a zone it is UTC, on whatever machine."""
    if isinstance(value, (int, float)):
        return float(value)
    at = datetime.fromisoformat(value)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def field(message, path):
    for name in path.split("."):
        if not isinstance(message, dict) or name not in message:
            raise LookupError(f"the message has no field {path}")
        message = message[name]
    return message
