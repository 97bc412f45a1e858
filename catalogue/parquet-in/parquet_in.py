"""The rows of Parquet files, in order. How many of each file have been sent is in the context."""

from glob import glob

from pyarrow import parquet

ROWS = 1024  # read at a time


def start(context):
    for path in sorted(glob(context.config["path"], recursive=True)):
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
    if isinstance(value, list):
        return [plain(its) for its in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if value is None or isinstance(value, (bool, int, float, str, bytes)) else str(value)
