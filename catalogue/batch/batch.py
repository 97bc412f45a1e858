"""Lists of so many messages; a list that has waited too long goes as it is."""

import asyncio
import time

changed = asyncio.Event()


async def run(message, context):
    size = context.get("size", 0)
    context.set(f"item {size}", message)
    context.set("size", size + 1)
    if size + 1 >= context.config["count"]:
        return taken(context)
    if size == 0:
        context.set("since", time.time())
        changed.set()


async def start(context):
    """The clock: sends what has waited for `wait_s`."""
    wait_s = context.config.get("wait_s")
    while wait_s is not None:
        left_s = context.get("since", 0) + wait_s - time.time()
        if not context.get("size", 0):
            changed.clear()
            await changed.wait()
        elif 0 < left_s <= wait_s:  # more there cannot be: the clock was set back
            await asyncio.sleep(left_s)
        else:
            yield taken(context)


def stop(context):
    if context.get("size", 0) and context.config["at_stop"] == "send":
        context.send("out", taken(context))


def taken(context):
    items = [context.get(f"item {index}") for index in range(context.get("size"))]
    for index in range(len(items)):
        context.delete(f"item {index}")
    context.set("size", 0)
    return items
