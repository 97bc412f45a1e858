"""The messages of an AMQP queue (RabbitMQ). One is acknowledged when it is surely in the flow; what the broker then
sends again after a death is known by its id, which is in the context until then.
"""

import asyncio
import codecs
import logging
from urllib.parse import urlsplit

import aio_pika
import flow
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity
from pamqp.exceptions import AMQPInternalError

OPENED_S = 20  # a broker that is just starting takes a connection, and may not answer on it
LOOK_S = 2  # that the broker has ended our consumer is said to nobody


def check_config(config):
    if urlsplit(config["url"]).scheme not in ("amqp", "amqps"):
        return {"url": "is no address of an AMQP broker, amqp://USER:PASSWORD@HOST/VHOST"}


async def connected(url):
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # it is raised, too
    try:
        return await aio_pika.connect(url, timeout=OPENED_S)
    except AMQPInternalError:
        raise ConnectionError(f"{urlsplit(url).hostname} does not open the virtual host {urlsplit(url).path}") from None
    except (OSError, AMQPError) as error:
        raise ConnectionError(f"no connection to {urlsplit(url).hostname}: {error}") from None


async def consume(connection, config, take, closed):
    """The channel, and the tag of its consumer."""
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=config["prefetch"])
    queue = await channel.declare_queue(config["queue"], durable=True, passive=not config["declare"])
    channel.close_callbacks.add(closed)
    return channel, await queue.consume(take)


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

        def closed(_what, error):
            waiting.put_nowait(error or ConnectionError("closed"))

        connection.close_callbacks.add(closed)
        try:
            channel, tag = await asyncio.wait_for(consume(connection, config, waiting.put, closed), OPENED_S)
        except ChannelNotFoundEntity:
            raise LookupError(f"there is no queue {config['queue']}") from None
        except TimeoutError:
            raise ConnectionError(f"{urlsplit(config['url']).hostname} does not answer") from None
        acknowledging = asyncio.create_task(acknowledge())
        try:
            while True:
                try:
                    message = await asyncio.wait_for(waiting.get(), LOOK_S)
                except TimeoutError:
                    if tag in (await channel.get_underlay_channel()).consumers:
                        continue
                    raise ConnectionError("the broker has ended the consumer") from None
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
        return flow.parse_json(body.removeprefix(codecs.BOM_UTF8))
    except ValueError:
        try:
            return body.decode()
        except UnicodeDecodeError:
            return body
