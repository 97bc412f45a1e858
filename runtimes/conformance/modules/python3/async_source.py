# mypy: ignore-errors
import asyncio


async def start(context):
    i = context.get("i", 0)
    while i < context.config["n"]:
        await asyncio.sleep(0)
        i += 1
        context.set("i", i)
        yield i
