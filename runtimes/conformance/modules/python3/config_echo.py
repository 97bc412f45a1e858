# mypy: ignore-errors
def run(message, context):
    return context.config
