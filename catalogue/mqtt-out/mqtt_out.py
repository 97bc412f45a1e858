"""Publishes each message to an MQTT 5 broker and waits until it is taken."""

import json
import re

from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

client = None


def run(message, context):
    global client
    config = context.config
    if client is None or not client.is_connected():
        client = connected(config, context)
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = ("message-id", f"{context.flow_id}/{context.message_id}")
    body = message if isinstance(message, (bytes, str)) else json.dumps(message, ensure_ascii=False)
    sent = client.publish(filled(config["topic"], message), body, config["qos"], config["retain"], properties)
    sent.wait_for_publish(config["timeout_s"])
    if not sent.is_published():
        raise TimeoutError(f"the broker has not taken it within {config['timeout_s']} s")


def stop(context):
    if client is not None:
        client.disconnect()
        client.loop_stop()


def connected(config, context):
    stop(context)
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    if "user" in config:
        made.username_pw_set(config["user"], config.get("password"))
    if config["tls"]:
        made.tls_set()
    made.connect(config["host"], config["port"])
    made.loop_start()
    return made


def filled(text, message):
    """{a.b} in the topic is that field of the message."""
    return re.sub(r"\{([\w.]+)\}", lambda found: str(field(message, found[1])), text)


def field(message, path):
    for name in path.split("."):
        message = message[name]
    return message
