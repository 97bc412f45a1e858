"""Publishes each message to a JetStream stream, with its id, by which the server knows one that comes again."""

import json
import re
import uuid
import zlib

import nats
import nats.errors
from nats.js.errors import APIError, NoStreamResponseError

TOO_LARGE = 10054  # for the stream, by the numbers of JetStream
client = None


class PermanentError(Exception):
    """No new try mends it, so the runner makes none."""


async def start(context):
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    context.set("life", context.get("life") or uuid.uuid4().hex)


async def run(message, context):
    global client
    config = context.config
    if client is None or client.is_closed:
        client = await connected(config["url"])
    body = encoded(message)
    id = f"{context.get('life')}/{identity(message, context)}"
    subject = filled(config["subject"], message)
    if re.search(r"\s", subject) or {"", "*", ">"} & {*subject.split(".")}:
        raise PermanentError(f"nothing can be published to the subject {json.dumps(subject)}")
    if len(f"NATS/1.0\r\nNats-Msg-Id: {id}\r\n\r\n") + len(body) > client.max_payload:
        raise PermanentError(
            f"the message has {len(body)} bytes, the server takes {client.max_payload} with its headers"
        )
    try:
        await client.jetstream().publish(subject, body, timeout=10, headers={"Nats-Msg-Id": id})
    except NoStreamResponseError:
        raise LookupError(f"there is no stream that takes the subject {subject}") from None
    except APIError as error:
        kind = PermanentError if error.err_code == TOO_LARGE else RuntimeError
        raise kind(f"the stream does not take it: {error.description}") from None


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
    if client is not None:
        await client.close()


def filled(text, message):
    """{a.b} in the subject is that field of the message."""
    return re.sub(r"\{([\w.]+)\}", lambda found: str(field(message, found[1])), text)


def field(message, path):
    for name in path.split("."):
        if not isinstance(message, dict) or name not in message:
            raise PermanentError(f"the message has no field {path}")
        message = message[name]
    return message
