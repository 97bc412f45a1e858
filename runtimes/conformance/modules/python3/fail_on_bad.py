# mypy: ignore-errors
def run(message, context):
    context.set("n", context.get("n", 0) + 1)
    context.send("out", message)
    if message == "bad":
        raise ValueError("no bad messages")  # HERE
