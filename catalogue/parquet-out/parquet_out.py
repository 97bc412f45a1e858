"""Rows in Parquet files of so many rows each. What is not in a file yet is in the context."""

import os
import time
from pathlib import Path

import pyarrow as arrow
from pyarrow import parquet


def run(message, context):
    config, n = context.config, context.get("n", 0)
    waiting = context.get("waiting", 0)
    context.set(f"row {waiting}", message)
    context.set("waiting", waiting + 1)
    if waiting + 1 >= config["rows"]:
        write(context, n)


def stop(context):
    """What is there is written: a file with fewer rows."""
    if context.get("waiting", 0):
        write(context, context.get("n", 0))


def write(context, n):
    rows = [context.get(f"row {index}") for index in range(context.get("waiting"))]
    path = Path(context.config["path"].replace("{n}", f"{n + 1:06}"))
    new = path.with_name(f".{path.name}.{time.time_ns()}")
    parquet.write_table(arrow.Table.from_pylist(rows), new)
    os.replace(new, path)  # whole or not at all; a turn that is done again replaces it
    for index in range(len(rows)):
        context.delete(f"row {index}")
    context.set("waiting", 0)
    context.set("n", n + 1)
