# mypy: ignore-errors
VALUES = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "nested": {"a": [1, float("nan")]},
    "surrogate": "a\ud800b",
    "surrogate key": {"\udc00": 1},
    "function": {"f": len},
}


def run(message, context):
    return VALUES[message]
