"""So many messages a second at most: the others wait, or go out by `dropped`."""

import asyncio
import time


async def run(message, context):
    config, now = context.config, time.time()
    gap = config["per_s"] / config["count"]
    due = max(context.get("due", 0), now - config["per_s"] + gap)  # what was not used lately may come at once
    due = min(due, now + gap)  # more there cannot be: the clock was set back
    if due > now:
        if config["above"] == "drop":
            context.send("dropped", message)
            return
        await asyncio.sleep(due - now)
    context.set("due", due + gap)
    context.send("out", message)
