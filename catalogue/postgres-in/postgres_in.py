"""The rows of a PostgreSQL table or query, in the order of a column that grows. The last one is in the context.

A notification on `listen` says that there is more; without it the table is looked at every `poll_s`.
"""

import math

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader


def lenient(loader):
    """Python has no word for some of its times, such as infinity: they are texts."""

    class Lenient(loader):
        def load(self, data):
            try:
                return super().load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    return Lenient


LENIENT = {
    "date": lenient(DateLoader),
    "timestamp": lenient(TimestampLoader),
    "timestamptz": lenient(TimestamptzLoader),
}


def check_config(config):
    try:
        conninfo_to_dict(config["url"])
    except psycopg.Error:  # whose text may have the password in it
        return {"url": "is no address of a database, such as postgresql://USER:PASSWORD@HOST/NAME"}


async def start(context):
    config = context.config
    what = sql.SQL("({})").format(sql.SQL(config["query"])) if "query" in config else name(config["table"])
    column = sql.Identifier(config["column"])
    first = sql.SQL("SELECT * FROM {} AS rows WHERE {} IS NOT NULL ORDER BY {} LIMIT 1000").format(what, column, column)
    next_ones = sql.SQL("SELECT * FROM {} AS rows WHERE {} > %s ORDER BY {} LIMIT 1000").format(what, column, column)
    try:
        connecting = psycopg.AsyncConnection.connect(config["url"], autocommit=True, row_factory=dict_row)
        async with await connecting as database:
            for kind, loader in LENIENT.items():
                database.adapters.register_loader(kind, loader)
            if "listen" in config:
                await database.execute(sql.SQL("LISTEN {}").format(sql.Identifier(config["listen"])))
            while True:
                last = context.get("last")
                rows = await (
                    await database.execute(first) if last is None else await database.execute(next_ones, [last])
                ).fetchall()
                for row in rows:
                    made = {key: plain(value) for key, value in row.items()}
                    context.set("last", made[config["column"]])
                    yield made
                if not rows:
                    if not config["follow"]:
                        return
                    async for _ in database.notifies(timeout=config["poll_s"], stop_after=1):
                        pass
    except psycopg.Error as error:
        kind = ConnectionError if isinstance(error, psycopg.OperationalError) else RuntimeError
        raise kind(told(error, config["url"])) from None


def told(error, url):
    """Where, and what it said, in a line; the address without its password."""
    parts, about = conninfo_to_dict(url), error.diag
    said = "; ".join(filter(None, (about.message_primary, about.message_detail))) or str(error) or type(error).__name__
    at = f"{parts.get('host', 'this machine')}:{parts.get('port', 5432)}"
    return f"PostgreSQL at {at}: {' '.join(said.split())}"


def name(text):
    return sql.Identifier(*text.split("."))


def plain(value):
    """What JSON has no word for, as text."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (str, int, bytes)) or value is None:
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
