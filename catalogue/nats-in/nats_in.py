"""The messages of a JetStream stream. The number of the last one is in the context: no durable consumer is needed."""

import codecs

import flow
import nats
import nats.errors
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError


async def start(context):
    config = context.config
    async with await connected(config["url"]) as client:
        stream = client.jetstream()
        last = context.get("last", 0)
        where = {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": last + 1}
        if not last:
            where = {"deliver_policy": DeliverPolicy.ALL if config["from_begin"] else DeliverPolicy.NEW}
        try:
            messages = await stream.subscribe(
                config["subject"], stream=config["stream"], ordered_consumer=True, config=ConsumerConfig(**where)
            )
        except NotFoundError:
            raise LookupError(f"there is no stream {config['stream']}") from None
        async for message in messages.messages:
            context.set("last", message.metadata.sequence.stream)
            yield {
                "subject": message.subject,
                "value": parsed(message.data),
                "sequence": message.metadata.sequence.stream,
            }
        raise ConnectionError("the connection to the NATS server has ended")


async def connected(url):
    """It does not try again by itself: the runner does, and says so."""
    met = []

    async def meet(error):
        met.append(error)

    try:
        return await nats.connect(
            url, allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0.1, error_cb=meet
        )
    except (OSError, TimeoutError, nats.errors.Error) as error:
        why = met[0] if met else error
        raise ConnectionError(f"no connection to the NATS server: {why or type(why).__name__}") from None


def parsed(data):
    """JSON, else text, else bytes."""
    try:
        return flow.parse_json(data.removeprefix(codecs.BOM_UTF8))
    except ValueError:
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data
