import os
import time


def start(context):
    context.set("starts", context.get("starts", 0) + 1)
    context.send("notes", [context.config["version"], "start"])
    if context.config["refuse"] == "start":
        raise ValueError("refused")
    if context.config["refuse"] == "die":
        os._exit(9)
    return numbers(context)


def numbers(context):
    i = context.get("i", 0)
    while True:
        time.sleep(0.002)
        i += 1
        context.set("i", i)
        yield [context.config["version"], i]


def migrate(context, _from_version):
    if context.config["refuse"] == "migrate" or context.get(context.config["refuse"]) is not None:
        raise ValueError("refused")


# STOP
def stop(context):
    context.set("stops", context.get("stops", 0) + 1)
    context.send("notes", [context.config["version"], "stop"])
