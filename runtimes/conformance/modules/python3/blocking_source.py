# mypy: ignore-errors
import time


def start(context):
    i = 0
    while True:
        time.sleep(context.config["ms"] / 1000)
        i += 1
        yield i
