# mypy: ignore-errors
def run(message, context):
    return {
        "headers": context.headers,
        "port": context.port,
        "id": context.message_id,
        "redelivered": context.redelivered,
        "module": context.module_id,
        "flow": context.flow_id,
    }
