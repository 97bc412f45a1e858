"""Publishes each message to an AMQP exchange or queue (RabbitMQ) and waits until the broker has it."""

import json
import logging
import re
import uuid
import zlib
from urllib.parse import urlsplit

import aio_pika
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, PublishError
from pamqp.exceptions import AMQPInternalError

connection = channel = None


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
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    context.set("life", context.get("life") or uuid.uuid4().hex)


async def run(message, context):
    global connection, channel
    config = context.config
    if connection is None or connection.is_closed or channel.is_closed:
        connection = await connected(config["url"])
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        if config["declare"] and not config["exchange"]:
            await channel.declare_queue(config["routing_key"], durable=True)
    named = config["exchange"]
    try:
        exchange = await channel.get_exchange(named) if named else channel.default_exchange
    except ChannelNotFoundEntity:
        raise LookupError(f"there is no exchange {named}") from None
    body = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
    sent = aio_pika.Message(
        body,
        message_id=f"{context.get('life')}/{identity(message, context)}",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        content_type="application/octet-stream" if isinstance(message, bytes) else "application/json",
    )
    key = filled(config["routing_key"], message)
    try:
        await exchange.publish(sent, key, timeout=10)
    except PublishError:
        raise LookupError(f"there is no queue that takes the key {key}") from None


def identity(message, context):
    """The same when a message comes again. A number that was given to another one, which died with its runner, is not
    enough: what it says counts, too.
    """
    text = json.dumps(message, sort_keys=True, default=repr)
    return f"{context.message_id} {zlib.crc32(text.encode()):08x}"


async def stop(context):
    if connection is not None:
        await connection.close()


def filled(text, message):
    """{a.b} in the key is that field of the message."""
    return re.sub(r"\{([\w.]+)\}", lambda found: str(field(message, found[1])), text)


def field(message, path):
    for name in path.split("."):
        if not isinstance(message, dict) or name not in message:
            raise LookupError(f"the message has no field {path}")
        message = message[name]
    return message
