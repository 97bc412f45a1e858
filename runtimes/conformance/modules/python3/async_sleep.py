# mypy: ignore-errors
import asyncio


async def run(message, context):
    await asyncio.sleep(message["ms"] / 1000)
    if message.get("bad"):
        raise ValueError("no bad messages")
    context.send("out", context.message_id)
    return message["ms"]
