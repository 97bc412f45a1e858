"""The entries of Redis streams. The id of the last one is in the context, so no consumer group is needed."""

import redis.asyncio as redis


def check_config(config):
    try:
        redis.from_url(config["url"])
    except ValueError as error:
        return {"url": f"is no address of a Redis server: {error}"}


async def start(context):
    config = context.config
    client = redis.from_url(config["url"])
    try:
        while True:
            places = {name: context.get(name, "0" if config["from_begin"] else "$") for name in config["streams"]}
            for name, place in places.items():
                if place == "$":  # from now on
                    last = await client.xrevrange(name, count=1)
                    places[name] = last[0][0].decode() if last else "0"
                    context.set(name, places[name])
            for stream, entries in await client.xread(places, count=1000, block=1000):
                for id, fields in entries:
                    name, values = stream.decode(), {key.decode(errors="replace"): text(fields[key]) for key in fields}
                    context.set(name, id.decode())
                    yield {"stream": name, "id": id.decode(), "fields": values}
    except redis.RedisError as error:
        about = client.connection_pool.connection_kwargs
        at = about.get("path") or f"{about.get('host', 'localhost')}:{about.get('port', 6379)}"
        kind = ConnectionError if isinstance(error, (redis.ConnectionError, redis.TimeoutError)) else RuntimeError
        raise kind(f"Redis at {at}: {error or type(error).__name__}") from None
    finally:
        await client.aclose()


def text(data):
    """What is no UTF-8 is bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
