# mypy: ignore-errors
def run(message, context):
    context.set("kept", message)
    message["list"].append("after set")
    context.get("kept")["list"].append("after get")
    return context.get("kept")
