"""A row of a PostgreSQL table for each message; with `key` one of the same key is replaced."""

import json
import uuid
import zlib

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import ForeignKeyViolation
from psycopg.types.json import Jsonb

REMEMBERED = 100_000  # messages; what may come again are the last ones
TAKEN = """CREATE TABLE IF NOT EXISTS runner_taken
  (module text, message text, number bigserial, PRIMARY KEY (module, message))"""
FINAL = (psycopg.ProgrammingError, psycopg.DataError, psycopg.IntegrityError)
database = None


class PermanentError(Exception):
    """No new try mends it, so the runner makes none."""


def check_config(config):
    try:
        conninfo_to_dict(config["url"])
    except psycopg.Error:  # whose text may have the password in it
        return {"url": "is no address of a database, such as postgresql://USER:PASSWORD@HOST/NAME"}


def start(context):
    """`life` tells our messages from those of a flow of this name that was there before: numbers begin anew."""
    context.set("life", context.get("life") or uuid.uuid4().hex)


def run(message, context):
    try:
        write(message, context)
    except (TypeError, ValueError) as error:
        raise PermanentError(str(error)) from None
    except psycopg.Error as error:
        final = isinstance(error, FINAL) and not isinstance(error, ForeignKeyViolation)  # that row may be on its way
        kind = PermanentError if final else ConnectionError if database is None or database.closed else RuntimeError
        raise kind(told(error, context.config["url"])) from None


def write(message, context):
    global database
    config = context.config
    if database is None or database.closed:
        database = connected(config["url"])
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


def connected(url):
    made = psycopg.connect(url, autocommit=True)
    try:
        made.execute("SELECT pg_advisory_lock(724)")  # two that make the same table at once disturb each other
        made.execute(TAKEN)
        made.execute("SELECT pg_advisory_unlock(724)")
    except psycopg.Error:
        made.close()
        raise
    return made


def told(error, url):
    """Where, and what it said, in a line; the address without its password."""
    parts, about = conninfo_to_dict(url), error.diag
    said = "; ".join(filter(None, (about.message_primary, about.message_detail))) or str(error) or type(error).__name__
    at = f"{parts.get('host', 'this machine')}:{parts.get('port', 5432)}"
    return f"PostgreSQL at {at}: {' '.join(said.split())}"


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
