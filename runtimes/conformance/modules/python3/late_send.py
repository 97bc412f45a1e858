# mypy: ignore-errors
import asyncio

tasks = []


async def later(context, message):
    await asyncio.sleep(0.001)
    await context.send("late", message)


async def run(message, context):
    tasks.append(asyncio.create_task(later(context, message)))
    return "at once"
