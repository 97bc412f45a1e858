# mypy: ignore-errors
from pathlib import Path

HERE = Path(__file__).parent
TABLE = (HERE / "table.json").read_bytes().decode()


def run(message, context):
    return [TABLE, (HERE / "deep/down/words.txt").read_bytes().decode()]
