"""Pairs of a left and a right message of the same key. One that has waited too long leaves by `unmatched`."""

import asyncio
import json
import time

changed = asyncio.Event()


async def run(message, context):
    side = context.port
    other = "right" if side == "left" else "left"
    key = field(message, context.config["key"])
    place = json.dumps(key, sort_keys=True)
    waiting = context.get(f"{other} {place}", [])
    if waiting:
        match, *rest = waiting
        keep(context, f"{other} {place}", rest)
        return {"key": key, side: message, other: match["message"]}
    mine = context.get(f"{side} {place}", [])
    keep(context, f"{side} {place}", [*mine, {"due": time.time() + context.config["within_s"], "message": message}])
    changed.set()


async def start(context):
    """The clock: who has waited for too long goes."""
    while True:
        changed.clear()
        left_s = {place: context.get(place)[0]["due"] - time.time() for place in context.keys()}
        if not left_s:
            await changed.wait()
            continue
        # More than `within_s` there cannot be: the clock was set back.
        place = min(left_s, key=lambda place: left_s[place] if left_s[place] <= context.config["within_s"] else 0)
        if 0 < left_s[place] <= context.config["within_s"]:
            await asyncio.sleep(left_s[place])
            continue
        first, *rest = context.get(place)
        keep(context, place, rest)
        side, _, key = place.partition(" ")
        context.send("unmatched", {"key": json.loads(key), side: first["message"]})
        yield None


def keep(context, place, waiting):
    if waiting:
        context.set(place, waiting)
    else:
        context.delete(place)


def field(message, path):
    for name in path.split("."):
        if not isinstance(message, dict) or name not in message:
            raise LookupError(f"the message has no field {path}")
        message = message[name]
    return message
