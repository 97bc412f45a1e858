"""The messages of an AMQP queue (RabbitMQ). One is acknowledged when it is surely in the flow; what the broker then
sends again after a death is known by its id, which is in the context until then.
"""

import asyncio
import json
from collections import deque

import aio_pika

COMMITTED_S = 0.2  # a host commits within 0.01 s, a journal within 0.1 s


async def start(context):
    config, loop, waiting = context.config, asyncio.get_running_loop(), asyncio.Queue()
    taken = set(context.keys())  # before, and perhaps not acknowledged
    unacknowledged, done = deque(), []

    async def acknowledge():
        while unacknowledged and unacknowledged[0][1] <= loop.time() - COMMITTED_S:
            message, _ = unacknowledged.popleft()
            await message.ack()
            done.append(f"m {message.message_id}")

    async with await aio_pika.connect(config["url"]) as connection:
        connection.close_callbacks.add(
            lambda _connection, error: waiting.put_nowait(error or ConnectionError("closed"))
        )
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=config["prefetch"])
        queue = await channel.declare_queue(config["queue"], durable=True, passive=not config["declare"])
        await queue.consume(waiting.put)
        while True:
            try:
                message = await asyncio.wait_for(waiting.get(), 0.1 if unacknowledged else None)
            except TimeoutError:
                await acknowledge()
                continue
            if isinstance(message, BaseException):
                raise message
            key = f"m {message.message_id}"
            if message.redelivered and message.message_id and key in taken:
                await message.ack()
                continue
            for old in done:
                context.delete(old)
            done.clear()
            if message.message_id:
                context.set(key, True)
            yield {"value": parsed(message.body), "routing_key": message.routing_key, "id": message.message_id}
            unacknowledged.append((message, loop.time()))
            await acknowledge()


def parsed(body):
    """JSON, else text, else bytes."""
    try:
        return json.loads(body)
    except ValueError:
        try:
            return body.decode()
        except UnicodeDecodeError:
            return body
