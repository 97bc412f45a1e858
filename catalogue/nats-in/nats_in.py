"""The messages of a JetStream stream. The number of the last one is in the context: no durable consumer is needed."""

import json

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy


async def start(context):
    config = context.config
    async with await nats.connect(config["url"]) as client:
        stream = client.jetstream()
        last = context.get("last", 0)
        where = {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": last + 1}
        if not last:
            where = {"deliver_policy": DeliverPolicy.ALL if config["from_begin"] else DeliverPolicy.NEW}
        messages = await stream.subscribe(
            config["subject"], stream=config["stream"], ordered_consumer=True, config=ConsumerConfig(**where)
        )
        async for message in messages.messages:
            context.set("last", message.metadata.sequence.stream)
            yield {
                "subject": message.subject,
                "value": parsed(message.data),
                "sequence": message.metadata.sequence.stream,
            }


def parsed(data):
    """JSON, else text, else bytes."""
    try:
        return json.loads(data)
    except ValueError:
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data
