# mypy: ignore-errors
import time


def run(message, context):
    end = time.monotonic() + context.config["ms"] / 1000
    while time.monotonic() < end:
        pass
    return message
