"""The first message of each key; those that come again leave by `again`."""

import json
import time


def run(message, context):
    config, now = context.config, time.time()
    key = "k " + json.dumps(field(message, config.get("key")), sort_keys=True)
    first, last = context.get("first", 0), context.get("last", 0)  # of the queue of keys, oldest first
    while first < last and is_old(context, first, now):
        first = forget(context, first)
    is_new = context.get(key) is None
    if is_new:
        while last - first >= config["remember"]:
            first = forget(context, first)
        context.set(key, True)
        context.set(f"q {last}", [key, now])
        context.set("last", last + 1)
    context.set("first", first)
    context.send("out" if is_new else "again", message)


def forget(context, index):
    context.delete(context.get(f"q {index}")[0])
    context.delete(f"q {index}")
    return index + 1


def is_old(context, index, now):
    for_s = context.config.get("for_s")
    return for_s is not None and context.get(f"q {index}")[1] < now - for_s


def field(message, path):
    for name in path.split(".") if path else ():
        if not isinstance(message, dict) or name not in message:
            raise LookupError(f"the message has no field {path}")
        message = message[name]
    return message
