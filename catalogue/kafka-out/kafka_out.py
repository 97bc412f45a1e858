"""Produces each message to a Kafka topic and waits until the brokers have it."""

import json
import zlib

from confluent_kafka import KafkaError, KafkaException, Producer

FINAL = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.TOPIC_EXCEPTION, KafkaError.INVALID_RECORD}
producer = None
broken = []


class PermanentError(Exception):
    """No new try mends it, so the runner makes none."""


def check_config(config):
    try:
        Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0, **config["more"]})
    except (KafkaException, TypeError, ValueError) as error:
        return {
            "more": f"is not taken by librdkafka: {error.args[0].str() if isinstance(error, KafkaException) else error}"
        }


def start(context):
    global producer
    config = context.config
    producer = Producer(
        {"bootstrap.servers": config["servers"], "enable.idempotence": True, "linger.ms": 0,
         "delivery.timeout.ms": 30_000, "log_level": 0,
         "error_cb": said, **config["more"]}
    )  # fmt: skip


def run(message, context):
    config, failed = context.config, []
    key = json.dumps(field(message, config["key"])).encode() if "key" in config else None
    body = encoded(message)
    headers = {"message-id": f"{context.flow_id}/{identity(message, context)}"}
    broken.clear()
    try:
        producer.produce(config["topic"], body, key, headers=headers, on_delivery=lambda error, _: failed.append(error))
        producer.flush()
    except KafkaException as error:
        failed.append(error.args[0])
    if not failed or failed[0] is not None:  # `==` of its errors and None breaks the interpreter
        why = "; ".join(dict.fromkeys(error.str() for error in [*failed, *broken[:1]]))
        kind = PermanentError if any(error.code() in FINAL for error in failed) else ConnectionError
        raise kind(f"{config['topic']}: {why or 'it was not delivered'}")


def said(error):
    """What librdkafka meets on its way: the first of it is told when a message fails."""
    if len(broken) < 10:
        broken.append(error)


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


def stop(context):
    producer.flush(5)


def field(message, path):
    for name in path.split("."):
        if not isinstance(message, dict) or name not in message:
            raise PermanentError(f"the message has no field {path}")
        message = message[name]
    return message
