"""The last message, of each key, when it has been quiet for `quiet_s`."""

import asyncio
import time

changed = asyncio.Event()


async def run(message, context):
    key = str(field(message, context.config.get("key")))
    context.set(key, {"due": time.time() + context.config["quiet_s"], "message": message})
    changed.set()


async def start(context):
    """The clock: sends what was quiet for long enough."""
    while True:
        changed.clear()
        waiting = {key: context.get(key)["due"] for key in context.keys()}
        if not waiting:
            await changed.wait()
            continue
        key = min(waiting, key=waiting.get)
        if waiting[key] > time.time():
            await asyncio.sleep(min(waiting[key] - time.time(), context.config["quiet_s"]))
            continue
        message = context.get(key)["message"]
        context.delete(key)
        yield message


def stop(context):
    for key in context.keys() if context.config["at_stop"] == "send" else ():
        context.send("out", context.get(key)["message"])
        context.delete(key)


def field(message, path):
    for name in path.split(".") if path else ():
        if not isinstance(message, dict) or name not in message:
            raise LookupError(f"the message has no field {path}")
        message = message[name]
    return message if path else ""
