# mypy: ignore-errors
def run(message, context):
    context.set("n", context.get("n", 0) + 1)
    if message == "bad" and not context.redelivered:
        raise ValueError("not yet")
    return [message, context.get("n")]
