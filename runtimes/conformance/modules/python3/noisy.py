# mypy: ignore-errors
import sys


def run(message, context):
    print("to stdout", message)
    print("to stderr", message, file=sys.stderr)
    context.log("warning", "to the log")
    return message
