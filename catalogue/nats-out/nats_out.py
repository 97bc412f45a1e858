"""Publishes each message to a JetStream stream, with its id, by which the server knows one that comes again."""

import json
import re
import uuid
import zlib

import nats
import nats.errors
from nats.js.errors import NoStreamResponseError

client = None


async def start(context):
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    context.set("life", context.get("life") or uuid.uuid4().hex)


async def run(message, context):
    global client
    config = context.config
    if client is None or client.is_closed:
        client = await connected(config["url"])
    body = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
    id = f"{context.get('life')}/{identity(message, context)}"
    subject = filled(config["subject"], message)
    try:
        await client.jetstream().publish(subject, body, timeout=10, headers={"Nats-Msg-Id": id})
    except NoStreamResponseError:
        raise LookupError(f"there is no stream that takes the subject {subject}") from None


async def connected(url):
    """It does not try again by itself: the runner does, and says so."""
    met = []

    async def meet(error):
        met.append(error)

    try:
        return await nats.connect(
            url, allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0.1, error_cb=meet
        )
    except (OSError, TimeoutError, nats.errors.Error) as error:
        why = met[0] if met else error
        raise ConnectionError(f"no connection to the NATS server: {why or type(why).__name__}") from None


def identity(message, context):
    """The same when a message comes again. A number that was given to another one, which died with its runner, is not
    enough: what it says counts, too.
    """
    text = json.dumps(message, sort_keys=True, default=repr)
    return f"{context.message_id} {zlib.crc32(text.encode()):08x}"


async def stop(context):
    if client is not None:
        await client.close()


def filled(text, message):
    """{a.b} in the subject is that field of the message."""
    return re.sub(r"\{([\w.]+)\}", lambda found: str(field(message, found[1])), text)


def field(message, path):
    for name in path.split("."):
        if not isinstance(message, dict) or name not in message:
            raise LookupError(f"the message has no field {path}")
        message = message[name]
    return message
