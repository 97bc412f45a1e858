"""A row of an SQLite table for each message; with `key` one of the same key is replaced."""

import json
import sqlite3
import uuid

REMEMBERED = 100_000  # messages; what may come again are the last ones
database = None


def start(context):
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    global database
    context.set("life", context.get("life") or uuid.uuid4().hex)
    database = sqlite3.connect(context.config["path"], timeout=30, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE IF NOT EXISTS _taken (module TEXT, message TEXT, PRIMARY KEY (module, message))")


def run(message, context):
    config = context.config
    names = fields(message, config)
    values = [cell(message.get(name)) for name in names]
    columns, table = [quoted(name) for name in names], quoted(config["table"])
    text = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(names))})"
    if "key" in config:
        key = ", ".join(quoted(name) for name in config["key"])
        rest = [quoted(name) for name in names if name not in config["key"]]
        what = f"UPDATE SET {', '.join(f'{one} = excluded.{one}' for one in rest)}" if rest else "NOTHING"
        text += f" ON CONFLICT ({key}) DO {what}"
    module = f"{context.flow_id}/{context.module_id} {context.get('life')}"
    database.execute("BEGIN IMMEDIATE")
    try:
        seen = (
            context.redelivered
            and database.execute(
                "SELECT 1 FROM _taken WHERE module = ? AND message = ?", (module, context.message_id)
            ).fetchone()
        )
        if not seen:
            database.execute(text, values)
            at = database.execute("INSERT INTO _taken VALUES (?, ?)", (module, context.message_id)).lastrowid
            database.execute("DELETE FROM _taken WHERE rowid <= ?", (at - REMEMBERED,))
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def stop(context):
    database.close()


def fields(message, config):
    """Those that are written."""
    if not isinstance(message, dict):
        raise TypeError(f"a row is made of an object, the message is {json.dumps(message)[:80]}")
    names = config.get("columns") or list(message)
    if not any(name in message for name in names):
        raise ValueError(f"the message has no field for the table: {json.dumps(message)[:80]}")
    return names


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def cell(value):
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
