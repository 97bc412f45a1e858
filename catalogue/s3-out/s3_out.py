"""An object in an S3-compatible store for each message, by its id: one that comes again replaces it."""

import json
import re
import uuid

import boto3
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

FINAL = {"EntityTooLarge", "InvalidBucketName", "InvalidURI", "KeyTooLongError", "XMinioInvalidObjectName"}
client = None


class PermanentError(Exception):
    """No new try mends it, so the runner makes none."""


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
    id = re.sub(r"[^\w.-]", "-", f"{context.get('life')}-{context.message_id}")
    name = re.sub(r"\{([\w.]+)\}", lambda found: str(field(message, found[1])), config["name"].replace("{id}", id))
    kind = config.get("content_type", "application/octet-stream" if binary else "application/json")
    try:
        client.put_object(Bucket=config["bucket"], Key=name, Body=encoded(message), ContentType=kind)
    except (BotoCoreError, ClientError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else None
        final = code in FINAL or isinstance(error, ParamValidationError)
        raise (PermanentError if final else ConnectionError)(f"{config['bucket']}/{name[:300]}: {error}") from None


def encoded(message):
    if isinstance(message, bytes):
        return message
    try:
        return (message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)).encode()
    except (TypeError, ValueError) as error:
        raise PermanentError(f"the message cannot be written as JSON: {error}") from None


def field(message, path):
    for name in path.split("."):
        if not isinstance(message, dict) or name not in message:
            raise PermanentError(f"the message has no field {path}")
        message = message[name]
    return message
