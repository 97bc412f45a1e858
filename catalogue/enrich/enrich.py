"""What a table says about the key of a message: a row of a CSV, JSON or NDJSON file, or of an SQLite table."""

import csv
import json
import os
import sqlite3

cache = (None, {})  # when the file was changed, and its rows by their key


def run(message, context):
    config = context.config
    key = field(message, config["key"])
    row = from_database(config, key) if "table" in config else rows(config).get(str(key))
    if row is None:
        context.send("unknown", message)
    else:
        context.send("out", {**message, config["into"]: row})


def rows(config):
    global cache
    stat = os.stat(config["path"])
    stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    if cache[0] != stamp:
        found = list(read(config["path"]))
        if any(config["column"] not in row for row in found):
            raise LookupError(f"{config['path']} has no column {config['column']} in each row")
        cache = stamp, {str(row[config["column"]]): row for row in found}
    return cache[1]


def read(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        if path.endswith(".csv"):
            return list(csv.DictReader(file))
        return json.load(file) if path.endswith(".json") else [json.loads(line) for line in file if line.strip()]


def from_database(config, key):
    database = sqlite3.connect(f"file:{config['path']}?mode=ro", uri=True)
    try:
        database.row_factory = sqlite3.Row
        table, column = (name.replace('"', '""') for name in (config["table"], config["column"]))
        row = database.execute(f'SELECT * FROM "{table}" WHERE "{column}" = ?', (key,)).fetchone()
        return dict(row) if row else None
    finally:
        database.close()


def field(message, path):
    for name in path.split("."):
        if not isinstance(message, dict) or name not in message:
            raise LookupError(f"the message has no field {path}")
        message = message[name]
    return message
