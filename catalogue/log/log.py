"""Each message is a line in the runner's log."""

import base64
import json


def run(message, context):
    text = json.dumps(message, ensure_ascii=False, default=plain)
    prefix = context.config.get("text")
    context.log(context.config["level"], f"{prefix} {text}" if prefix else text)


def plain(value):
    """What JSON has no word for: a null that is the whole message, and bytes."""
    return {"$bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else None
