# mypy: ignore-errors
import datetime

VALUES = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "nested": {"a": [1, float("nan")]},
    "surrogate": "a\ud800b",
    "surrogate key": {"\udc00": 1},
    "date": {"at": datetime.datetime(2020, 1, 2)},
    "function": {"f": len},
}


def run(message, context):
    return VALUES[message]
