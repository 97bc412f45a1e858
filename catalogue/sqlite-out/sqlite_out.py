"""A row of an SQLite table for each message; with `key` one of the same key is replaced."""

import json
import sqlite3
import uuid
import zlib

REMEMBERED = 100_000  # messages; what may come again are the last ones
FINAL = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG}
database = None


class PermanentError(Exception):
    """No new try mends it, so the runner makes none."""


def start(context):
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    global database
    context.set("life", context.get("life") or uuid.uuid4().hex)
    database = sqlite3.connect(context.config["path"], timeout=30, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE IF NOT EXISTS _taken (module TEXT, message TEXT, PRIMARY KEY (module, message))")


def run(message, context):
    try:
        write(message, context)
    except (TypeError, ValueError, OverflowError, sqlite3.Error) as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # none: it has not come to the database
        if code & 0xFF in FINAL and code != sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:  # that row may be on its way
            raise PermanentError(str(error)) from None
        raise


def write(message, context):
    config = context.config
    names = columns(message, config)
    values = [cell(message[name]) for name in names]
    fields, table = [quoted(name) for name in names], quoted(config["table"])
    text = f"INSERT INTO {table} ({', '.join(fields)}) VALUES ({', '.join('?' * len(names))})"
    if "key" in config:
        key = ", ".join(quoted(name) for name in config["key"])
        rest = [quoted(name) for name in names if name not in config["key"]]
        what = f"UPDATE SET {', '.join(f'{one} = excluded.{one}' for one in rest)}" if rest else "NOTHING"
        text += f" ON CONFLICT ({key}) DO {what}"
    mark = identity(message, context)
    module = f"{context.flow_id}/{context.module_id} {context.get('life')}"
    database.execute("BEGIN IMMEDIATE")
    try:
        taken = database.execute("INSERT OR IGNORE INTO _taken VALUES (?, ?)", (module, mark))
        if taken.rowcount:  # else it is in the table already
            database.execute(text, values)
            database.execute("DELETE FROM _taken WHERE rowid <= ?", (taken.lastrowid - REMEMBERED,))
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def columns(message, config):
    """The fields to write: what a message does not have is left as it is in the table."""
    if not isinstance(message, dict):
        raise TypeError(f"a row is made of an object, the message is {json.dumps(message)[:80]}")
    names = [name for name in config.get("columns", message) if name in message]
    if not names:
        raise ValueError(f"the message has no field for the table: {json.dumps(message)[:80]}")
    return names


def identity(message, context):
    """The same when a message comes again. A number that was given to another one, which died with its runner, is not
    enough: what it says counts, too.
    """
    text = json.dumps(message, sort_keys=True, default=repr)
    return f"{context.message_id} {zlib.crc32(text.encode()):08x}"


def stop(context):
    database.close()


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def cell(value):
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
