# mypy: ignore-errors
import asyncio


async def run(message, context):
    n = context.get("n", 0) + 1
    await asyncio.sleep(0.001)
    context.set("n", n)
    return n
