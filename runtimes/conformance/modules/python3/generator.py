# mypy: ignore-errors
def run(message, context):
    yield [message, 0]
    context.send("side", message)
    if message == "bad":
        raise ValueError("no bad messages")
    yield [message, 1]
    yield [message, 2]
