# mypy: ignore-errors
def run(message, context):
    message["marks"].append(context.config)
    message["last"] = context.config
    return message
