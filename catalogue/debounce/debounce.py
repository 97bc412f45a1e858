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
        left_s = {key: context.get(key)["due"] - time.time() for key in context.keys()}
        if not left_s:
            await changed.wait()
            continue
        # More than `quiet_s` there cannot be: the clock was set back.
        key = min(left_s, key=lambda key: left_s[key] if left_s[key] <= context.config["quiet_s"] else 0)
        if 0 < left_s[key] <= context.config["quiet_s"]:
            await asyncio.sleep(left_s[key])
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
