"""The messages of an AMQP queue (RabbitMQ). One is acknowledged when it is surely in the flow; what the broker then
sends again after a death is known by its id, which is in the context until then.
"""

import asyncio
import json
import logging
from urllib.parse import urlsplit

import aio_pika
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity
from pamqp.exceptions import AMQPInternalError


def check_config(config):
    if urlsplit(config["url"]).scheme not in ("amqp", "amqps"):
        return {"url": "is no address of an AMQP broker, amqp://USER:PASSWORD@HOST/VHOST"}


async def connected(url):
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # it is raised, too
    try:
        return await aio_pika.connect(url)
    except AMQPInternalError:
        raise ConnectionError(f"{urlsplit(url).hostname} does not open the virtual host {urlsplit(url).path}") from None
    except (OSError, AMQPError) as error:
        raise ConnectionError(f"no connection to {urlsplit(url).hostname}: {error}") from None


async def start(context):
    config, waiting = context.config, asyncio.Queue()
    before = sorted(context.keys(), key=context.get)  # of what was taken: the last ones are perhaps not acknowledged
    number = context.get(before[-1]) if before else 0
    taken, done = asyncio.Queue(), before[: -config["prefetch"]]

    async def acknowledge():
        try:
            while True:
                message = await taken.get()
                await context.committed()
                await message.ack()
                done.append(f"m {message.message_id}")
        except Exception as error:  # of the connection
            waiting.put_nowait(error)

    async with await connected(config["url"]) as connection:
        connection.close_callbacks.add(
            lambda _connection, error: waiting.put_nowait(error or ConnectionError("closed"))
        )
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=config["prefetch"])
        try:
            queue = await channel.declare_queue(config["queue"], durable=True, passive=not config["declare"])
        except ChannelNotFoundEntity:
            raise LookupError(f"there is no queue {config['queue']}") from None
        await queue.consume(waiting.put)
        acknowledging = asyncio.create_task(acknowledge())
        try:
            while True:
                message = await waiting.get()
                if isinstance(message, BaseException):
                    raise message
                key = f"m {message.message_id}"
                if message.redelivered and message.message_id and key in before:
                    await message.ack()
                    continue
                for old in done:
                    context.delete(old)
                done.clear()
                if message.message_id:
                    number += 1
                    context.set(key, number)
                yield {"value": parsed(message.body), "routing_key": message.routing_key, "id": message.message_id}
                taken.put_nowait(message)
        finally:
            acknowledging.cancel()


def parsed(body):
    """JSON, else text, else bytes."""
    try:
        return json.loads(body)
    except ValueError:
        try:
            return body.decode()
        except UnicodeDecodeError:
            return body
