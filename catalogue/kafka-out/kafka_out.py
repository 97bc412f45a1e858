"""Produces each message to a Kafka topic and waits until the brokers have it."""

import json

from confluent_kafka import KafkaException, Producer

producer = None


def start(context):
    global producer
    config = context.config
    producer = Producer(
        {"bootstrap.servers": config["servers"], "enable.idempotence": True, "linger.ms": 0,
         "delivery.timeout.ms": 30_000, **config["more"]}
    )  # fmt: skip


def run(message, context):
    config, failed = context.config, []
    key = json.dumps(field(message, config["key"])).encode() if "key" in config else None
    body = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
    producer.produce(
        config["topic"],
        body,
        key,
        headers={"message-id": f"{context.flow_id}/{context.message_id}"},
        on_delivery=lambda error, _: failed.append(error),
    )
    producer.flush()
    if failed != [None]:
        raise KafkaException(failed[0] if failed else "it was not delivered")


def stop(context):
    producer.flush(5)


def field(message, path):
    for name in path.split("."):
        message = message[name]
    return message
