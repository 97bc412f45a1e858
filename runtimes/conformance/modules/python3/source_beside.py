# mypy: ignore-errors
import asyncio

awake = asyncio.Event()


async def run(message, context):
    if message["wake"]:
        awake.set()
        await asyncio.sleep(0.05)
    else:
        context.set("n", context.get("n", 0) + 1)
    return message


async def start(context):
    while True:
        await awake.wait()
        awake.clear()
        await asyncio.sleep(context.config["ms"] / 1000)
        taken = context.get("n", 0)
        context.set("n", 0)
        context.log("info", "taken")
        yield {"wake": False, "ms": taken}
