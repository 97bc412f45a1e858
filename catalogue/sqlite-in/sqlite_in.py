"""The rows of an SQLite table or query, in the order of a column that grows. The last one is in the context."""

import math
import os
import sqlite3
import time


def start(context):
    config = context.config
    column = '"' + config["column"].replace('"', '""') + '"'
    what = f"({config['query']})" if "query" in config else '"' + config.get("table", "").replace('"', '""') + '"'
    if not os.path.exists(config["path"]):
        raise FileNotFoundError(f"there is no database {config['path']}")
    database = sqlite3.connect(f"file:{config['path']}?mode=ro", uri=True, timeout=10)
    database.row_factory, database.text_factory = sqlite3.Row, text
    while True:
        last = context.get("last")
        where = f"WHERE {column} IS NOT NULL" if last is None else f"WHERE {column} > ?"
        rows = database.execute(
            f"SELECT * FROM {what} {where} ORDER BY {column} LIMIT 1000", () if last is None else (last,)
        ).fetchall()
        for row in rows:
            context.set("last", row[config["column"]])
            yield {name: plain(value) for name, value in dict(row).items()}
        if not rows:
            if not config["follow"]:
                return
            time.sleep(config["poll_s"])


def text(data):
    """What is no UTF-8 is bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def plain(value):
    """What JSON has no word for, as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
