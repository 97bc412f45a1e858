# mypy: ignore-errors
def run(message, context):
    if message == "bytes":
        return bytes([0, 1, 255])
    if message == "object":
        return {"$bytes": "AAH/"}
    if message == "escaped":
        return {"$$bytes": "AAH/"}
    return [len(message), message[-1]]
