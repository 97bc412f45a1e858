# mypy: ignore-errors
def run(message, context):
    context.set(message["key"], "x" * message["bytes"])
    return message["key"]
