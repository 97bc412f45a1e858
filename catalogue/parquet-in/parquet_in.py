"""The rows of Parquet files, in order. How many of each file have been sent is in the context."""

import math
from glob import glob, has_magic

from pyarrow import parquet

ROWS = 1024  # read at a time


def start(context):
    paths = sorted(glob(context.config["path"], recursive=True))
    if not paths and not has_magic(context.config["path"]):
        raise FileNotFoundError(f"there is no file {context.config['path']}")
    for path in paths:
        seen = context.get(path, 0)
        at = 0
        for batch in parquet.ParquetFile(path).iter_batches(ROWS):
            if at + batch.num_rows > seen:
                for row in batch.slice(max(0, seen - at)).to_pylist():
                    seen += 1
                    context.set(path, seen)
                    yield {name: plain(value) for name, value in row.items()}
            at += batch.num_rows


def plain(value):
    """Dates and decimals as text: JSON has none."""
    if isinstance(value, dict):
        return {name: plain(its) for name, its in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(its) for its in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if value is None or isinstance(value, (bool, int, float, str, bytes)) else str(value)
