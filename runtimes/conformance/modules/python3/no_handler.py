# mypy: ignore-errors
def other(message, context):
    return message
