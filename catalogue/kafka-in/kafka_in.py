"""The records of Kafka topics. The offsets are in the context, so no consumer group keeps them."""

import codecs

import flow
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition


def check_config(config):
    try:
        Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "check", "log_level": 0, **config["more"]}).close()
    except (KafkaException, TypeError, ValueError) as error:
        return {
            "more": f"is not taken by librdkafka: {error.args[0].str() if isinstance(error, KafkaException) else error}"
        }


def start(context):
    config, broken = context.config, []
    begin = OFFSET_BEGINNING if config["from_begin"] else OFFSET_END
    consumer = Consumer(
        {
            "bootstrap.servers": config["servers"], "group.id": f"{context.flow_id}-{context.module_id}",
            "enable.auto.commit": False, "isolation.level": "read_committed", "log_level": 0,
            "auto.offset.reset": "earliest",  # where we were is no more: with what is left, not behind it
            "error_cb": broken.append, **config["more"],
        }
    )  # fmt: skip
    try:
        try:
            known = consumer.list_topics(timeout=30).topics
        except KafkaException as error:
            why = broken[0] if broken else error.args[0]
            raise ConnectionError(f"no Kafka broker at {config['servers']}: {why.str()}") from None
        broken.clear()
        places = [
            TopicPartition(topic, number, context.get(f"{topic}/{number}", begin))
            for topic in config["topics"]
            for number in (known[topic].partitions if topic in known else {})
        ]
        missing = [topic for topic in config["topics"] if topic not in known or not known[topic].partitions]
        if missing:
            raise LookupError(f"there is no topic {', '.join(missing)}")
        consumer.assign(places)
        while True:
            for record in consumer.consume(1000, timeout=0.5):
                if record.error():
                    raise ConnectionError(f"{record.topic()}: {record.error().str()}")
                context.set(f"{record.topic()}/{record.partition()}", record.offset() + 1)
                yield {
                    "topic": record.topic(), "partition": record.partition(), "offset": record.offset(),
                    "key": parsed(record.key()), "value": parsed(record.value()),
                }  # fmt: skip
            if any(error.code() == KafkaError._ALL_BROKERS_DOWN for error in broken):
                raise ConnectionError(f"no Kafka broker at {config['servers']} any more: {broken[0].str()}")
            broken.clear()
    finally:
        consumer.close()


def parsed(data):
    """JSON, else text, else bytes."""
    try:
        return None if data is None else flow.parse_json(data.removeprefix(codecs.BOM_UTF8))
    except ValueError:
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data
