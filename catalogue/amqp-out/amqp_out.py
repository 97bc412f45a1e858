"""Publishes each message to an AMQP exchange or queue (RabbitMQ) and waits until the broker has it."""

import asyncio
import contextlib
import json
import logging
import re
import uuid
import zlib
from urllib.parse import urlsplit

import aio_pika
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, ChannelPreconditionFailed, PublishError
from pamqp.exceptions import AMQPInternalError

OPENED_S = 20  # a broker that is just starting takes a connection, and may not answer on it
CONFIRMED_S = 10

connection = channel = None


class PermanentError(Exception):
    """No new try mends it, so the runner makes none."""


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


async def opened(config):
    """A connection, and a channel of it that can be used."""
    fresh = await connected(config["url"])
    try:
        found = await fresh.channel(publisher_confirms=True, on_return_raises=True)
        if config["declare"] and not config["exchange"]:
            await found.declare_queue(config["routing_key"], durable=True)
    except BaseException:
        await close(fresh)
        raise
    return fresh, found


async def close(broken):
    with contextlib.suppress(Exception):  # whatever state it is in, and if there is none
        await asyncio.wait_for(broken.close(), 1)


async def start(context):
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    context.set("life", context.get("life") or uuid.uuid4().hex)


async def run(message, context):
    global connection, channel
    config = context.config
    if connection is None or connection.is_closed or channel.is_closed:
        await close(connection)
        try:
            connection, channel = await asyncio.wait_for(opened(config), OPENED_S)
        except TimeoutError:
            raise ConnectionError(f"{urlsplit(config['url']).hostname} does not answer") from None
    named = config["exchange"]
    try:
        exchange = await channel.get_exchange(named) if named else channel.default_exchange
    except ValueError as error:
        raise PermanentError(str(error)) from None
    except ChannelNotFoundEntity:
        raise LookupError(f"there is no exchange {named}") from None
    sent = aio_pika.Message(
        encoded(message),
        message_id=f"{context.get('life')}/{identity(message, context)}",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        content_type="application/octet-stream" if isinstance(message, bytes) else "application/json",
    )
    key = filled(config["routing_key"], message)
    if len(key.encode()) > 255:
        raise PermanentError(f"the key has more than 255 bytes: {key[:300]}")
    try:
        await asyncio.wait_for(exchange.publish(sent, key), CONFIRMED_S)  # its own limit ends where it is written
    except TimeoutError:
        await close(connection)
        connection = None
        raise ConnectionError(f"{urlsplit(config['url']).hostname} does not confirm a message") from None
    except ChannelPreconditionFailed as error:  # it is too large
        raise PermanentError(f"{urlsplit(config['url']).hostname} does not take it: {error}") from None
    except PublishError:
        raise LookupError(f"there is no queue that takes the key {key}") from None


def encoded(message):
    try:
        return message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise PermanentError(f"the message cannot be written as JSON: {error}") from None


def identity(message, context):
    """The same when a message comes again. A number that was given to another one, which died with its runner, is not
    enough: what it says counts, too.
    """
    text = json.dumps(message, sort_keys=True, default=repr)
    return f"{context.message_id} {zlib.crc32(text.encode()):08x}"


async def stop(context):
    await close(connection)


def filled(text, message):
    """{a.b} in the key is that field of the message."""
    return re.sub(r"\{([\w.]+)\}", lambda found: str(field(message, found[1])), text)


def field(message, path):
    for name in path.split("."):
        if not isinstance(message, dict) or name not in message:
            raise PermanentError(f"the message has no field {path}")
        message = message[name]
    return message
