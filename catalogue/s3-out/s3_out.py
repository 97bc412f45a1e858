"""An object in an S3-compatible store for each message, by its id: one that comes again replaces it."""

import json
import re
import uuid

import boto3

client = None


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
    client.put_object(
        Bucket=config["bucket"], Key=name, Body=body.encode() if isinstance(body, str) else body, ContentType=kind
    )


def field(message, path):
    for name in path.split("."):
        message = message[name]
    return message
