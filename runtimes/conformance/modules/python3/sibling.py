# mypy: ignore-errors
import helper


def run(message, context):
    return [message, helper.NAME]
