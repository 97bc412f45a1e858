# mypy: ignore-errors
def run(message, context):
    for key, value in message.get("set", {}).items():
        context.set(key, value)
    for key in message.get("delete", []):
        context.delete(key)
    if message.get("fail"):
        raise ValueError("fails after its changes")
    keys = sorted(context.keys())
    return {"keys": keys, "values": [context.get(key) for key in keys], "missing": context.get("missing", "default")}
