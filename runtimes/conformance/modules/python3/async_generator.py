# mypy: ignore-errors
import asyncio


async def run(message, context):
    for i in range(3):
        await asyncio.sleep(0)
        yield [message, i]
