# mypy: ignore-errors
def run(message, context):
    context.send("out", message)
    message["marks"].append("after send")
    return message
