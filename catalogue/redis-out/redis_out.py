"""Adds each message to a Redis stream, once: its id is kept beside the stream for a while, set in the same step."""

import json
import uuid
import zlib

import redis

ADD = """
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 3))
  redis.call('SET', KEYS[2], 1, 'EX', ARGV[1])
end
"""
client = add = None


class PermanentError(Exception):
    """No new try mends it, so the runner makes none."""


def check_config(config):
    try:
        redis.from_url(config["url"])
    except ValueError as error:
        return {"url": f"is no address of a Redis server: {error}"}


def start(context):
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    global client, add
    context.set("life", context.get("life") or uuid.uuid4().hex)
    client = redis.from_url(context.config["url"])
    add = client.register_script(ADD)


def run(message, context):
    config = context.config
    fields = message if isinstance(message, dict) and message else {"value": message}
    words = [word for name, value in fields.items() for word in (name, text(value))]
    taken = f"{{{config['stream']}}}:taken:{context.get('life')}:{identity(message, context)}"
    try:
        add(keys=[config["stream"], taken], args=[config["remember_s"], config["keep"], *words])
    except redis.RedisError as error:
        about = client.connection_pool.connection_kwargs
        at = about.get("path") or f"{about.get('host', 'localhost')}:{about.get('port', 6379)}"
        away = isinstance(error, (redis.ConnectionError, redis.TimeoutError))
        kind = PermanentError if "WRONGTYPE" in str(error) else ConnectionError if away else RuntimeError
        raise kind(f"Redis at {at}: {error or type(error).__name__}") from None


def identity(message, context):
    """The same when a message comes again. A number that was given to another one, which died with its runner, is not
    enough: what it says counts, too.
    """
    text = json.dumps(message, sort_keys=True, default=repr)
    return f"{context.message_id} {zlib.crc32(text.encode()):08x}"


def stop(context):
    client.close()


def text(value):
    try:
        return value if isinstance(value, (str, bytes)) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise PermanentError(f"the message cannot be written as JSON: {error}") from None
