# mypy: ignore-errors
import flow


def run(message, context):
    return message is flow.NULL
