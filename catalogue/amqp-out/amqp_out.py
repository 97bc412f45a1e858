"""Publishes each message to an AMQP exchange or queue (RabbitMQ) and waits until the broker has it."""

import json
import re
import uuid

import aio_pika

connection = channel = None


async def start(context):
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    context.set("life", context.get("life") or uuid.uuid4().hex)


async def run(message, context):
    global connection, channel
    config = context.config
    if connection is None or connection.is_closed or channel.is_closed:
        connection = await aio_pika.connect(config["url"])
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        if config["declare"] and not config["exchange"]:
            await channel.declare_queue(config["routing_key"], durable=True)
    named = config["exchange"]
    exchange = await channel.get_exchange(named) if named else channel.default_exchange
    body = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
    sent = aio_pika.Message(
        body,
        message_id=f"{context.get('life')}/{context.message_id}",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        content_type="application/octet-stream" if isinstance(message, bytes) else "application/json",
    )
    await exchange.publish(sent, filled(config["routing_key"], message), timeout=10)


async def stop(context):
    if connection is not None:
        await connection.close()


def filled(text, message):
    """{a.b} in the key is that field of the message."""
    return re.sub(r"\{([\w.]+)\}", lambda found: str(field(message, found[1])), text)


def field(message, path):
    for name in path.split("."):
        message = message[name]
    return message
