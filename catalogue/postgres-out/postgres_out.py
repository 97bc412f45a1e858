"""A row of a PostgreSQL table for each message; with `key` one of the same key is replaced."""

import json
import uuid
import zlib

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

REMEMBERED = 100_000  # messages; what may come again are the last ones
TAKEN = """CREATE TABLE IF NOT EXISTS runner_taken
  (module text, message text, number bigserial, PRIMARY KEY (module, message))"""
database = None


def check_config(config):
    try:
        conninfo_to_dict(config["url"])
    except psycopg.Error:  # whose text may have the password in it
        return {"url": "is no address of a database, such as postgresql://USER:PASSWORD@HOST/NAME"}


def start(context):
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    context.set("life", context.get("life") or uuid.uuid4().hex)


def run(message, context):
    global database
    config = context.config
    if database is None or database.closed:
        database = psycopg.connect(config["url"], autocommit=True)
        database.execute("SELECT pg_advisory_lock(724)")  # two that make the same table at once disturb each other
        database.execute(TAKEN)
        database.execute("SELECT pg_advisory_unlock(724)")
    names = columns(message, config)
    module = f"{context.flow_id}/{context.module_id} {context.get('life')}"
    try:
        with database.transaction():
            mark = "INSERT INTO runner_taken VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING number"
            taken = database.execute(mark, [module, identity(message, context)]).fetchone()
            if taken is not None:  # else it is in the table already
                database.execute(insert(config, tuple(names)), [value(message[name]) for name in names])
                if taken[0] % 1000 == 0:
                    database.execute("DELETE FROM runner_taken WHERE number <= %s", [taken[0] - REMEMBERED])
    except psycopg.OperationalError:
        database.close()
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
    if database is not None:
        database.close()


def insert(config, names):
    fields = [sql.Identifier(name) for name in names]
    text = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(*config["table"].split(".")),
        sql.SQL(", ").join(fields),
        sql.SQL(", ").join([sql.Placeholder()] * len(names)),
    )
    if "key" not in config:
        return text
    key = sql.SQL(", ").join(sql.Identifier(name) for name in config["key"])
    rest = [sql.Identifier(name) for name in names if name not in config["key"]]
    changes = sql.SQL(", ").join(sql.SQL("{} = EXCLUDED.{}").format(one, one) for one in rest)
    what = sql.SQL("UPDATE SET {}").format(changes) if rest else sql.SQL("NOTHING")
    return text + sql.SQL(" ON CONFLICT ({}) DO {}").format(key, what)


def value(item):
    return Jsonb(item) if isinstance(item, (dict, list)) else item
