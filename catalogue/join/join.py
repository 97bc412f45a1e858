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
        dues = {place: context.get(place)[0]["due"] for place in context.keys()}
        if not dues:
            await changed.wait()
            continue
        place = min(dues, key=dues.get)
        if dues[place] > time.time():
            await asyncio.sleep(dues[place] - time.time())
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
