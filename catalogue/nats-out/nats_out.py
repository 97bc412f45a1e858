"""Publishes each message to a JetStream stream, with its id, by which the server knows one that comes again."""

import json
import re
import uuid

import nats

client = None


async def start(context):
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    context.set("life", context.get("life") or uuid.uuid4().hex)


async def run(message, context):
    global client
    config = context.config
    if client is None or client.is_closed:
        client = await nats.connect(config["url"])
    body = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
    id = f"{context.get('life')}/{context.message_id}"
    await client.jetstream().publish(filled(config["subject"], message), body, timeout=10, headers={"Nats-Msg-Id": id})


async def stop(context):
    if client is not None:
        await client.close()


def filled(text, message):
    """{a.b} in the subject is that field of the message."""
    return re.sub(r"\{([\w.]+)\}", lambda found: str(field(message, found[1])), text)


def field(message, path):
    for name in path.split("."):
        message = message[name]
    return message
