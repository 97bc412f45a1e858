"""Publishes each message to an MQTT 5 broker and waits until it is taken."""

import json
import queue
import re
import zlib

from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers
from paho.mqtt.reasoncodes import ReasonCode

FINAL = {0x90, 0x99}  # reason codes: neither this topic nor this payload is ever taken
client = largest = None
answers = {}  # what the broker said, by the packet's number


class PermanentError(Exception):
    """No new try mends it, so the runner makes none."""


class Client(mqtt.Client):
    """With qos 2, paho takes a refusal for published: https://github.com/eclipse-paho/paho.mqtt.python/issues/895"""

    def _handle_pubrec(self):
        packet = self._in_packet["packet"]
        number, code = int.from_bytes(packet[:2], "big"), [*packet, 0][2]
        reason = ReasonCode(PacketTypes.PUBREC, identifier=code)
        with self._out_message_mutex:
            if reason.is_failure and number in self._out_messages:
                return self._do_on_publish(number, reason, None)
        return super()._handle_pubrec()


def check_config(config):
    if {*"#+"} & {*config["topic"]}:
        return {"topic": "has + or #, which nothing can be published to"}


def run(message, context):
    global client
    config = context.config
    if client is None or not client.is_connected():
        client = connected(config, context)
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = ("message-id", f"{context.flow_id}/{identity(message, context)}")
    topic, body = filled(config["topic"], message), encoded(message)
    if not topic or {*"+#\0"} & {*topic} or len(topic.encode()) > 0xFFFF:
        raise PermanentError(f"nothing can be published to the topic {json.dumps(topic)[:300]}")
    if largest is not None and packed(topic, body, properties, config["qos"]) > largest:
        raise PermanentError(f"the message has {len(body)} bytes, the broker takes {largest} with topic and properties")
    sent = client.publish(topic, body, config["qos"], config["retain"], properties)
    sent.wait_for_publish(config["timeout_s"])
    if not sent.is_published():
        raise TimeoutError(f"the broker has not taken it within {config['timeout_s']} s")
    reason = answers.pop(sent.mid)
    if reason.is_failure:
        raise (PermanentError if reason.value in FINAL else RuntimeError)(f"the broker does not take it: {reason}")


def encoded(message):
    if isinstance(message, bytes):
        return message
    try:
        return (message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)).encode()
    except (TypeError, ValueError) as error:
        raise PermanentError(f"the message cannot be written as JSON: {error}") from None


def packed(topic, body, properties, qos):
    """The bytes of the packet: who sends more than the broker takes is disconnected."""
    rest = 2 + len(topic.encode()) + (2 if qos else 0) + len(properties.pack()) + len(body)
    return 1 + len(VariableByteIntegers.encode(rest)) + rest


def identity(message, context):
    """The same when a message comes again. A number that was given to another one, which died with its runner, is not
    enough: what it says counts, too.
    """
    text = json.dumps(message, sort_keys=True, default=repr)
    return f"{context.message_id} {zlib.crc32(text.encode()):08x}"


def stop(context):
    if client is not None:
        client.disconnect()
        client.loop_stop()


def connected(config, context):
    global largest
    stop(context)
    made = Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    if "user" in config:
        made.username_pw_set(config["user"], config.get("password"))
    if config["tls"]:
        made.tls_set()
    met = queue.Queue()
    made.on_connect = lambda _client, _data, _flags, reason, properties: met.put((reason, properties))
    made.on_publish = lambda _client, _data, number, reason, _properties: answers.update({number: reason})
    try:
        made.connect(config["host"], config["port"])
    except OSError as error:
        raise ConnectionError(f"no broker at {config['host']}:{config['port']}: {error.strerror or error}") from None
    made.loop_start()
    try:
        reason, properties = met.get(timeout=config["timeout_s"])
    except queue.Empty:
        made.loop_stop()
        raise TimeoutError(f"the broker has not answered within {config['timeout_s']} s") from None
    if reason.is_failure:
        made.disconnect()
        made.loop_stop()
        raise ConnectionError(f"the broker refuses: {reason}")
    largest = getattr(properties, "MaximumPacketSize", None)
    return made


def filled(text, message):
    """{a.b} in the topic is that field of the message."""
    return re.sub(r"\{([\w.]+)\}", lambda found: str(field(message, found[1])), text)


def field(message, path):
    for name in path.split("."):
        if not isinstance(message, dict) or name not in message:
            raise PermanentError(f"the message has no field {path}")
        message = message[name]
    return message
