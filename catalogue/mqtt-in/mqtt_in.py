"""What is published to topics of an MQTT 5 broker. A message is acknowledged when it is surely in the flow; what the
broker then sends again after a death is known by its number, which is in the context until then.
"""

import asyncio
import codecs
import zlib

import flow
from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def check_config(config):
    for topic in config["topics"]:
        levels = topic.split("/")
        if any({*level} & {*"#+"} and len(level) > 1 for level in levels) or "#" in levels[:-1]:
            return {"topics": f"has {topic!r}: + stands for a whole level, # for all that is left"}


async def start(context):
    config, loop, waiting = context.config, asyncio.get_running_loop(), asyncio.Queue()
    client = connected(config, context, lambda item: loop.call_soon_threadsafe(waiting.put_nowait, item))
    before = {key: context.get(key) for key in context.keys()}  # taken before, and perhaps not acknowledged
    filters = [topic.split("/", 2)[2] if topic.startswith("$share/") else topic for topic in config["topics"]]
    taken, done = asyncio.Queue(), []

    async def acknowledge():
        while True:
            message = await taken.get()
            await context.committed()
            client.ack(message.mid, message.qos)
            done.append(f"m {message.mid}")

    acknowledging = asyncio.create_task(acknowledge())
    try:
        while True:
            message = await waiting.get()
            if isinstance(message, Exception):
                raise message
            if not any(mqtt.topic_matches_sub(topic, message.topic) for topic in filters):
                client.ack(message.mid, message.qos)  # the broker goes on with what was asked for before
                continue
            key, mark = f"m {message.mid}", zlib.crc32(message.topic.encode() + message.payload)
            if message.qos and message.dup and before.pop(key, None) == mark:
                client.ack(message.mid, message.qos)
                continue
            for old in done:
                context.delete(old)
            done.clear()
            if message.qos:
                context.set(key, mark)
            yield {"topic": message.topic, "value": parsed(message.payload), "retained": bool(message.retain)}
            if message.qos:
                taken.put_nowait(message)
    finally:
        acknowledging.cancel()
        client.disconnect()
        client.loop_stop()


def connected(config, context, put):
    name = config.get("client_id", f"{context.flow_id}-{context.module_id}")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, manual_ack=True)
    if "user" in config:
        client.username_pw_set(config["user"], config.get("password"))
    if config["tls"]:
        client.tls_set()

    def on_connect(client, _data, _flags, reason, _properties):
        if reason.is_failure:
            put(ConnectionError(f"the broker refuses: {reason}"))
        else:
            client.subscribe([(topic, mqtt.SubscribeOptions(qos=config["qos"])) for topic in config["topics"]])

    def on_subscribe(_client, _data, _mid, reasons, _properties):
        for topic, reason in zip(config["topics"], reasons, strict=False):
            if reason.is_failure:
                put(PermissionError(f"the broker refuses the topic {topic}: {reason}"))

    client.on_connect, client.on_subscribe = on_connect, on_subscribe
    client.on_message = lambda _client, _data, message: put(message)
    client.on_disconnect = lambda _c, _d, _f, reason, _p: put(ConnectionError(f"the connection ended: {reason}"))
    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval, session.ReceiveMaximum = config["keep_s"], 10_000
    try:
        client.connect(config["host"], config["port"], clean_start=False, properties=session)
    except OSError as error:
        raise ConnectionError(f"no broker at {config['host']}:{config['port']}: {error.strerror or error}") from None
    client.loop_start()
    return client


def parsed(payload):
    """JSON, else text, else bytes."""
    try:
        return flow.parse_json(payload.removeprefix(codecs.BOM_UTF8))
    except ValueError:
        try:
            return payload.decode()
        except UnicodeDecodeError:
            return payload
