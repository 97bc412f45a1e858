# mypy: ignore-errors
def run(message, context):
    context.set("n", float("nan") if message == "nan" else "a\ud800b")
    return message
