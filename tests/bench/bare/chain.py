"""`chain.py LENGTH COUNT WARM`: the functions of a chain, each called by the loop with what the one before returned."""

import sys
from types import SimpleNamespace

import meter  # type: ignore[import-not-found]
import orjson
from source import readings  # type: ignore[import-not-found]
from stage import run  # type: ignore[import-not-found]

length, count, warm = map(int, sys.argv[1:])
functions = [run] * (length - 1) + [meter.run]
meter.start(SimpleNamespace(config={"count": count, "warm": warm}))
for message in readings(count):
    value = message
    for function in functions:
        value = function(value, None)
    if value is not None:
        print(orjson.dumps(value).decode())
