"""Adds each message to a Redis stream, once: its id is kept beside the stream for a while, set in the same step."""

import json
import uuid
import zlib

import redis

ADD = """
if redis.call('SET', KEYS[2], 1, 'NX', 'EX', ARGV[1]) then
  return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 3))
end
"""
client = add = None


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
        raise type(error)(*error.args) from None


def identity(message, context):
    """The same when a message comes again. A number that was given to another one, which died with its runner, is not
    enough: what it says counts, too.
    """
    text = json.dumps(message, sort_keys=True, default=repr)
    return f"{context.message_id} {zlib.crc32(text.encode()):08x}"


def stop(context):
    client.close()


def text(value):
    return value if isinstance(value, (str, bytes)) else json.dumps(value, ensure_ascii=False)
