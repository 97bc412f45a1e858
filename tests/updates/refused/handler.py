import os


def count(context, key):
    context.set(key, context.get(key, 0) + 1)


def run(message, context):
    count(context, "n")
    return [context.config["version"], *message]


def start(context):
    count(context, "starts")
    if context.config["refuse"] == "start":
        raise ValueError("refused")
    if context.config["refuse"] == "die":
        os._exit(9)


# STOP
def stop(context):
    count(context, "stops")
