"""`echo.py INPUT OUTPUT`: one message at a time, decoded and encoded again."""

import os
import sys

import orjson
from stage import run  # type: ignore[import-not-found]

source, target = os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[2], os.O_WRONLY)
while data := os.read(source, 4096):
    os.write(target, orjson.dumps(run(orjson.loads(data), None)))
