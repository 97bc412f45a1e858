"""The records of Kafka topics. The offsets are in the context, so no consumer group keeps them."""

import json

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition


def start(context):
    config = context.config
    begin = OFFSET_BEGINNING if config["from_begin"] else OFFSET_END
    consumer = Consumer(
        {
            "bootstrap.servers": config["servers"], "group.id": f"{context.flow_id}-{context.module_id}",
            "enable.auto.commit": False, "isolation.level": "read_committed", **config["more"],
        }
    )  # fmt: skip
    try:
        known = consumer.list_topics(timeout=30).topics
        places = [
            TopicPartition(topic, number, context.get(f"{topic}/{number}", begin))
            for topic in config["topics"]
            for number in (known[topic].partitions if topic in known else {})
        ]
        if not places:
            raise LookupError(f"there is no topic {', '.join(config['topics'])}")
        consumer.assign(places)
        while True:
            for record in consumer.consume(1000, timeout=0.5):
                if record.error():
                    raise KafkaException(record.error())
                context.set(f"{record.topic()}/{record.partition()}", record.offset() + 1)
                yield {
                    "topic": record.topic(), "partition": record.partition(), "offset": record.offset(),
                    "key": parsed(record.key()), "value": parsed(record.value()),
                }  # fmt: skip
    finally:
        consumer.close()


def parsed(data):
    """JSON, else text, else bytes."""
    try:
        return None if data is None else json.loads(data)
    except ValueError:
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data
