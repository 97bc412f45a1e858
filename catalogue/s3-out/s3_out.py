"""An object in an S3-compatible store for each message, by its id: one that comes again replaces it."""

import json
import re
import uuid

import boto3
from botocore.exceptions import BotoCoreError, ClientError

client = None


def check_config(config):
    if ("key_id" in config) != ("secret" in config):
        return {"key_id" if "key_id" in config else "secret": "is given alone: `key_id` and `secret` belong together"}
    if "endpoint" in config and not re.match("https?://[^/]", config["endpoint"]):
        return {"endpoint": "is no address, http:// or https://"}


def start(context):
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    global client
    config = context.config
    context.set("life", context.get("life") or uuid.uuid4().hex)
    names = {
        "endpoint_url": "endpoint",
        "region_name": "region",
        "aws_access_key_id": "key_id",
        "aws_secret_access_key": "secret",
    }
    client = boto3.client("s3", **{theirs: config[ours] for theirs, ours in names.items() if ours in config})


def run(message, context):
    config = context.config
    binary = isinstance(message, (bytes, str))
    body = message if binary else json.dumps(message, ensure_ascii=False)
    id = re.sub(r"[^\w.-]", "-", f"{context.get('life')}-{context.message_id}")
    name = re.sub(r"\{([\w.]+)\}", lambda found: str(field(message, found[1])), config["name"].replace("{id}", id))
    kind = config.get("content_type", "application/octet-stream" if binary else "application/json")
    data = body.encode() if isinstance(body, str) else body
    try:
        client.put_object(Bucket=config["bucket"], Key=name, Body=data, ContentType=kind)
    except (BotoCoreError, ClientError) as error:
        raise ConnectionError(f"{config['bucket']}/{name}: {error}") from None


def field(message, path):
    for name in path.split("."):
        if not isinstance(message, dict) or name not in message:
            raise LookupError(f"the message has no field {path}")
        message = message[name]
    return message
